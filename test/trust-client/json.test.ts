/** Strict parsing and canonical form: notary-semantics.md §5.1 and §14. */
import { describe, expect, test } from '@jest/globals';
import { encodeCanonical } from '../../proxy/trust-client/canonical-json.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { type JsonValue, NumberLiteral, parseStrictJson } from '../../proxy/trust-client/strict-json.ts';
import { withLimits } from './lowered-limits.ts';

function parse(text: string | Uint8Array): JsonValue {
  return parseStrictJson(typeof text === 'string' ? Buffer.from(text) : text, 'targets');
}

function canonicalHex(text: string): string {
  return Buffer.from(encodeCanonical(parse(text))).toString('hex');
}

describe('what a strict reader refuses', () => {
  test.each([
    ['nothing', ''],
    ['white space only', '  \n'],
    ['text after the end', '{} {}'],
    ['a name twice', '{"a":1,"a":1}'],
    ['a name twice through an escape', '{"a":1,"\\u0061":2}'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['a trailing comma in an array', '[1,]'],
    ['a missing colon', '{"a" 1}'],
    ['a missing comma', '[1 2]'],
    ['an unquoted name', '{a:1}'],
    ['a name that only ends with a quote', '{xa":1}'],
    ['single quotes', "{'a':1}"],
    ['an open object', '{"a":1'],
    ['an open array', '[1'],
    ['an open string', '"abc'],
    ['an open string after an escape', '"abc\\n'],
    ['a raw newline in a string', '"a\nb"'],
    ['a raw control character after an escape', '"\\n\u0001"'],
    ['an unknown escape', '"\\x41"'],
    ['a short \\u escape', '"\\u12"'],
    ['a \\u escape with other letters', '"\\u00eg"'],
    ['a \\u escape with a sign', '"\\u+0e9"'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['a bare point', '1.'],
    ['a bare minus', '-'],
    ['a number beyond every range', '1e400'],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
    ['a comment', '/* */ 1'],
    ['a word', 'nul'],
  ])('%s', (_what, text) => {
    expect(() => parse(text)).toThrow(TrustError);
  });

  test('nothing of 9,000 values, which are written in pieces', () => {
    const text = `[${'1,'.repeat(9_000)}1]`;
    expect(Buffer.from(encodeCanonical(parse(text))).toString()).toBe(text);
  });

  test('nothing of 9,000 escapes, which are read in pieces', () => {
    expect(parse(`"${'a\\n'.repeat(9_000)}"`)).toBe('a\n'.repeat(9_000));
  });

  test('a byte order mark', () => {
    expect(() => parse(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toThrow(/expected a value/);
  });

  test('bytes that are not UTF-8', () => {
    expect(() => parse(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not UTF-8/);
  });

  test('nesting beyond the limit, and nothing below it', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(LIMITS.jsonDepth))).toEqual(expect.anything());
    expect(() => parse(nested(LIMITS.jsonDepth + 1))).toThrow(/nesting deeper/);
    expect(() => parse('['.repeat(1_000_000))).toThrow(/nesting deeper/);
  });

  test('the error names the file and carries a closed code', () => {
    expect(() => parse('{')).toThrow(
      expect.objectContaining({ code: 'metadata_invalid', fault: 'format', role: 'targets' }),
    );
  });
});

describe('what it keeps', () => {
  test('"__proto__" is a name like any other', () => {
    const value = parse('{"__proto__":{"x":1},"constructor":2}') as Map<string, JsonValue>;
    expect([...value.keys()]).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(value)).toBe(Map.prototype);
  });

  test.each(['1.0', '1e0', '-0', '9007199254740993', '10000000000000000'])(
    '%s is no plain integer',
    (text) => {
      expect(parse(text)).toBeInstanceOf(NumberLiteral);
    },
  );

  test.each([
    ['0', 0],
    ['-1', -1],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is one', (text, value) => {
    expect(parse(text)).toBe(value);
  });

  test.each([' ', '\n', '\r', '\t'])('%j between values', (space) => {
    expect(parse(['', '[', '1', ',', '2', ']', ''].join(space))).toEqual([1, 2]);
  });

  test.each(['\v', '\f', '\u00a0', '\u2028'])('%j is no white space', (other) => {
    expect(() => parse(`[${other}]`)).toThrow(TrustError);
  });

  test('every escape', () => {
    expect(parse('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"')).toBe('"\\/\b\f\n\r\té😀');
  });
});

describe('bounds, lowered to a few', () => {
  const malformed = expect.objectContaining({ fault: 'format', role: 'targets' });

  test.each([
    ['values', { jsonValues: 4 }, '[1,{"a":2}]', '[1,{"a":2},3]'],
    ['values in an object', { jsonValues: 3 }, '{"a":1,"b":""}', '{"a":1,"b":"","c":null}'],
    ['levels', { jsonDepth: 2 }, '[{"a":1},[2]]', '[{"a":[1]}]'],
    ['levels, one list after another', { jsonDepth: 2 }, '[[],[],[],{},{}]', '[[],[],[[]]]'],
    ['characters of a number', { numberCharacters: 3 }, '[123,1e9,-12]', '[1234]'],
    ['characters of a number with a sign', { numberCharacters: 3 }, '-12', '-123'],
  ])('of as many %s as the bound is read, and refused above it', (_what, limits, most, more) => {
    expect(withLimits(limits, () => parse(most))).toBeDefined();
    expect(() => withLimits(limits, () => parse(more))).toThrow(malformed);
    expect(parse(more)).toBeDefined();
  });

  test('a string of many escapes is the same however its pieces are joined', () => {
    const text = 'é"\\\n'.repeat(6000);
    expect(parse(JSON.stringify([text]))).toEqual([text]);
  });
});

describe('canonical form: the check vectors of notary-semantics.md §5.1', () => {
  test.each([
    ['{"b":1,"a":[true,null,"x"]}', '7b2261223a5b747275652c6e756c6c2c2278225d2c2262223a317d'],
    [
      '{"s":"a\\u003cb\\u0026\\u2028\\n\\t\\"\\\\\\/\\u0001\\u007f"}',
      '7b2273223a22613c6226e280a80a095c225c5c2f017f227d',
    ],
    ['["\\ud800x"]', '5b22efbfbd78225d'],
  ])('%s', (text, hex) => {
    expect(canonicalHex(text)).toBe(hex);
  });

  test('numbers are printed as 64-bit integers', () => {
    const bytes = encodeCanonical(parse('[1.0,1e3,-0,-1,9007199254740993]'));
    expect(Buffer.from(bytes).toString()).toBe('[1,1000,0,-1,9007199254740992]');
  });

  test('names are sorted by their UTF-8 bytes, not by UTF-16 units', () => {
    const bytes = encodeCanonical(parse('{"\\ud83d\\ude00":1,"\\ufb33":2,"A":3,"a":4,"":5,"_":6}'));
    expect(Buffer.from(bytes).toString()).toBe('{"":5,"A":3,"_":6,"a":4,"\ufb33":2,"😀":1}');
  });

  test.each(['[1.5]', '[1e300]', '[9223372036854775808]'])('%s cannot be signed', (text) => {
    expect(() => encodeCanonical(parse(text))).toThrow(RangeError);
  });

  test.each([
    ['"\\\\"', '"\\\\"'],
    ['"\\""', '"\\""'],
    ['"\\/"', '"/"'],
  ])('%s', (text, canonical) => {
    expect(Buffer.from(encodeCanonical(parse(text))).toString()).toBe(canonical);
  });

  test('empty containers', () => {
    expect(Buffer.from(encodeCanonical(parse(' { "a" : [ ] , "b" : { } } '))).toString()).toBe(
      '{"a":[],"b":{}}',
    );
  });
});
