/** One repository's remembered trust as bytes: whole or refused, and never at the cost of what else is to be done. */
import { expect, test } from '@jest/globals';
import { decodeStoredTrust, encodeStoredTrust } from '../../../proxy/cache/state/stored-trust-codec.ts';
import type { StoredTrust } from '../../../proxy/trust-client/types.ts';
import { GUN } from '../../trust-client/kit.ts';

const MIB = 1024 * 1024;
const large: StoredTrust = {
  roots: [Buffer.alloc(MIB, 'root')],
  files: new Map([
    ['targets', Buffer.alloc(31 * MIB, 'targets')],
    ['targets/releases', Buffer.alloc(8 * MIB, 'releases')],
  ]),
  floors: new Map(),
};

/** What the work gives, and how often the loop turned meanwhile. */
async function withTurns<T>(work: Promise<T>): Promise<{ readonly value: T; readonly turns: number }> {
  let [turns, isOver] = [0, false];
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const value = await work.finally(() => {
    isOver = true;
  });
  return { value, turns };
}

test('40 MiB are written and read in slices, and come back as they were', async () => {
  const written = await withTurns(encodeStoredTrust(GUN, large));
  expect(written.turns).toBeGreaterThanOrEqual(8);
  const bytes = Buffer.concat(written.value);
  const read = await withTurns(decodeStoredTrust(GUN, bytes));
  expect(read.turns).toBeGreaterThanOrEqual(8);
  expect([...read.value.files.keys()]).toEqual([...large.files.keys()]);
  expect(
    Buffer.compare(read.value.files.get('targets') ?? Buffer.alloc(0), Buffer.alloc(31 * MIB, 'targets')),
  ).toBe(0);
  expect(read.value.roots.map(({ length }) => length)).toEqual([MIB]);
});

test('nothing is copied to be written', async () => {
  const parts = await encodeStoredTrust(GUN, large);
  expect(parts.slice(2)).toEqual([...large.roots, ...large.files.values()]);
  expect(parts[3]).toBe(large.files.get('targets'));
});

test.each(['a byte changed', 'cut short', 'longer'])('%s: refused', async (what) => {
  const small = { ...large, files: new Map([['targets', Buffer.from('{}')]]) };
  const bytes = Buffer.concat(await encodeStoredTrust(GUN, small));
  const damaged = {
    'a byte changed': () => bytes.fill(0, bytes.length - 1),
    'cut short': () => bytes.subarray(0, -1),
    longer: () => Buffer.concat([bytes, Buffer.from('x')]),
  }[what];
  await expect(decodeStoredTrust(GUN, damaged?.() ?? bytes)).rejects.toThrow('checksum');
});
