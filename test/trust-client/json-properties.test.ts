/** Strict parsing and canonical form, for every input: notary-semantics.md §5.1 and §14. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeCanonical } from '../../proxy/trust-client/canonical-json.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { type JsonValue, NumberLiteral, parseStrictJson } from '../../proxy/trust-client/strict-json.ts';

function parse(text: string): JsonValue {
  return parseStrictJson(Buffer.from(text), 'targets');
}

function toPlain(value: JsonValue): unknown {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([name, item]) => [name, toPlain(item)]));
  if (Array.isArray(value)) return value.map(toPlain);
  return value instanceof NumberLiteral ? Number(value.text) : value;
}

describe('JSON', () => {
  test('agrees with JSON.parse on everything JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(toPlain(parse(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('never accepts what JSON.parse refuses, and throws nothing but TrustError', () => {
    const fragment = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'a',
      '1',
      '-',
      '.',
      'e',
      'true',
      ' ',
      '\u0000',
      'é',
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TrustError);
          return;
        }
        expect(() => JSON.parse(text)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  test('canonical form does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (members) => {
        const forward = JSON.stringify(Object.fromEntries(Object.entries(members)));
        const backward = JSON.stringify(Object.fromEntries(Object.entries(members).reverse()));
        expect(encodeCanonical(parse(forward))).toEqual(encodeCanonical(parse(backward)));
      }),
    );
  });
});
