import { describe, expect, test } from '@jest/globals';
import { toPage } from '../../proxy/wire/link.ts';
import { parseQuery } from '../../proxy/wire/query.ts';
import { quote } from '../../proxy/words.ts';

const KEYS = new Set(['ns', 'n', 'last', 'artifactType', 'page']);
const NOTHING = { ns: undefined, n: undefined, last: undefined, artifactType: undefined, page: undefined };

function read(text: string | undefined, allowed: ReadonlySet<string> = KEYS): unknown {
  const result = parseQuery(text, allowed);
  return result.kind === 'query' ? result.query : result.problem.code;
}

test('no query, and each parameter alone', () => {
  expect(parseQuery(undefined, KEYS)).toEqual({ kind: 'query', query: NOTHING });
  expect(read('n=0')).toEqual({ ...NOTHING, n: 0 });
  expect(read('n=123456789')).toEqual({ ...NOTHING, n: 123_456_789 });
  expect(read('last=1.0')).toEqual({ ...NOTHING, last: '1.0' });
  expect(read('last=')).toEqual(NOTHING);
  expect(read('last')).toEqual(NOTHING);
  expect(read('ns=quay.io%3A443')).toEqual({ ...NOTHING, ns: 'quay.io:443' });
  expect(read('ns=quay.io%3a443')).toEqual({ ...NOTHING, ns: 'quay.io:443' });
  expect(read('ns=%5B::1%5D%3A5000')).toEqual({ ...NOTHING, ns: '[::1]:5000' });
  expect(read('artifactType=a/b%2Bc')).toEqual({ ...NOTHING, artifactType: 'a/b+c' });
  expect(read(`page=${toPage('last=x&n=2')}`)).toEqual({ ...NOTHING, page: 'last=x&n=2' });
});

describe('what is refused', () => {
  test.each([
    ['an empty query', '', 'NAME_INVALID'],
    ['a parameter twice', 'n=1&n=1', 'NAME_INVALID'],
    ['an empty pair', 'n=1&', 'NAME_INVALID'],
    ['a value without a key', '=1', 'NAME_INVALID'],
    ['a key that is not known', 'N=1', 'NAME_INVALID'],
    ['an escaped key', '%6e=1', 'NAME_INVALID'],
    ['a registry that is none', 'ns=a/b', 'NAME_INVALID'],
    ['an empty registry', 'ns=', 'NAME_INVALID'],
    ['a key alone, where a value is needed', 'ns', 'NAME_INVALID'],
    ['an escape that no client needs', 'ns=%61.io', 'NAME_INVALID'],
    ['an escape of an escape', 'ns=quay.io%253A443', 'NAME_INVALID'],
    ['an escaped slash in a registry', 'ns=quay.io%2Fa', 'NAME_INVALID'],
    ['a number that is none', 'n=', 'NAME_INVALID'],
    ['a sign', 'n=-1', 'NAME_INVALID'],
    ['a fraction', 'n=1.5', 'NAME_INVALID'],
    ['letters before', 'n=x1', 'NAME_INVALID'],
    ['letters behind', 'n=1x', 'NAME_INVALID'],
    ['more than nine digits', 'n=1234567890', 'NAME_INVALID'],
    ['a tag that is none', 'last=.a', 'TAG_INVALID'],
    ['an escaped tag', 'last=%61', 'TAG_INVALID'],
    ['a media type without a slash', 'artifactType=a', 'NAME_INVALID'],
    ['a media type with two', 'artifactType=a/b/c', 'NAME_INVALID'],
    ['text before a media type', 'artifactType=%20a/b', 'NAME_INVALID'],
    ['text behind a media type', 'artifactType=a/b%20', 'NAME_INVALID'],
    ['a page this proxy never wrote', 'page=!', 'NAME_INVALID'],
    ['an empty page', 'page=', 'NAME_INVALID'],
  ])('%s: %s', (_name, text, code) => {
    expect(read(text)).toBe(code);
  });

  test('a parameter of another path', () => {
    expect(read('n=1', new Set(['ns']))).toBe('NAME_INVALID');
  });

  test('the message quotes what was sent', () => {
    expect(parseQuery('n=x', KEYS)).toMatchObject({ kind: 'refused', problem: { code: 'NAME_INVALID' } });
  });
});

test('text from outside is quoted in printable ASCII, and cut at 80 characters', () => {
  expect(quote('a b')).toBe('"a b"');
  expect(quote('a\r\nb\u00fc~')).toBe('"a??b?~"');
  expect(quote('x'.repeat(81))).toBe(`"${'x'.repeat(80)}"`);
});
