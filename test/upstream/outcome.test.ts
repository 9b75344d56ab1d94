import { expect, test } from '@jest/globals';
import { UpstreamError, type UpstreamErrorKind } from '../../proxy/upstream/errors.ts';
import { outcomeOfError, outcomeOfStatus, UPSTREAM_OUTCOMES } from '../../proxy/upstream/outcome.ts';

test.each([
  [200, 'ok'],
  [206, 'ok'],
  [299, 'ok'],
  [304, 'ok'],
  [199, 'invalid'],
  [300, 'invalid'],
  [307, 'invalid'],
  [400, 'invalid'],
  [401, 'denied'],
  [403, 'denied'],
  [404, 'not_found'],
  [429, 'rate_limited'],
  [500, 'invalid'],
])('an answer %i counts as %s', (status, outcome) => {
  expect(outcomeOfStatus(status)).toBe(outcome);
});

test.each<[UpstreamErrorKind, string]>([
  ['unreachable', 'network'],
  ['bad_answer', 'invalid'],
  ['timeout', 'timeout'],
  ['too_large', 'too_large'],
  ['denied', 'denied'],
])('the error %s counts as %s', (kind, outcome) => {
  expect(outcomeOfError(new UpstreamError(kind, 'x'))).toBe(outcome);
  expect(UPSTREAM_OUTCOMES).toContain(outcome);
});
