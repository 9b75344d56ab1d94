/**
 * A registry's trust server that takes every question and answers none, whether it means to or not. Whoever asks for its
 * repositories waits; those of other registries are answered as ever, also at first contact, also to the same client.
 */
import { expect, test } from '@jest/globals';
import { createTrustCache } from '../../proxy/cache/trust-cache.ts';
import type { TrustSource } from '../../proxy/trust-client/types.ts';
import { createWorld, FIRST_USE, GUN } from '../trust-client/kit.ts';

const TIMEOUT_MS = 3_000;

/** Until it is given up. */
const silent: TrustSource = {
  fetch: (_gun, _file, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
};

function start() {
  const world = createWorld();
  const under: Promise<unknown>[] = [];
  const cache = createTrustCache({
    sourceFor: (registry) => (registry === 'docker.io' ? world.source : silent),
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 60_000,
    timeoutMs: TIMEOUT_MS,
    now: () => world.now,
  });
  /** Forty repositories of a registry whose trust server hangs. */
  const flood = (registry: string, client: string): void => {
    for (let at = 0; at < 40; at += 1)
      under.push(cache.trustFor(registry, `${registry}/team/app-${at}` as typeof GUN, client));
  };
  return { cache, flood, firstEnd: () => Promise.race(under), ended: () => Promise.all(under) };
}

test.each<[string, (flood: ReturnType<typeof start>['flood']) => void, string]>([
  ['the same client', (flood) => flood('hangs.example', '10.0.0.1'), '10.0.0.1'],
  [
    'another client, while several ask there',
    (flood) => {
      for (let client = 1; client <= 5; client += 1) flood('hangs.example', `10.0.0.${client}`);
    },
    '10.0.0.9',
  ],
  [
    'another client, while three hang',
    (flood) => {
      for (let client = 1; client <= 9; client += 1) flood(`hangs-${client % 3}.example`, `10.0.0.${client}`);
    },
    '10.0.0.9',
  ],
])('a first pull from another registry is answered at once for %s', async (_who, begin, client) => {
  const { cache, flood, firstEnd, ended } = start();
  begin(flood);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const answer = await Promise.race([cache.trustFor('docker.io', GUN, client), firstEnd()]);
  expect(answer).toMatchObject({ kind: 'verified' });
  await ended();
});
