import { expect, test } from '@jest/globals';
import { MAX_RETRY_AFTER_SECONDS, retryAfterOf } from '../../proxy/upstream/retry-after.ts';

const NOW = Date.UTC(2026, 10, 26, 12, 0, 0);
const read = (...lines: string[]) => retryAfterOf(new Map([['retry-after', lines]]), NOW);

test.each([
  ['0', '0'],
  ['7', '7'],
  [' 7 ', '7'],
  ['007', '7'],
  [String(MAX_RETRY_AFTER_SECONDS), '3600'],
  ['3601', '3600'],
  ['1'.repeat(20), '3600'],
  ['1'.repeat(21), undefined],
  ['Thu, 26 Nov 2026 12:00:30 GMT', '30'],
  ['Thu, 26 Nov 2026 11:59:30 GMT', '0'],
  ['Thu, 26 Nov 2026 23:59:30 GMT', '3600'],
  ['Thursday, 26-Nov-26 12:00:30 GMT', undefined],
  ['Thu, 26 Nov 2026 12:00:30', undefined],
  ['Thu, 26 Nov 2026 12:00:30 GMT+1', undefined],
  ['on Thu, 26 Nov 2026 12:00:30 GMT', undefined],
  ['Thu, 99 Nov 2026 12:00:30 GMT', undefined],
  ['-1', undefined],
  ['+1', undefined],
  ['1.0', undefined],
  ['', undefined],
  ['soon', undefined],
])('Retry-After: %s', (value, expected) => {
  expect(read(value)).toBe(expected);
});

test('no line, and more than one, say nothing', () => {
  expect([retryAfterOf(new Map()), read('7', '7')]).toEqual([undefined, undefined]);
});
