/** Hashing a file without holding up the loop (encoding.ts). */
import { expect, test } from '@jest/globals';
import { sha256Hex, sha256InTurns } from '../../proxy/trust-client/encoding.ts';

/** The hash, and whether the loop turned while it was made. */
async function hashed(bytes: Uint8Array): Promise<readonly [string, boolean]> {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  return [await sha256InTurns(bytes), turned];
}

test('a file of up to a slice is hashed at once, a longer one in turns', async () => {
  const bytes = Buffer.alloc(2 * 1024 * 1024 + 1, 'some text');
  const slice = bytes.subarray(0, 1024 * 1024);
  expect(await hashed(slice)).toEqual([sha256Hex(slice), false]);
  expect(await hashed(bytes)).toEqual([sha256Hex(bytes), true]);
  expect(await hashed(Buffer.alloc(0))).toEqual([sha256Hex(Buffer.alloc(0)), false]);
});
