import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  compareSpecificity,
  compilePattern,
  coversAll,
  coversRegistry,
  matches,
  mostSpecific,
  patternFault,
} from '../../proxy/policy/pattern.ts';
import { growth } from '../growth.ts';

const covers = (pattern: string, name: string) => matches(compilePattern(pattern), name);

describe('what a pattern covers', () => {
  test.each([
    ['docker.io/library/alpine', 'docker.io/library/alpine', true],
    ['docker.io/library/alpine', 'docker.io/library/alpine2', false],
    ['docker.io/library/*', 'docker.io/library/alpine', true],
    ['docker.io/library/*', 'docker.io/library/a/b', false],
    ['docker.io/library/*', 'docker.io/library', false],
    ['docker.io/team/foo-*', 'docker.io/team/foo-bar', true],
    ['docker.io/team/foo*', 'docker.io/team/foo', true],
    ['docker.io/team/foo-*', 'docker.io/team/foo', false],
    ['docker.io/team/*-foo-*', 'docker.io/team/a-foo-b', true],
    ['docker.io/team/*-foo-*', 'docker.io/team/a-foo', false],
    ['docker.io/team/a*b*a', 'docker.io/team/aba', true],
    ['docker.io/team/a*a', 'docker.io/team/a', false],
    ['docker.io/team/a*b*b', 'docker.io/team/ab', false],
    ['registry.example.com/**', 'registry.example.com/app', true],
    ['registry.example.com/**', 'registry.example.com/a/b/c/d', true],
    ['registry.example.com/team/**', 'registry.example.com/team', false],
    ['registry.example.com/**/app', 'registry.example.com/app', true],
    ['registry.example.com/**/app', 'registry.example.com/a/b/app', true],
    ['registry.example.com/**/app', 'registry.example.com/a/app/b', false],
    ['registry.example.com/**/b/**/d', 'registry.example.com/a/b/c/b/d', true],
    ['registry.example.com/**/b/**/d', 'registry.example.com/d/b', false],
    ['registry.example.com/**/x/y/**/z', 'registry.example.com/x/a/x/y/z', true],
    ['registry.example.com/**/x/**/y', 'registry.example.com/a/b/y', false],
    ['**', 'docker.io/library/alpine', true],
    ['**/alpine', 'docker.io/library/alpine', true],
    ['*/library/*', 'docker.io/library/alpine', true],
    ['*.example.com/**', 'eu.example.com/app', true],
    ['*.example.com/**', 'example.com/app', false],
    ['registry.example.com:5000/**', 'registry.example.com:5000/app', true],
    ['registry.example.com/**', 'registry.example.com:5000/app', false],
    ['[::1]:5000/**', '[::1]:5000/app', true],
    ['[::1]/**', '[::1]/app', true],
    // A piece is never placed on what an earlier piece has taken.
    ['docker.io/team/a*bc*cd*e', 'docker.io/team/abcde', false],
    ['docker.io/team/a*bc*cd*e', 'docker.io/team/abccde', true],
    ['docker.io/team/*ab*ba*', 'docker.io/team/aba', false],
    ['docker.io/team/*ab*', 'docker.io/team/abx', true],
    ['docker.io/**/a/b/**/b/c/**/d', 'docker.io/a/b/c/d', false],
    ['docker.io/**/a/b/**/b/c/**/d', 'docker.io/a/b/b/c/d', true],
    ['docker.io/**/a/b/**/c', 'docker.io/x/a/c', false],
    // A pattern and a name as long as names may be.
    [`docker.io/${'a'.repeat(245)}`, `docker.io/${'a'.repeat(245)}`, true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(covers(pattern, name)).toBe(expected);
  });
});

describe('names that try to look like others are covered by no pattern but their own', () => {
  test.each([
    ['x.trusted.com/**', 'evil.com/x.trusted.com/org/a'],
    ['x.trusted.com/org/*', 'evil.com/x.trusted.com/org/a'],
    ['trusted.com/**', 'trusted.com.evil.com/org/a'],
    ['trusted.com/**', 'eviltrusted.com/org/a'],
    ['*.trusted.com/**', 'evil.com/.trusted.com/a'],
    ['trusted.com/**', 'trusted.com:443/org/a'],
    ['trusted.com/**', 'TRUSTED.com/org/a'],
    ['trusted.com/org/*', 'trusted.com/Org/a'],
    ['trusted.com/*', 'trusted.com/org%2fa'],
    ['trusted.com/*', 'trusted.com/org%2Fa'],
    ['**', 'trusted.com/org/../a'],
    ['**', 'trusted.com/..'],
    ['**', 'trusted.com/./a'],
    ['**', 'trusted.com//a'],
    ['**', 'trusted.com/a/'],
    ['**', '/a'],
    ['**', ''],
    ['**', 'trusted.com'],
    ['**', 'trusted.com/a\n'],
    ['**', 'trusted.com/a\0'],
    ['**', 'trusted.com/a b'],
    ['**', 'trusted.com/\u0430lpine'],
    ['**', 'trusted.com/a\u200b'],
    ['**', 'user@trusted.com/a'],
    ['**', 'trusted.com/a:tag'],
    ['**', `trusted.com/${'a'.repeat(256)}`],
    ['trusted.com/*', 'trusted.com/*'],
    ['**', 'trusted.com/-a'],
    ['**', 'trusted.com/_a/b'],
  ])('%s does not cover %j', (pattern, name) => {
    expect(covers(pattern, name)).toBe(false);
    expect(mostSpecific([{ match: pattern }], name)).toBeUndefined();
  });
});

describe('text that is no pattern', () => {
  test.each([
    ['', 'no repository'],
    ['docker.io', 'no repository'],
    ['*', 'no repository'],
    ['docker.io/', 'an empty segment'],
    ['/library', 'an empty segment'],
    ['docker.io//a', 'an empty segment'],
    ['docker.io/**a', 'a whole path segment'],
    ['docker.io/a**', 'a whole path segment'],
    ['docker.io/***', 'a whole path segment'],
    ['docker.io/**/**', '** follows **'],
    ['Docker.io/a', 'lower case'],
    ['docker.io/Team/*', 'lower case'],
    ['docker.io/a%2f*', 'a character that names cannot have'],
    ['docker.io/a?*', 'a character that names cannot have'],
    ['docker.io/a:*', 'a character that names cannot have'],
    ['dock_er*/a', 'a character that names cannot have'],
    ['-docker.io/a', 'must be a registry name'],
    ['docker.io/..', 'not valid in a repository name'],
    ['docker.io/a b', 'not valid in a repository name'],
    ['docker.io/[ab]', 'not valid in a repository name'],
    ['docker.io/(a+)+', 'not valid in a repository name'],
    [`docker.io/${'a'.repeat(250)}`, 'longer than 255'],
  ])('%j: %s', (text, fault) => {
    expect(patternFault(text)).toContain(fault);
    expect(() => compilePattern(text)).toThrow(RangeError);
  });
});

test('which registries a pattern can speak of', () => {
  expect(coversRegistry(compilePattern('**'), 'docker.io')).toBe(true);
  expect(coversRegistry(compilePattern('*.io/**'), 'docker.io')).toBe(true);
  expect(coversRegistry(compilePattern('docker.io/a'), 'docker.io')).toBe(true);
  expect(coversRegistry(compilePattern('quay.io/a'), 'docker.io')).toBe(false);
});

describe('specificity', () => {
  test('the order of the contract, the most specific first', () => {
    const ordered = [
      'docker.io/library/alpine',
      'docker.io/library/alp*ne',
      'docker.io/library/al*e',
      'docker.io/library/l*',
      'docker.io/library/*',
      'docker.io/library/**/alpine',
      'docker.io/library/**',
      'docker.io/l*/alpine',
      'docker.io/*/alpine',
      'docker.io/*/*',
      'docker.io/**/alpine',
      'docker.io/**',
      'docker*/library/alpine',
      '*/library/alpine',
      '**/alpine',
      '**',
    ];
    const byRank = (a: string, b: string) => compareSpecificity(compilePattern(a), compilePattern(b));
    expect([...ordered].reverse().sort(byRank)).toEqual(ordered);
    expect([...ordered].sort().sort(byRank)).toEqual(ordered);
  });

  test('a literal comes before a star with more characters; what goes on before what ends', () => {
    const first = (a: string, b: string) => compareSpecificity(compilePattern(a), compilePattern(b)) < 0;
    expect(first('docker.io/a', 'docker.io/abcdef*')).toBe(true);
    expect(first('docker.io/ab*', 'docker.io/a**'.replace('**', '*'))).toBe(true);
    expect(first('docker.io/a/**', 'docker.io/a')).toBe(true);
    expect(first('docker.io/a/b', 'docker.io/a')).toBe(true);
    expect(first('docker.io/a*b', 'docker.io/*abc*')).toBe(false);
    expect(first('docker.io/*a*b*', 'docker.io/ab*')).toBe(true);
  });

  test('two that are equal otherwise: the text that is smaller by character code, whatever the order', () => {
    const [a, b] = [{ match: 'docker.io/team/ab*' }, { match: 'docker.io/team/a*b' }];
    expect(mostSpecific([a, b], 'docker.io/team/abb')).toBe(b);
    expect(mostSpecific([b, a], 'docker.io/team/abb')).toBe(b);
  });

  test('the most specific of those that cover the name, not of all', () => {
    const items = [{ match: 'docker.io/**' }, { match: 'docker.io/library/alpine' }, { match: '**' }];
    expect(mostSpecific(items, 'docker.io/team/app')).toBe(items[0]);
    expect(mostSpecific(items, 'quay.io/team/app')).toBe(items[2]);
    expect(mostSpecific(items, 'docker.io/library/alpine')).toBe(items[1]);
    expect(mostSpecific([], 'docker.io/library/alpine')).toBeUndefined();
  });
});

/** The definition, one character and one segment at a time, with no thought for speed. */
function naiveMatch(pattern: readonly string[], name: readonly string[]): boolean {
  const [head, ...rest] = pattern;
  if (head === undefined) return name.length === 0;
  if (head === '**') {
    if (rest.length === 0) return name.length > 0;
    return naiveMatch(rest, name) || (name.length > 0 && naiveMatch(pattern, name.slice(1)));
  }
  const [first, ...others] = name;
  return first !== undefined && naiveSegment(head, first) && naiveMatch(rest, others);
}

function naiveSegment(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    return naiveSegment(pattern.slice(1), text) || (text !== '' && naiveSegment(pattern, text.slice(1)));
  }
  return text !== '' && pattern[0] === text[0] && naiveSegment(pattern.slice(1), text.slice(1));
}

