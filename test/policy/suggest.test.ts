import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { suggestTags } from '../../proxy/policy/suggest.ts';

const suggest = (wanted: string, ...tags: readonly string[]) =>
  suggestTags([...tags].sort(), wanted).join(' ');

describe('the nearest signed tags, the newest first', () => {
  test.each([
    ['3.20', ['3.18', '3.19'], '3.19 3.18'],
    ['3.20', ['3.9', '3.10', '3.19', '3.21', '3.22', '3.23', '3.8'], '3.22 3.21 3.19 3.10 3.9'],
    ['9', ['1', '2', '3', '10', '11', '12'], '11 10 3 2 1'],
    ['1', ['2', '3', '4', '5', '6', '7'], '6 5 4 3 2'],
    [
      '3.20',
      ['3.20-rc1', '3.20-rc10', '3.20-rc2', '3.20.1', '3.21'],
      '3.21 3.20.1 3.20-rc10 3.20-rc2 3.20-rc1',
    ],
    ['latest', ['1.0', '2.0', '10.0', 'stable'], 'stable 10.0 2.0 1.0'],
    ['1', ['007', '7', '07'], '007 07 7'],
    ['x', [], ''],
    ['x', ['x'], ''],
  ])('%s among %j: %s', (wanted, tags, expected) => {
    expect(
      suggest(wanted, ...tags)
        .split(' ')
        .sort(),
    ).toEqual(expected.split(' ').sort());
    if (!tags.includes('007')) expect(suggest(wanted, ...tags)).toBe(expected);
  });
});

test('names that are no tags are left out: a signer may sign any text', () => {
  expect(suggest('1', '2', '../x', 'a b', '\u202e3', 'x'.repeat(129), '')).toBe('2');
});

test('of very many tags only those near the asked one in the sorted list are looked at', () => {
  const tags = Array.from({ length: 50_000 }, (_, index) => `v${String(index).padStart(6, '0')}`);
  expect(suggestTags(tags, 'v025000x')).toEqual(['v025002', 'v025001', 'v025000', 'v024999', 'v024998']);
  expect(suggestTags(tags, 'a')).toEqual(['v000004', 'v000003', 'v000002', 'v000001', 'v000000']);
  expect(suggestTags(tags, 'z')).toEqual(['v049999', 'v049998', 'v049997', 'v049996', 'v049995']);
});

test('of more than a thousand tags those near the asked one are found, wherever it would stand', () => {
  const tags = Array.from({ length: 1200 }, (_, index) => `v${String(index).padStart(4, '0')}`);
  expect(suggestTags(tags, 'v0600x')).toEqual(['v0602', 'v0601', 'v0600', 'v0599', 'v0598']);
  expect(suggestTags(tags, 'v0600')).toEqual(['v0602', 'v0601', 'v0599', 'v0598', 'v0597']);
  expect(suggestTags(tags, 'a')).toEqual(['v0004', 'v0003', 'v0002', 'v0001', 'v0000']);
  expect(suggestTags(tags, 'z')).toEqual(['v1199', 'v1198', 'v1197', 'v1196', 'v1195']);
});

describe('which of two tags is the newer one', () => {
  test.each([
    ['1.0', '1'],
    ['1.10', '1.9'],
    ['1.010', '1.9'],
    ['1.100', '1.20'],
    ['1.2', '1.02-rc1'],
    ['1', '1-rc'],
    ['1b', '1a'],
    ['1b', '1abc'],
    ['1.0', '1-0'],
    ['1a1', '1.9'],
    ['r100', 'r20'],
    ['1', '1-alpha-'],
    ['1-2', '1-1'],
  ])('%s is newer than %s', (newer, older) => {
    expect(suggest('nothing-like-it', newer, older)).toBe(`${newer} ${older}`);
  });
});

test('at most five, each a signed tag, none twice, whatever is signed and asked', () => {
  const tag = fc.stringMatching(/^[a-z0-9._-]{1,6}$/);
  fc.assert(
    fc.property(fc.uniqueArray(tag, { maxLength: 30 }), tag, (tags, wanted) => {
      const found = suggestTags([...tags].sort(), wanted);
      expect(found.length).toBeLessThanOrEqual(5);
      expect(new Set(found).size).toBe(found.length);
      for (const name of found) expect(tags.includes(name) && name !== wanted).toBe(true);
      expect(suggestTags([...tags].sort().reverse(), wanted).length).toBe(found.length);
    }),
  );
});
