/** Which names the path prefixes of a delegation cover: the same as comparing each of them (path-set.ts). */
import { describe, expect, test } from '@jest/globals';
import { PathSet } from '../../proxy/trust-client/path-set.ts';

/** `undefined` is a name like any other. */
const NAMES = ['undefined', '', 'a', 'aa', 'ab', 'abc', 'abd', 'ac', 'b', 'b/', 'b/c', 'ba', 'z', 'ä'];

describe('names are covered as by each path alone', () => {
  test.each([
    [[]],
    [['']],
    [['a']],
    [['undefined']],
    [['ab', 'b/']],
    [['b/', 'ab']],
    [['a', 'ab', 'abc']],
    [['abc', 'abd', 'b', 'z']],
    [['aa', 'ac', 'ba', 'ä', 'zz']],
  ])('%j', (paths) => {
    const set = new PathSet(paths);
    expect(NAMES.filter((name) => set.covers(name))).toEqual(
      NAMES.filter((name) => paths.some((path) => name.startsWith(path))),
    );
  });
});

test('paths that another one covers are left out, and the given list stays as it is', () => {
  const given = ['b', 'ab', 'a', 'abc', 'b'];
  expect(new PathSet(given).paths).toEqual(['a', 'b']);
  expect(given).toEqual(['b', 'ab', 'a', 'abc', 'b']);
});
