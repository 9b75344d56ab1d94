/** The packed entries of a targets file give back what was put in (target-table.ts). */
import { describe, expect, test } from '@jest/globals';
import {
  packTargets,
  sortNames,
  type TargetEntry,
  TargetTable,
} from '../../proxy/trust-client/target-table.ts';

const digest = (byte: number) => new Uint8Array(32).fill(byte);
const entry = (byte: number, length = byte): TargetEntry => ({ sha256: digest(byte), length });
const bytesOf = (name: string) => new TextEncoder().encode(name);

function tableOf(entries: Readonly<Record<string, TargetEntry>>): TargetTable {
  return packTargets(new Map(Object.entries(entries)));
}
/** All a table says, entry by entry. */
const read = (table: TargetTable) =>
  Array.from({ length: table.size }, (_, at) => [table.nameAt(at), table.digestAt(at), table.lengthAt(at)]);

test('entries come back sorted, each with its digest and length', () => {
  const table = tableOf({ b: entry(2), a1: entry(1, 0), ä: entry(3), '': entry(4), a: entry(5) });
  expect(read(table)).toEqual([
    ['', '04'.repeat(32), 4],
    ['a', '05'.repeat(32), 5],
    ['a1', '01'.repeat(32), 0],
    ['b', '02'.repeat(32), 2],
    ['ä', '03'.repeat(32), 3],
  ]);
  // Names 6 bytes, ends 4 each, digests 32 each, lengths 8 each.
  expect([table.size, table.bytes]).toEqual([5, 6 + 5 * (4 + 32 + 8)]);
});

test('an entry without a digest of 32 bytes is there, and has none', () => {
  const table = tableOf({
    a: { sha256: undefined, length: 7 },
    b: { sha256: new Uint8Array(31), length: 7 },
    c: entry(1),
  });
  expect([0, 1, 2].map((at) => table.digestAt(at))).toEqual([undefined, undefined, '01'.repeat(32)]);
  expect(table.find(bytesOf('a'))).toBe(0);
});

test('the empty name is not found behind the last entry', () => {
  expect([tableOf({}).find(bytesOf('')), tableOf({ a: entry(1) }).find(bytesOf(''))]).toEqual([
    undefined,
    undefined,
  ]);
});

test('nothing is found in no entries', () => {
  const table = tableOf({});
  expect([table.size, table.bytes, table.find(bytesOf('a')), table.lowerBound(bytesOf('a'))]).toEqual([
    0,
    0,
    undefined,
    0,
  ]);
});

describe('a name is found where it stands', () => {
  const NAMES = ['', 'a', 'a1', 'aa', 'ab', 'b', 'ba', 'z'];
  const present = NAMES.filter((_, at) => at % 2 === 1);
  const table = tableOf(Object.fromEntries(present.map((name) => [name, entry(1)])));

  test.each([...NAMES, 'aaa', 'zz', 'ÿ'])('“%s”', (name) => {
    const at = present.indexOf(name);
    expect(table.find(bytesOf(name))).toBe(at < 0 ? undefined : at);
    const after = present.findIndex((other) => other >= name);
    expect(table.lowerBound(bytesOf(name))).toBe(after < 0 ? present.length : after);
  });
});

test('a table whose parts stand inside larger memory reads its own parts', () => {
  const { packed } = tableOf({ a: entry(1), b: entry(2) });
  const moved = <T extends Uint8Array>(part: T) => {
    const whole = new Uint8Array(part.length + 16);
    whole.set(part, 8);
    return whole.subarray(8, 8 + part.length);
  };
  const table = new TargetTable({ ...packed, names: moved(packed.names), digests: moved(packed.digests) });
  expect(read(table)).toEqual([
    ['a', '01'.repeat(32), 1],
    ['b', '02'.repeat(32), 2],
  ]);
});

test('names are sorted by their bytes, where surrogates come after the rest', () => {
  expect(sortNames(['b', '\u{1f600}', '\uffee', 'a'])).toEqual(['a', 'b', '\uffee', '\u{1f600}']);
  expect(sortNames(['b', 'a', 'ä'])).toEqual(['a', 'b', 'ä']);
});
