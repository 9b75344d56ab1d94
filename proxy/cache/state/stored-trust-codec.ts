/**
 * One repository's remembered trust as one run of bytes, for a file or a shared store.
 *
 * Line 1: `pullwarden-trust 1 <sha256 of all that follows>`; line 2: a JSON index; then the metadata files as they
 * were served, one behind the other. The checksum tells damage from history: it protects nothing against whoever can
 * write the state, and neither would anything else here.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Gun } from '../../names/reference.ts';
import { turn } from '../../trust-client/turn.ts';
import type { StoredTrust } from '../../trust-client/types.ts';

const MAGIC = 'pullwarden-trust 1 ';
const NEWLINE = 0x0a;
/** Bytes of the first line: the magic, a SHA-256 in hex, a line break. */
export const STAMP_BYTES = MAGIC.length + 65;

const HEX = z.string().regex(/^[0-9a-f]{64}$/);
const LENGTH = z.number().int().nonnegative();
const EARLIER = z.strictObject({
  version: LENGTH,
  sha256: HEX,
  signers: z.array(HEX),
  // Each absent in what was written before it was remembered.
  content: HEX.optional(),
  threshold: LENGTH.min(1).optional(),
});
const FLOOR = EARLIER.extend({ earlier: z.array(EARLIER).optional() });
const INDEX = z.strictObject({
  gun: z.string(),
  roots: z.array(LENGTH).min(1),
  files: z.array(z.tuple([z.string(), LENGTH])),
  floors: z.array(z.tuple([z.string(), FLOOR])),
});

/** @returns the bytes in parts, to be written one behind the other: the first is the stamp. None of them is copied. */
export async function encodeStoredTrust(gun: Gun, trust: StoredTrust): Promise<readonly Uint8Array[]> {
  const index: z.infer<typeof INDEX> = {
    gun,
    roots: trust.roots.map(({ length }) => length),
    files: [...trust.files].map(([role, { length }]) => [role, length]),
    floors: [...trust.floors].map(([role, { earlier, ...floor }]) => [
      role,
      { ...copy(floor), ...(earlier && { earlier: earlier.map(copy) }) },
    ]),
  };
  const rest = [Buffer.from(`${JSON.stringify(index)}\n`), ...trust.roots, ...trust.files.values()];
  return [Buffer.from(`${MAGIC}${await checksum(rest)}\n`), ...rest];
}

function copy<T extends { readonly signers: readonly string[] }>(floor: T): T & { signers: string[] } {
  return { ...floor, signers: [...floor.signers] };
}

/**
 * @returns views of these bytes, which stay in memory as long as one of them is used.
 * @throws Error that says what is wrong with the bytes.
 */
export async function decodeStoredTrust(gun: Gun, bytes: Buffer): Promise<StoredTrust> {
  const stamp = readStamp(bytes);
  const rest = bytes.subarray(stamp.length);
  if (stamp !== `${MAGIC}${await checksum([rest])}\n`)
    throw new Error('its checksum does not match its content');
  const end = rest.indexOf(NEWLINE);
  const parsed: unknown = JSON.parse(rest.subarray(0, end).toString('utf8'));
  await turn();
  const index = INDEX.parse(parsed);
  if (index.gun !== gun) throw new Error(`it belongs to ${index.gun}`);
  let at = end + 1;
  const take = (length: number): Uint8Array => {
    at += length;
    if (at > rest.length) throw new Error('it is cut short');
    return new Uint8Array(rest.buffer, rest.byteOffset + at - length, length);
  };
  const roots = index.roots.map(take);
  const files = new Map(index.files.map(([role, length]) => [role, take(length)]));
  return { roots, files, floors: new Map(index.floors) };
}

/** The first line: equal for equal content, so that a writer can see whether another one was there. */
export function readStamp(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, STAMP_BYTES)).toString('latin1');
}

/** An entry may have 64 MiB: other work has its turn after every slice. */
async function checksum(parts: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256');
  let sinceTurn = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) {
      const slice = part.subarray(at, at + SLICE_BYTES);
      hash.update(slice);
      sinceTurn += slice.length;
      if (sinceTurn >= SLICE_BYTES) {
        sinceTurn = 0;
        await turn();
      }
    }
  }
  return hash.digest('hex');
}

/** Bytes hashed without a pause: a few milliseconds. */
const SLICE_BYTES = 4 * 1024 * 1024;
