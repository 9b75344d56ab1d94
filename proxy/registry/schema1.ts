/**
 * Docker's first manifest schema, for pulls by digest of very old images. Its digest is that of the signed payload:
 * the body without the signatures that were put into it (registry-clients.md §5; libtrust's JSON signatures).
 * Never served under a tag.
 */

const SCHEMA1 = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]);
/** Longest end of a payload, in bytes; it is the closing brace with white space. */
const MAX_TAIL = 64;

export function isSchema1(contentType: string | undefined): boolean {
  return SCHEMA1.has((contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '');
}

/** The first `formatLength` bytes and then `formatTail`, as the first signature's protected header has them. */
export function signedPayload(bytes: Uint8Array): Uint8Array | undefined {
  const body = field(parse(Buffer.from(bytes).toString('utf8')), 'signatures');
  const protectedHeader = Array.isArray(body) ? field(body[0], 'protected') : undefined;
  const header = parse(decode(protectedHeader)?.toString('utf8') ?? '');
  const length = field(header, 'formatLength');
  const tail = decode(field(header, 'formatTail'));
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0 || length > bytes.length)
    return undefined;
  if (tail === undefined || tail.length > MAX_TAIL) return undefined;
  return Buffer.concat([bytes.subarray(0, length), tail]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Own keys only: the object comes from outside. */
function field(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

function decode(text: unknown): Buffer | undefined {
  return typeof text === 'string' ? Buffer.from(text, 'base64url') : undefined;
}
