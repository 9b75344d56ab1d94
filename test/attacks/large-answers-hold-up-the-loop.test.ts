/** 32 MiB that a trust server sends are put together, hashed and looked at in pieces: other work goes on between them. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { sha256Hex, sha256InTurns } from '../../proxy/trust-client/encoding.ts';
import { isMetadataForm } from '../../proxy/trust-client/notary-answers.ts';
import { readBody } from '../../proxy/upstream/body.ts';

const MIB = 1024 * 1024;

/** Turns of the loop while the work runs. */
async function turnsOf<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly turns: number }> {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    if (isOver) return;
    turns += 1;
    setImmediate(count);
  };
  setImmediate(count);
  try {
    return { value: await work(), turns };
  } finally {
    isOver = true;
  }
}

function* pieces(of: Uint8Array): Generator<Buffer> {
  for (let at = 0; at < of.length; at += 64 * 1024) yield Buffer.from(of.subarray(at, at + 64 * 1024));
}

const large = Buffer.alloc(8 * MIB + 5, 'what a trust server sends');

test('a body is put together in slices, and is what was sent', async () => {
  const { value, turns } = await turnsOf(() => readBody(Readable.from(pieces(large)), large.length));
  expect(large.equals(value)).toBe(true);
  expect(turns).toBeGreaterThanOrEqual(8);
});

test.each([0, 1, MIB, MIB + 1, large.length])('a body of %d bytes comes whole', async (length) => {
  const sent = large.subarray(0, length);
  const read = await readBody(Readable.from(pieces(sent)), length);
  expect(sent.equals(read)).toBe(true);
});

test('a hash is made in slices, and is the same', async () => {
  const { value, turns } = await turnsOf(() => sha256InTurns(large));
  expect(value).toBe(createHash('sha256').update(large).digest('hex'));
  expect(turns).toBeGreaterThanOrEqual(8);
});

test.each([0, 1, MIB, MIB + 1])('the hash of %d bytes is the same', async (length) => {
  expect(await sha256InTurns(large.subarray(0, length))).toBe(sha256Hex(large.subarray(0, length)));
});

test('of a long answer only the ends are looked at', () => {
  const spaced = (spaces: number): Uint8Array => {
    const bytes = Buffer.alloc(4 * MIB, 'x');
    bytes.fill(' ', 0, spaces).fill(' ', bytes.length - spaces);
    bytes.write('{', spaces);
    bytes.write('}', bytes.length - spaces - 1);
    return bytes;
  };
  expect(isMetadataForm(spaced(0))).toBe(true);
  expect(isMetadataForm(spaced(MIB - 1))).toBe(true);
  // Nothing that signs metadata writes so many, and 32 MiB of them took half a second.
  expect(isMetadataForm(spaced(MIB + 1))).toBe(false);
  expect(isMetadataForm(Buffer.alloc(4 * MIB, ' '))).toBe(false);
});
