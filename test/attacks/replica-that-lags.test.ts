/** Two honest replicas of which one is behind answer in turns: nothing verified is refused, nothing older is served. */
import { expect, test } from '@jest/globals';
import { createTrustCache } from '../../proxy/cache/trust-cache.ts';
import { createWorld, digestOf, FIRST_USE, GUN } from '../trust-client/kit.ts';

const SECOND_MS = 1_000;
const PULLS = 600;

test.each([
  ['request', 1],
  ['request', 10],
  ['request', 60],
  ['connection', 1],
  ['connection', 10],
  ['connection', 60],
])('in turns by %s, %s minutes behind: ten minutes of pulls', async (turns, minutes) => {
  const world = createWorld();
  const old = new Map(world.repository.files);
  world.now = new Date(world.now.getTime() + minutes * 60 * SECOND_MS);
  world.repository.addTag('3.20', digestOf('b'), 7);
  world.repository.publish();
  let requests = 0;
  let second = 0;
  const cache = createTrustCache({
    sourceFor: () => world.source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 5 * SECOND_MS,
    timeoutMs: 1_000,
    now: () => world.now,
  });
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified' });
  const isOld = (): boolean => (turns === 'request' ? requests : Math.floor(second / 7)) % 2 === 1;
  // Files by hash that only the new one has are absent on the old one, as a replica says it.
  for (const name of new Set([...old.keys(), ...world.repository.files.keys()])) {
    world.source.fault(name, {
      bytes: (honest) => {
        requests += 1;
        return isOld() ? old.get(name) : honest;
      },
    });
  }
  const counts = { served: 0, refused: 0, older: 0 };
  for (second = 0; second < PULLS; second += 1) {
    world.now = new Date(world.now.getTime() + SECOND_MS);
    const outcome = await cache.trustFor('docker.io', GUN);
    const digest = outcome.kind === 'verified' ? outcome.trust.target('3.20', world.now)?.digest : undefined;
    if (digest === digestOf('b')) counts.served += 1;
    else if (digest === undefined) counts.refused += 1;
    else counts.older += 1;
  }
  expect(counts).toEqual({ served: PULLS, refused: 0, older: 0 });
});
