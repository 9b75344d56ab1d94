import { describe, expect, test } from '@jest/globals';
import { areUnambiguous, hasTooManyValues, parseMembers } from '../../proxy/content/json-members.ts';

function parse(text: string | Buffer): Record<string, unknown> | undefined {
  const members = parseMembers(Buffer.from(text as string));
  return members && Object.fromEntries(members);
}

describe('members of an object', () => {
  test.each<[string, Record<string, unknown>]>([
    ['{}', {}],
    [' {"a":1,"b":[{"c":2,"c":3}],"c":{"a":4}} ', { a: 1, b: [{ c: 3 }], c: { a: 4 } }],
    ['{"a":"}{\\"b\\":","b":"\\\\"}', { a: '}{"b":', b: '\\' }],
    ['{"a" \n:1,"b":["a","x:"]}', { a: 1, b: ['a', 'x:'] }],
    ['{"annotations":{"Config":"a","config":"b"}}', { annotations: { Config: 'a', config: 'b' } }],
    ['{"a":"a","b":["b"],"c":"a"}', { a: 'a', b: ['b'], c: 'a' }],
  ])('%s', (text, members) => {
    expect(parse(text)).toEqual(members);
  });

  test('a name that objects have of their own is a member like any other', () => {
    const members = parseMembers(Buffer.from('{"__proto__":1,"constructor":2}'));
    expect([...(members ?? [])]).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ]);
  });
});

describe('are refused', () => {
  test.each([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['two documents', '{}{}'],
    ['a byte order mark', '\ufeff{}'],
    ['a member said twice', '{"a":1,"b":2,"a":1}'],
    ['a member said twice, once in escapes', '{"a":1,"\\u0061":1}'],
    ['a member said twice in two cases', '{"digest":1,"Digest":1}'],
    ['a long s, which Go reads as s', '{"digest":1,"dige\u017ft":1}'],
    ['a Kelvin sign, which Go reads as k', '{"key":1,"\u212aey":1}'],
    ['a member after a text with an escaped quote', '{"x":"\\\\\\"","x":1}'],
    ['a member after a text that ends with a backslash', '{"x":"\\\\","x":1}'],
    ['a member whose name ends with a quote', '{"x\\"":1,"x\\"":2}'],
    ['a member whose name ends with a backslash', '{"x\\\\":1,"x\\\\":2}'],
    ['a member with white space behind its name', '{"x" \t\r\n:1,"x":2}'],
    ['a member of manifests in another spelling', '{"Config":1}'],
    ['a member of manifests with a long s', '{"layer\u017f":1}'],
    ['mediaType in lower case', '{"mediatype":1}'],
  ])('%s', (_name, text) => {
    expect(parse(text)).toBeUndefined();
  });

  test('bytes that are not UTF-8', () => {
    expect(parse(Buffer.from('{"a":"\xff"}', 'latin1'))).toBeUndefined();
  });
});

test('names are unambiguous when no two of them fold to one', () => {
  expect([areUnambiguous([]), areUnambiguous(['a', 'b']), areUnambiguous(['a', 'A'])]).toEqual([
    true,
    true,
    false,
  ]);
});

describe('values and names of a text', () => {
  test.each<[string, number]>([
    ['[1,2,3]', 3],
    ['{"a":1,"b":[]}', 5],
    ['[{},{}]', 4],
    ['{"a,b:[{":"}],:"}', 2],
    ['["a\\",,,","b\\\\",3]', 3],
    ['[[["', 3],
    ['["a\\', 1],
    ['no JSON, but :counted', 2],
  ])('%s: there are no more of them than %i', (text, count) => {
    const bytes = Buffer.from(text);
    expect([hasTooManyValues(bytes, count - 1), hasTooManyValues(bytes, count)]).toEqual([true, false]);
  });

  test('are 60,000 at most', () => {
    const list = (length: number) => Buffer.from(`[${'1,'.repeat(length - 1)}1]`);
    expect([hasTooManyValues(list(60_000)), hasTooManyValues(list(60_001))]).toEqual([false, true]);
    expect([
      parseMembers(Buffer.from(`{"a":${list(59_997)}}`))?.size,
      parse(`{"a":${list(60_000)}}`),
    ]).toEqual([1, undefined]);
  });
});
