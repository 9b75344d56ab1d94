/** Keys whose replacement was seen are never believed again, and lag of an honest server takes nothing away. */
import { expect, test } from '@jest/globals';
import { createTrustCache, type TrustCache } from '../../proxy/cache/trust-cache.ts';
import { unreachable } from '../simulators/simulated-source.ts';
import { createWorld, digestOf, FIRST_USE, fileOf, GUN, record, type World } from '../trust-client/kit.ts';

function cacheOf(world: World): TrustCache {
  return createTrustCache({
    sourceFor: () => world.source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 60_000,
    timeoutMs: 1000,
    now: () => world.now,
  });
}

function pass(world: World, ms: number): void {
  world.now = new Date(world.now.getTime() + ms);
}

test.each(['snapshot', 'timestamp'])('roots are seen while the %s is not answered', async (silent) => {
  const world = createWorld();
  const cache = cacheOf(world);
  await cache.trustFor('docker.io', GUN);
  const replay = record(world);
  for (const role of ['targets', 'timestamp', 'snapshot']) world.repository.rotateKey(role);
  world.source.fault(silent, { error: unreachable() });
  pass(world, 60_000);
  // The old answer is under keys that were replaced: an outage does not carry it.
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'failed' });
  expect((await world.state.load(GUN))?.roots).toHaveLength(4);
  world.source.clearFaults();
  replay();
  pass(world, 60_000);
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'failed' });
});

test('a root is kept although one that was asked for beside it failed', async () => {
  const world = createWorld();
  await world.resolve();
  for (const role of ['targets', 'timestamp', 'snapshot']) world.repository.rotateKey(role);
  world.source.fault('4.root', { error: unreachable() });
  await expect(world.resolve()).rejects.toMatchObject({ code: 'trust_unreachable' });
  expect((await world.state.load(GUN))?.roots).toHaveLength(3);
});

test('a replica that lags behind a revocation: the newer answer is served, the older one never', async () => {
  const world = createWorld();
  const cache = cacheOf(world);
  world.repository.addTag('2', digestOf('b'), 7);
  world.repository.publish();
  await cache.trustFor('docker.io', GUN);
  const lag = record(world);
  world.repository.removeTag('2');
  world.repository.publish();
  const newest = record(world);
  pass(world, 60_000);
  await cache.trustFor('docker.io', GUN);
  for (const serve of [lag, newest, lag, lag]) {
    serve();
    pass(world, 60_000);
    const outcome = await cache.trustFor('docker.io', GUN);
    if (outcome.kind === 'failed') throw outcome.error;
    expect(outcome.trust.target('3.20', world.now)?.digest).toBe(digestOf('a'));
    expect(outcome.trust.target('2', world.now)).toBeUndefined();
  }
});

test('a replica that does not know a rotated timestamp key yet', async () => {
  const world = createWorld();
  const cache = cacheOf(world);
  await cache.trustFor('docker.io', GUN);
  const lag = record(world);
  world.repository.rotateKey('timestamp');
  pass(world, 60_000);
  await cache.trustFor('docker.io', GUN);
  lag();
  // As after a restart.
  expect(await cacheOf(world).trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified', path: 'stale' });
});

test('the next root is on one replica only, and the keys of all other roles are still in force', async () => {
  const world = createWorld();
  const cache = cacheOf(world);
  await cache.trustFor('docker.io', GUN);
  const lag = record(world);
  world.repository.rotateKey('root');
  const next = fileOf(world, '2.root');
  lag();
  world.source.fault('2.root', { bytes: next });
  pass(world, 60_000);
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified', path: 'stale' });
  expect((await world.state.load(GUN))?.roots).toHaveLength(2);
});

test('a silent server: one pull waits for a while, the others are answered at once', async () => {
  const world = createWorld();
  const cache = cacheOf(world);
  await cache.trustFor('docker.io', GUN);
  world.source.fault('*', { delay: new Promise(() => undefined) });
  pass(world, 60_000);
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified', path: 'stale' });
  pass(world, 60_000);
  // In turns of the loop alone, before any timer of seconds: how many depends on what else the process does.
  const answer = cache.trustFor('docker.io', GUN);
  expect(await Promise.race([answer, turns(5000)])).toMatchObject({ kind: 'verified', path: 'stale' });
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}