const word = (chars: readonly string[], max: number) =>
  fc.array(fc.constantFrom(...chars), { minLength: 1, maxLength: max }).map((list) => list.join(''));
const names = fc.array(word(['a', 'b'], 3), { minLength: 2, maxLength: 6 }).map((list) => list.join('/'));
const patterns = fc
  .array(fc.oneof(word(['a', 'b', '*'], 4), fc.constant('**')), { minLength: 1, maxLength: 6 })
  .map((list) => list.join('/'))
  .filter((text) => patternFault(text) === undefined);

describe('whether a pattern covers all of another', () => {
  test.each([
    ['docker.io/library/alpine', 'docker.io/library/alpine', true],
    ['docker.io/library/*', 'docker.io/library/alpine', true],
    ['docker.io/library/alpine', 'docker.io/library/*', false],
    ['docker.io/**', 'docker.io/library/*', true],
    ['docker.io/*', 'docker.io/**', false],
    ['docker.io/**', 'docker.io/**', true],
    ['**', 'docker.io/**', true],
    ['docker.io/**', '**', false],
    ['docker.io/**/app', 'docker.io/team/**/app', true],
    ['docker.io/*/app', 'docker.io/**/app', false],
    ['docker.io/team/**', 'docker.io/team', false],
    ['docker.io/a*', 'docker.io/a*b', true],
    ['docker.io/a*b', 'docker.io/a*', false],
    ['*.example.com/**', 'eu.example.com/team/**', true],
  ])('%s, all of %s: %p', (outer, inner, expected) => {
    expect(coversAll(compilePattern(outer), compilePattern(inner))).toBe(expected);
  });
});

