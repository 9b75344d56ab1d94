/** The tests' own tool: whatever becomes of a test, the next one meets the bounds of the product. */
import { expect, test } from '@jest/globals';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { withLimits } from './lowered-limits.ts';

test('a bound is as it was after the call, also when it threw', () => {
  const { keys } = LIMITS;
  expect(() =>
    withLimits({ keys: 1 }, () => {
      throw new Error(String(LIMITS.keys));
    }),
  ).toThrow('1');
  expect(LIMITS.keys).toBe(keys);
});
