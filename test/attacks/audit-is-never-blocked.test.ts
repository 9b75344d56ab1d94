/** A fault of ours while trust is looked up or looked at: `audit` lets the pull through, `enforce` refuses with `internal`. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { TrustOutcome } from '../../proxy/policy/types.ts';
import type { PullDeps } from '../../proxy/pull/types.ts';
import type { VerifiedTrust } from '../../proxy/trust-client/types.ts';
import {
  ask,
  BASIC,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  startProxy,
  verified,
} from '../pull/harness.ts';

const IMAGE = manifest('m');
const PATH = '/v2/library/app/manifests/1.0';

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

function fault(): never {
  throw new RangeError('Maximum call stack size exceeded');
}

/** Verified trust of which one part fails when it is looked at. */
function broken(part: Partial<VerifiedTrust>): PullDeps['trustFor'] {
  const outcome = verified('docker.io/library/app', {}) as Extract<TrustOutcome, { kind: 'verified' }>;
  return async () => ({ ...outcome, trust: { ...outcome.trust, ...part } });
}

const FAULTS: readonly [string, PullDeps['trustFor']][] = [
  ['throws before it gives a promise', fault],
  ['rejects', () => Promise.reject(new TypeError('x'))],
  ['rejects with a RangeError', async () => fault()],
  ['rejects with nothing', () => Promise.reject(undefined)],
  ['gives data whose lookup throws', broken({ target: fault })],
  ['gives data without an expiry', broken({ expires: undefined as unknown as Date })],
];

async function start(options: ProxyOptions): Promise<RunningProxy> {
  const proxy = await startProxy({
    handler: (_req, res) => {
      res.writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': IMAGE.digest });
      res.end(IMAGE.bytes);
    },
    ...options,
  });
  running.push(proxy);
  return proxy;
}

describe.each(FAULTS)('a trust lookup that %s', (_name, trustFor) => {
  test('passes under audit, and the record says what enforce would say', async () => {
    const { port, records, errors } = await start({ rules: [rule({ mode: 'audit' })], trustFor });
    const reply = await ask(port, PATH);
    expect([reply.status, reply.body]).toEqual([200, IMAGE.bytes]);
    expect(records.map(({ reason, would }) => [reason, would])).toEqual([['audit', 'internal']]);
    expect(errors).toHaveLength(1);
  });

  test('is refused under enforce, as a fault of ours', async () => {
    const { port, upstream, records } = await start({ trustFor });
    const reply = await ask(port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([500, 'internal']);
    expect(records.map(({ reason }) => reason)).toEqual(['internal']);
    expect(upstream.received).toEqual([]);
  });
});

test('names to suggest that cannot be looked up: the tag is refused without them', async () => {
  const { port, upstream, errors } = await start({ trustFor: broken({ tagsNear: fault }), auth: BASIC });
  const reply = await ask(port, PATH);
  expect([reply.status, errorOf(reply).detail['reason']]).toEqual([403, 'unsigned_tag']);
  expect(upstream.received).toEqual([]);
  expect(errors).toHaveLength(1);
});
