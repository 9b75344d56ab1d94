/** A client's conditional and range headers: an answer to them must not be served to another client. */
import type { Digest } from '../names/reference.ts';

/** Whether `If-None-Match` names this very digest. `*` names nothing, and a weak one was written by a cache that changed the bytes. */
export function namesDigest(ifNoneMatch: string | undefined, digest: Digest): boolean {
  return ifNoneMatch?.split(',').some((tag) => tag.trim() === `"${digest}"`) ?? false;
}

/** Longest number of a range; more digits are no position in a blob. */
const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\*|\d{1,15})$/;

/** One range: what goes upstream. A server may answer others with parts nobody can tell from each other. */
export function isOneRange(range: string | undefined): boolean {
  return RANGE.test(withoutSpaces(range));
}

/** Whether `Content-Range` is the one part that `Range` asked for, or as much of it as there is (RFC 9110 §14). */
export function isAskedPart(contentRange: string | undefined, range: string | undefined): boolean {
  const [, from, to, all] = CONTENT_RANGE.exec(contentRange ?? '') ?? [];
  const asked = RANGE.exec(withoutSpaces(range));
  if (from === undefined || to === undefined || asked === null) return false;
  const [start, end, size] = [Number(from), Number(to), all === '*' ? Number.NaN : Number(all)];
  // Written so that an unknown size, which compares with nothing, is no fault.
  if (start > end || end >= size) return false;
  const [, first = '', last = ''] = asked;
  if (first === '') return last !== '' && isSuffix({ start, end, size }, Number(last));
  return start === Number(first) && (last === '' || end <= Number(last));
}

function withoutSpaces(range: string | undefined): string {
  return range?.replaceAll(' ', '').toLowerCase() ?? '';
}

type Part = { readonly start: number; readonly end: number; readonly size: number };

function isSuffix({ start, end, size }: Part, length: number): boolean {
  return end === size - 1 && start === Math.max(0, size - length);
}
