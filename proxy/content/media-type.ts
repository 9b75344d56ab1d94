/**
 * Which of the four manifest types a body is. A type is believed only when the body's structure agrees with it, so
 * that two clients cannot read the same signed bytes as two different things (OCI image-spec, "mediaType"; the
 * ambiguity of CVE-2021-41190).
 */
import { parseMembers } from './json-members.ts';

const MANIFEST_V2 = 'application/vnd.docker.distribution.manifest.v2+json';
const MANIFEST_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

type Shape = 'manifest' | 'index';
/** schema1 is not among them: its digest is not that of its bytes (registry-clients.md §5). */
const SHAPES: ReadonlyMap<string, Shape> = new Map([
  [MANIFEST_V2, 'manifest'],
  [OCI_MANIFEST, 'manifest'],
  [MANIFEST_LIST, 'index'],
  [OCI_INDEX, 'index'],
]);

/** Our own Accept list: asked for by digest, a registry has nothing to convert (registry-clients.md §3). */
export const MANIFEST_ACCEPT = [MANIFEST_V2, MANIFEST_LIST, OCI_MANIFEST, OCI_INDEX].join(', ');

/**
 * The media type of a manifest whose bytes are already known to be the signed ones.
 *
 * @param contentType the upstream's header, parameters and all.
 * @returns undefined when header, `mediaType` and structure do not say the same thing.
 */
export function toMediaType(bytes: Uint8Array, contentType: string | undefined): string | undefined {
  const claimed = stripParameters(contentType ?? '');
  const shape = SHAPES.get(claimed);
  const fields = shape === undefined ? undefined : parseMembers(bytes);
  if (fields === undefined || shapeOf(fields) !== shape) return undefined;
  const own = fields.get('mediaType');
  // OCI allows the field to be absent; Docker's types always carry it, but old writers of lists did not.
  return own === undefined || own === claimed ? claimed : undefined;
}

/** One of the four without its parameters, whether the bytes agree with it or not; undefined when it is another. */
export function toImageType(contentType: string | undefined): string | undefined {
  const type = stripParameters(contentType ?? '');
  return SHAPES.has(type) ? type : undefined;
}

export function isImageType(contentType: string | undefined): boolean {
  return toImageType(contentType) !== undefined;
}

/** What the bytes say they are without any header: their `mediaType` where they have one; else their structure. */
export function ownMediaType(bytes: Uint8Array): string | undefined {
  const fields = parseMembers(bytes);
  const shape = fields && shapeOf(fields);
  if (shape === undefined) return undefined;
  const own = fields?.get('mediaType');
  // Docker's types always carry the field.
  if (own === undefined) return shape === 'index' ? OCI_INDEX : OCI_MANIFEST;
  return typeof own === 'string' && SHAPES.get(own) === shape ? own : undefined;
}

/** An error page or a login page: no registry says anything in HTML. */
export function isHtml(contentType: string | undefined): boolean {
  return /^(text\/html|application\/xhtml\+xml)$/.test(stripParameters(contentType ?? ''));
}

/** Whether a client that sent this Accept header can take the type; without one, it takes anything. */
export function accepts(accept: string | undefined, mediaType: string): boolean {
  if (accept === undefined) return true;
  return accept.split(',').some((range) => {
    const type = stripParameters(range);
    return type === mediaType || type === '*/*' || type === 'application/*' || type === 'application/json';
  });
}

function shapeOf(fields: ReadonlyMap<string, unknown>): Shape | undefined {
  if (fields.get('schemaVersion') !== 2) return undefined;
  const isIndex = fields.has('manifests');
  const isManifest = fields.has('config') || fields.has('layers');
  // schema1 bodies have these two; together with anything else they are ambiguous.
  if (isIndex === isManifest || fields.has('fsLayers') || fields.has('signatures')) return undefined;
  if (isIndex) return Array.isArray(fields.get('manifests')) ? 'index' : undefined;
  return isObject(fields.get('config')) && Array.isArray(fields.get('layers')) ? 'manifest' : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function stripParameters(contentType: string): string {
  const [type = ''] = contentType.split(';', 1);
  return type.trim().toLowerCase();
}
