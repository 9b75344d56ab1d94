/**
 * Docker's first manifest schema, for pulls by digest of very old images. Its digest is that of the signed payload:
 * the body without the signatures that were put into it (registry-clients.md §5; libtrust's JSON signatures).
 * Never served under a signed tag.
 */
import { areUnambiguous, parseMembers } from './json-members.ts';

const SCHEMA1 = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]);
/** Longest end of a payload, in bytes; it is the closing brace with white space. */
const MAX_TAIL = 64;
/** What the signatures are put in as, between the payload's last member and its closing brace. */
const SIGNATURES = /^\s*,\s*"signatures"\s*:/;

export function isSchema1(contentType: string | undefined): boolean {
  return toSchema1Type(contentType) !== undefined;
}

/** The type without parameters and in its own spelling; undefined when it is another. */
export function toSchema1Type(contentType: string | undefined): string | undefined {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return SCHEMA1.has(type) ? type : undefined;
}

/**
 * What the digest of such a body is over: the body itself where nothing was put into it; else what is left without the
 * signatures. The registry chooses the type and with it this check, so the body has to be a manifest of schema 1, and
 * nothing but signatures may stand outside what is compared.
 *
 * @returns undefined when it is no such manifest.
 */
export function schema1Payload(bytes: Uint8Array): Uint8Array | undefined {
  const members = parseMembers(bytes);
  if (members === undefined || members.get('schemaVersion') !== 1) return undefined;
  if (!members.has('signatures')) return bytes;
  const format = formatOf(members.get('signatures'));
  if (format === undefined || format.length + format.tail.length > bytes.length) return undefined;
  const payload = Buffer.concat([bytes.subarray(0, format.length), format.tail]);
  const inside = parseMembers(payload);
  const isWhole = inside?.get('schemaVersion') === 1 && !inside.has('signatures');
  return isWhole && isOnlySignatures(bytes, format) ? payload : undefined;
}

type Format = { readonly length: number; readonly tail: Buffer };

/** The body ends with the tail, and between payload and tail there is one member: an array of signatures. */
function isOnlySignatures(bytes: Uint8Array, { length, tail }: Format): boolean {
  const end = bytes.length - tail.length;
  if (!tail.equals(bytes.subarray(end))) return false;
  const between = Buffer.from(bytes.subarray(length, end)).toString('utf8');
  const [member = ''] = SIGNATURES.exec(between) ?? [];
  return member !== '' && Array.isArray(parse(between.slice(member.length)));
}

/** The first `formatLength` bytes and then `formatTail`; every signature's protected header must say the same. */
function formatOf(signatures: unknown): Format | undefined {
  if (!Array.isArray(signatures)) return undefined;
  const headers = signatures.map((signature) =>
    areUnambiguous(Object.keys(Object(signature))) ? toHeader(field(signature, 'protected')) : undefined,
  );
  const [first, ...others] = headers;
  if (first === undefined) return undefined;
  return others.every((one) => one?.length === first.length && one.tail.equals(first.tail))
    ? first
    : undefined;
}

function toHeader(text: unknown): Format | undefined {
  const header = parseMembers(decode(text) ?? new Uint8Array());
  const length = header?.get('formatLength');
  const tail = decode(header?.get('formatTail'));
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 0) return undefined;
  return tail === undefined || tail.length === 0 || tail.length > MAX_TAIL ? undefined : { length, tail };
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
  // Nothing that another decoder leaves out or refuses.
  const isPlain = typeof text === 'string' && /^[A-Za-z0-9_-]*$/.test(text);
  return isPlain ? Buffer.from(text, 'base64url') : undefined;
}
