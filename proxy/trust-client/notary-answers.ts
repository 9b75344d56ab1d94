/**
 * Which answers are Notary's own word. Between it and us stand balancers, gateways and login pages that answer in its
 * place when it is away, mostly with 200 or 404: what they say is an outage, whatever its status.
 */
import { LIMITS } from './limits.ts';

/** How Notary says that it does not have a file (notary-semantics.md §1.3); `NOT_FOUND` is its name in some vendors' servers. */
const NOT_FOUND_CODES: ReadonlySet<unknown> = new Set([
  'METADATA_NOT_FOUND',
  'GENERIC_NOT_FOUND',
  'NOT_FOUND',
]);

/** True for the error envelope of a 404 that Notary itself wrote: every error in it says "not found". */
export function isNotFoundEnvelope(bytes: Uint8Array): boolean {
  const errors = memberOf(parseObject(bytes), 'errors');
  return (
    Array.isArray(errors) &&
    errors.length > 0 &&
    errors.every((error) => NOT_FOUND_CODES.has(memberOf(error, 'code')))
  );
}

/**
 * False for what cannot be a metadata file at all: a page, nothing, a text that was cut. A JSON object is one, however
 * wrong: it is for verification to say so, and that is not an outage.
 */
export function isMetadataForm(bytes: Uint8Array): boolean {
  // A long text is not parsed twice: its ends tell a page from metadata, and a cut hash-named file fails by its hash.
  if (bytes.length > LIMITS.rootBytes) return isBetweenBraces(bytes);
  return parseObject(bytes) !== undefined;
}

/**
 * Bytes at each end in which a brace is looked for, a millisecond's work: 32 MiB of spaces would hold up everything else.
 * A timestamp, the longest file that is not known by its hash, may be filled up with spaces to its limit.
 */
const END_BYTES = LIMITS.timestampBytes;

function isBetweenBraces(bytes: Uint8Array): boolean {
  let first = 0;
  while (first < END_BYTES && isSpace(bytes[first])) first += 1;
  const least = bytes.length - END_BYTES;
  let last = bytes.length - 1;
  while (last >= least && isSpace(bytes[last])) last -= 1;
  return bytes[first] === 0x7b && bytes[last] === 0x7d;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function parseObject(bytes: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Own members only: a name from outside never reaches a prototype. */
export function memberOf(value: unknown, name: string): unknown {
  return Object.entries(value ?? {}).find(([key]) => key === name)?.[1];
}