describe('properties', () => {
  const runs = { numRuns: 3000 };

  test('matching agrees with the naive definition', () => {
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        expect(covers(pattern, name)).toBe(naiveMatch(pattern.split('/'), name.split('/')));
      }),
      runs,
    );
  });

  test('no text makes the compiler or the matcher throw anything but its RangeError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), names, (text, name) => {
        if (patternFault(text) === undefined) expect(typeof covers(text, name)).toBe('boolean');
        else expect(() => compilePattern(text)).toThrow(RangeError);
        if (covers('**', text)) expect(text).toMatch(/^[a-z0-9.:[\]-]+(?:\/[a-z0-9._-]+)+$/);
      }),
      runs,
    );
  });

  test('a pattern that covers all of another covers each name the other covers', () => {
    fc.assert(
      fc.property(patterns, patterns, names, (outer, inner, name) => {
        if (!coversAll(compilePattern(outer), compilePattern(inner))) return;
        if (covers(inner, name)) expect(covers(outer, name)).toBe(true);
      }),
      runs,
    );
  });

  test('specificity is a strict total order', () => {
    fc.assert(
      fc.property(patterns, patterns, patterns, (...texts) => {
        const [a, b, c] = texts.map(compilePattern) as [never, never, never];
        expect(Math.sign(compareSpecificity(a, b))).toBe(-Math.sign(compareSpecificity(b, a)) + 0);
        expect(compareSpecificity(a, b) === 0).toBe(texts[0] === texts[1]);
        if (compareSpecificity(a, b) <= 0 && compareSpecificity(b, c) <= 0) {
          expect(compareSpecificity(a, c)).toBeLessThanOrEqual(0);
        }
      }),
      runs,
    );
  });

  test('which rule wins never depends on the order of the file', () => {
    const lists = fc.uniqueArray(patterns, { minLength: 1, maxLength: 8 });
    const shuffled = lists.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, names, ([list, other], name) => {
        const pick = (texts: readonly string[]) =>
          mostSpecific(
            texts.map((match) => ({ match })),
            name,
          )?.match;
        const winner = pick(list);
        expect(pick(other)).toBe(winner);
        const covering = list.filter((text) => covers(text, name)).map(compilePattern);
        expect(covering.sort(compareSpecificity)[0]?.text).toBe(winner);
      }),
      runs,
    );
  });
});

test('the longest pattern with the most stars takes time in proportion to the name', () => {
  const hard = compilePattern(`docker.io/${'a*'.repeat(60)}b/**/${'*a/'.repeat(20)}**/x`);
  const name = (length: number) => `docker.io/${'a'.repeat(length)}/${'a/'.repeat(length / 4)}y`;
  const match = (length: number) => {
    for (let run = 0; run < 100; run += 1) expect(matches(hard, name(length))).toBe(false);
  };
  expect(growth(match, 40, 160)).toBeLessThan(10);
});
