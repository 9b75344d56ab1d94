/** Text forms of bytes, read strictly: one spelling per value, as Go reads them (notary-semantics.md §14). */
import { createHash } from 'node:crypto';
import { turn } from './turn.ts';

/** One class and no repeated group: a group that repeats needs stack for every turn, and megabytes overflow it. */
const NOT_BASE64 = /[^A-Za-z0-9+/]/;
const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Standard alphabet with padding; CR and LF inside are ignored, as Go does. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const joined = text.replace(/[\r\n]/g, '');
  if (joined.length % 4 !== 0) return undefined;
  const padding = joined.endsWith('==') ? 2 : joined.endsWith('=') ? 1 : 0;
  const digits = padding === 0 ? joined : joined.slice(0, -padding);
  return NOT_BASE64.test(digits) ? undefined : Buffer.from(joined, 'base64');
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** SHA-256 as lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes hashed without a pause: a millisecond, and a few where the processor has no instructions for it. */
const SLICE_BYTES = 1024 * 1024;

/**
 * The same, for files that may be large: everything else has its turn after each slice. Node's own threads are no help:
 * they are given a copy, which is made in one go and takes this thread as long as the hash does.
 */
export async function sha256InTurns(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await turn();
    hash.update(bytes.subarray(at, at + SLICE_BYTES));
  }
  return hash.digest('hex');
}

/**
 * RFC 3339 as Go writes it: 0 to 9 fractional digits, `Z` or an offset. Milliseconds are kept, the rest is cut, so
 * an expiry is never read as later than it was written.
 */
export function parseRfc3339(text: string): Date | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second,
    fraction = '',
    sign,
    offsetHour = '0',
    offsetMinute = '0',
  ] = match;
  const utc = new Date(0);
  utc.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  utc.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)));
  // A day that the month does not have has become one of another month.
  if (utc.getUTCMonth() !== Number(month) - 1) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000;
  return new Date(utc.getTime() - (sign === '-' ? -offset : offset));
}
