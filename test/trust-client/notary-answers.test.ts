/** Which answers are Notary's own word, and which are those of something that stands in its place. */
import { describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { isMetadataForm, isNotFoundEnvelope, memberOf } from '../../proxy/trust-client/notary-answers.ts';
import { withLimits } from './lowered-limits.ts';

const envelope = (...codes: unknown[]) => JSON.stringify({ errors: codes.map((code) => ({ code })) });

test.each<[string, boolean]>([
  [envelope('METADATA_NOT_FOUND'), true],
  [envelope('GENERIC_NOT_FOUND'), true],
  [envelope('NOT_FOUND', 'METADATA_NOT_FOUND'), true],
  [envelope(), false],
  [envelope('NAME_UNKNOWN'), false],
  [envelope('NOT_FOUND', 'DENIED'), false],
  [envelope(404), false],
  ['{"errors":["NOT_FOUND"]}', false],
  ['{"errors":[null]}', false],
  ['{"errors":{"code":"NOT_FOUND"}}', false],
  ['{"errors":null}', false],
  ['{"__proto__":{"errors":[{"code":"NOT_FOUND"}]}}', false],
  ['[{"code":"NOT_FOUND"}]', false],
  ['<html>', false],
  ['', false],
])('404 with %s: not found is Notary’s word: %s', (text, isNotFound) => {
  expect(isNotFoundEnvelope(Buffer.from(text))).toBe(isNotFound);
});

test('members are an object’s own', () => {
  const inherited = Object.create({ name: 1 }) as object;
  expect([memberOf({ name: 1 }, 'name'), memberOf(inherited, 'name'), memberOf(null, 'name')]).toEqual([
    1,
    undefined,
    undefined,
  ]);
});

describe('metadata has the form of an object', () => {
  test.each<[string, boolean]>([
    ['{}', true],
    [' {"a":1}\n', true],
    ['[]', false],
    ['null', false],
    ['"a"', false],
    ['{"a":1', false],
    ['<html>{}</html>', false],
    ['', false],
  ])('%s: %s', (text, isForm) => {
    expect(isMetadataForm(Buffer.from(text))).toBe(isForm);
  });

  test('an answer up to the size of a root is read as a whole, a larger one by its ends', () => {
    const bytes = Buffer.from('{"signed":{},"signatures":[}');
    expect(withLimits({ rootBytes: bytes.length }, () => isMetadataForm(bytes))).toBe(false);
    expect(withLimits({ rootBytes: bytes.length - 1 }, () => isMetadataForm(bytes))).toBe(true);
  });

  /** A text longer than what is parsed, between these ends. */
  const long = (start: string, end: string) => Buffer.from(start + 'x'.repeat(LIMITS.rootBytes + 1) + end);

  test.each<[string, string, boolean]>([
    ['{', '}', true],
    [' \t\r\n{', '} \t\r\n', true],
    ['[', ']', false],
    ['{', '', false],
    ['', '}', false],
    ['<html>{', '}', false],
    ['{', '}</html>', false],
    ['\u000b{', '}', false],
    ['{', '}\u000c', false],
  ])('a long text by its ends alone: %j … %j: %s', (start, end, isForm) => {
    expect(isMetadataForm(long(start, end))).toBe(isForm);
  });

  test('a brace is looked for in 1 MiB at each end', () => {
    const spaces = (count: number) => ' '.repeat(count);
    const most = LIMITS.timestampBytes;
    const between = (before: number, after: number) =>
      isMetadataForm(Buffer.from(`${spaces(before)}{${spaces(8)}}${spaces(after)}`));
    expect([between(most, 0), between(most + 1, 0)]).toEqual([true, false]);
    expect([between(0, most), between(0, most + 1)]).toEqual([true, false]);
    expect(isMetadataForm(Buffer.alloc(4 * most, 0x20))).toBe(false);
  });
});
