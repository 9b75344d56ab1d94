import { expect, test } from '@jest/globals';
import type { Digest } from '../../proxy/names/reference.ts';
import { isAskedPart, isOneRange, namesDigest } from '../../proxy/wire/asked.ts';

const DIGEST = `sha256:${'a'.repeat(64)}` as Digest;

test.each([
  [`"${DIGEST}"`, true],
  [`W/"${DIGEST}"`, false],
  [`"other" , "${DIGEST}"`, true],
  [undefined, false],
  ['', false],
  ['*', false],
  [DIGEST, false],
  [`"${DIGEST.toUpperCase()}"`, false],
  [`w/"${DIGEST}"`, false],
  [`"x${DIGEST}"`, false],
])('If-None-Match: %s', (value, expected) => {
  expect(namesDigest(value, DIGEST)).toBe(expected);
});

test.each([
  ['bytes=0-', true],
  ['bytes=5-9', true],
  ['Bytes = 5-9', true],
  ['bytes=-5', true],
  ['bytes=0-1,3-4', false],
  ['items=0-1', false],
  ['xbytes=0-1', false],
  [`bytes=${'1'.repeat(16)}-`, false],
  ['', false],
  [undefined, false],
])('one range: %s', (value, expected) => {
  expect(isOneRange(value)).toBe(expected);
});

test.each([
  ['bytes=0-', 'bytes 0-9/10', true],
  ['bytes=5-', 'bytes 5-9/10', true],
  ['bytes=10-19', 'bytes 10-19/100', true],
  ['bytes=5-7', 'bytes 5-7/10', true],
  ['bytes=5-5', 'bytes 5-5/10', true],
  ['bytes=5-700', 'bytes 5-9/10', true],
  ['bytes=5-', 'bytes 5-7/10', true],
  ['bytes=5-', 'bytes 5-9/*', true],
  ['bytes=-3', 'bytes 7-9/10', true],
  ['bytes=-30', 'bytes 0-9/10', true],
  ['bytes=5-', 'bytes 0-9/10', false],
  ['bytes=5-', 'bytes 6-9/10', false],
  ['bytes=5-7', 'bytes 5-8/10', false],
  ['bytes=5-', 'bytes 5-10/10', false],
  ['bytes=5-', 'bytes 9-5/10', false],
  ['bytes=9-', 'bytes 9-5/10', false],
  ['bytes=-3', 'bytes 6-9/10', false],
  ['bytes=-3', 'bytes 7-8/10', false],
  ['bytes=-3', 'bytes 7-9/*', false],
  ['bytes=-', 'bytes 0-9/10', false],
  ['bytes=0-1,5-6', 'bytes 0-1/10', false],
  [undefined, 'bytes 0-9/10', false],
  ['bytes=0-', undefined, false],
  ['bytes=0-', 'bytes */10', false],
  ['bytes=0-', 'bytes 0-9', false],
  ['bytes=0-', 'bytes 0-9/10, bytes 0-9/10', false],
])('%s and %s', (range, contentRange, expected) => {
  expect(isAskedPart(contentRange, range)).toBe(expected);
});
