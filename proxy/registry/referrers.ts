/**
 * Referrers of a digest where the registry has no such route (registry-clients.md §3): the answer the specification
 * asks for, an index, filled from the tag in which clients of such registries keep it.
 */
import { Readable } from 'node:stream';
import { isHtml, MANIFEST_ACCEPT, OCI_INDEX, toMediaType } from '../content/media-type.ts';
import type { Digest } from '../names/reference.ts';
import { UpstreamError } from '../upstream/errors.ts';
import { headerOf } from '../upstream/headers.ts';
import { withBody } from '../upstream/held-body.ts';
import { toRelayed } from '../upstream/relay.ts';
import type { HttpClient } from '../upstream/types.ts';
import { parsePage, toPage } from '../wire/link.ts';
import type { Response, Route } from '../wire/types.ts';
import { type Caller, fetchManifest, MAX_MANIFEST_BYTES, manifestPath, pullScope } from './manifest.ts';

export type ReferrersRoute = Extract<Route, { kind: 'referrers' }>;

/** For the questions that stand in for the missing route, in milliseconds. */
export const REFERRERS_DEADLINE_MS = 10_000;
/** Longest hash in such a tag, in characters (OCI distribution-spec, "Referrers Tag Schema"). */
const MAX_TAG_HASH = 64;

/** A later page is the registry's own query, which `parsePage` let in. */
export function referrersPath({ repository, digest, artifactType, page }: ReferrersRoute): string {
  const query = page ?? (artifactType === undefined ? '' : String(new URLSearchParams({ artifactType })));
  return referrersList(repository, digest) + (query === '' ? '' : `?${query}`);
}

export function referrersList(repository: string, digest: Digest): string {
  return `/v2/${repository}/referrers/${digest}`;
}

/** Relative, back to where the client asked. */
export function toReferrersLink({ path, ns }: ReferrersRoute, upstreamQuery: string): string | undefined {
  const page = toPage(upstreamQuery);
  const query = new URLSearchParams({ page, ...(ns === undefined ? {} : { ns }) });
  return parsePage(page) === undefined ? undefined : `<${path}?${query}>; rel="next"`;
}

/** A registry that knows the route answers in JSON, whatever it has to say. */
export function isRouteUnknown({ status, headers }: Response): boolean {
  return (
    status === 404 && !/^application\/([a-z.+-]*\+)?json\b/i.test(String(headers.get('Content-Type') ?? ''))
  );
}

/** The index with these descriptors, less those of another artifact type than was asked for. */
export function toReferrersIndex(
  descriptors: readonly unknown[],
  artifactType: string | undefined,
): Response {
  const manifests =
    artifactType === undefined ? descriptors : descriptors.filter((one) => typeOf(one) === artifactType);
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const headers = new Map([
    ['Content-Type', OCI_INDEX],
    ['Content-Length', String(body.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]);
  if (artifactType !== undefined) headers.set('OCI-Filters-Applied', 'artifactType');
  return { status: 200, reasonPhrase: undefined, headers, body };
}

/**
 * Whether the caller may read the subject: a route that is not there refuses nobody, so the manifest is asked for
 * (registry-clients.md §4.3).
 *
 * @param refusal the registry's answer to the missing route, which stands when the question fails.
 * @returns what the caller gets in place of an index; undefined: the index.
 * @throws UpstreamError `no_room`, and nothing that an upstream can cause.
 */
export async function refuseSubject(
  client: HttpClient,
  { repository, digest }: Pick<ReferrersRoute, 'repository' | 'digest'>,
  caller: Caller,
  refusal: Response,
): Promise<Response | undefined> {
  try {
    const { status, headers } = await client.head(manifestPath(repository, digest), {
      headers: { accept: MANIFEST_ACCEPT },
      scope: pullScope(repository),
      ...caller,
    });
    const isItsWord = status === 401 || status === 403 || status === 429;
    if (isItsWord) return await toRelayed(client, { status, headers, body: Readable.from([]) });
    if (isHtml(headerOf(headers, 'content-type'))) return refusal;
    // A subject that is not there has no referrers, which an index says too.
    if (status === 404) return undefined;
    const announced = headerOf(headers, 'docker-content-digest');
    if (status !== 200 || (announced !== undefined && announced !== digest)) return refusal;
    if (announced === digest) return undefined;
    // A yes that does not name the digest is any page's: the bytes say it.
    const question = { digest, accept: `${MANIFEST_ACCEPT}, */*`, isKnown: false };
    const fetched = await fetchManifest(client, repository, question, caller);
    if (fetched.kind === 'manifest') return undefined;
    if (fetched.kind === 'failed' && fetched.reason === 'deadline_exceeded')
      throw new UpstreamError('no_room', fetched.what);
    return fetched.kind === 'relayed' ? fetched.response : refusal;
  } catch (error) {
    if (error instanceof UpstreamError && error.kind !== 'no_room') return refusal;
    throw error;
  }
}

/**
 * What the tag `sha256-<hex>` lists. Nothing when it is not there or not an index.
 *
 * @throws UpstreamError `no_room`, and nothing that an upstream can cause.
 */
export async function fetchTaggedReferrers(
  client: HttpClient,
  { repository, digest }: Pick<ReferrersRoute, 'repository' | 'digest'>,
  caller: Caller,
): Promise<readonly unknown[]> {
  const [algorithm = '', hash = ''] = digest.split(':');
  try {
    const path = manifestPath(repository, `${algorithm}-${hash.slice(0, MAX_TAG_HASH)}`);
    const options = { headers: { accept: OCI_INDEX }, scope: pullScope(repository), ...caller };
    const response = await client.get(path, options);
    const limits = { maxBytes: MAX_MANIFEST_BYTES, signal: caller.signal };
    if (response.status !== 200) {
      response.body.destroy();
      return [];
    }
    return await withBody(client, response, limits, (bytes) =>
      toMediaType(bytes, headerOf(response.headers, 'content-type')) === OCI_INDEX ? manifestsOf(bytes) : [],
    );
  } catch (error) {
    if (error instanceof UpstreamError && error.kind !== 'no_room') return [];
    throw error;
  }
}

/** `toMediaType` has seen that it is an object with such a list. */
function manifestsOf(bytes: Uint8Array): readonly unknown[] {
  return (JSON.parse(Buffer.from(bytes).toString('utf8')) as { manifests: unknown[] }).manifests;
}

function typeOf(descriptor: unknown): unknown {
  const isObject = typeof descriptor === 'object' && descriptor !== null;
  return isObject && 'artifactType' in descriptor ? descriptor.artifactType : undefined;
}
