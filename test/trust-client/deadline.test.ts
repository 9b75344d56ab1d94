import { expect, test } from '@jest/globals';
import { late, requireTime } from '../../proxy/trust-client/deadline.ts';
import { GUN } from './kit.ts';

test('time that ran out says of what, and how far it came', () => {
  const cause = new Error('x');
  expect(late(GUN)).toMatchObject({
    code: 'deadline_exceeded',
    fault: 'deadline',
    message: `trust data of ${GUN} was not verified in time`,
  });
  expect(late(GUN, 'did not arrive', cause)).toMatchObject({
    message: `trust data of ${GUN} did not arrive in time`,
    cause,
  });
});

test('is asked of a signal that is aborted, and of no other', () => {
  expect(() => requireTime(GUN, AbortSignal.abort(), 'did not arrive')).toThrow('did not arrive in time');
  expect(() => requireTime(GUN, undefined)).not.toThrow();
  expect(() => requireTime(GUN, new AbortController().signal)).not.toThrow();
});
