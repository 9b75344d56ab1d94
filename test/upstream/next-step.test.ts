/** What an operator is told when an upstream fails: which server it was, and the key that helps. */
import { describe, expect, test } from '@jest/globals';
import { toUpstreamError, type UpstreamError } from '../../proxy/upstream/errors.ts';
import { CONFIG_KEYS, explainFailure, nextStepAt } from '../../proxy/upstream/next-step.ts';

const KINDS = [
  ['registry', CONFIG_KEYS.registry],
  ['notary', CONFIG_KEYS.notary],
] as const;

describe.each(KINDS)('a failure of a %s', (_kind, keys) => {
  test('its own refused connection leads to its own address', () => {
    expect(explainFailure(failure('ECONNREFUSED', 'hub'), 'hub', keys)).toBe(
      `nothing listens there (ECONNREFUSED); see that it runs and that this host may connect to it, and check ${keys.address}`,
    );
  });

  test('a body that was cut off is its own, although no name was at hand', () => {
    const text = explainFailure(failure('ECONNRESET', 'the upstream'), 'hub', keys);
    expect(text).toMatch(/^the connection was cut \(ECONNRESET\); see that it runs/);
  });

  test('a refused connection of its token server names that server, and not its own address', () => {
    const text = explainFailure(failure('ECONNREFUSED', 'hub (token server)'), 'hub', keys);
    expect(text).toBe('hub (token server): cannot be reached: nothing listens there (ECONNREFUSED)');
  });

  test.each(['CERT_HAS_EXPIRED', 'SELF_SIGNED_CERT_IN_CHAIN'])(
    'a certificate (%s) leads to the authorities',
    (code) => {
      expect(explainFailure(failure(code, 'hub'), 'hub', keys)).toMatch(
        `; check that certificate, and ${keys.ca},`,
      );
    },
  );

  test('bytes that are not HTTP lead to its address', () => {
    const text = explainFailure(failure('HPE_INVALID_CONSTANT', 'hub'), 'hub', keys);
    expect(text).toMatch(`; check ${keys.address} and what stands before it`);
  });

  test('a request that was given up has no next step', () => {
    const gone = toUpstreamError(new Error('late'), 'hub', AbortSignal.abort());
    expect(explainFailure(gone, 'hub', keys)).toBe('the request was given up');
  });

  test.each([
    [401, `check ${keys.auth} in the configuration`],
    [403, `check ${keys.auth} in the configuration`],
    [500, 'see its log and what stands before it'],
    [503, 'see its log and what stands before it'],
    [302, `check ${keys.address} and what stands before it`],
    [499, `check ${keys.address} and what stands before it`],
  ])('status %i', (status, next) => {
    expect(nextStepAt(status, keys)).toBe(next);
  });
});

test('a limit of requests leads to the pace where the configuration has one', () => {
  expect(nextStepAt(429, CONFIG_KEYS.notary)).toMatch(/raise that limit, or trust\.refresh$/);
  expect(nextStepAt(429, CONFIG_KEYS.registry)).toMatch(/raise that limit$/);
});

function failure(code: string, server: string): UpstreamError {
  return toUpstreamError(Object.assign(new Error('failed'), { code }), server);
}
