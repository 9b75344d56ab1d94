/** One question for many askers, answers that age, and outages that are carried only by what was proved. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { COLD_LIMITS } from '../../proxy/cache/cold-queue.ts';
import { createTrustCache, type TrustCache } from '../../proxy/cache/trust-cache.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { createWorld, DAY_MS, digestOf, FIRST_USE, GUN, type World } from '../trust-client/kit.ts';

let world: World;
let cache: TrustCache;
let events: string[];
let monotonic = 0;

beforeEach(() => {
  world = createWorld();
  events = [];
  cache = startCache();
});

/** A cache over the world's server and state, as a newly started proxy has it. */
function startCache(timeoutMs = 1000): TrustCache {
  return createTrustCache({
    sourceFor: () => world.source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 60_000,
    timeoutMs,
    now: () => world.now,
    monotonic: () => monotonic,
    observer: {
      cache: (result) => events.push(result),
      shared: () => events.push('shared'),
      updated: (_registry, _trust, result) => events.push(result),
      failed: (_registry, { code }) => events.push(code),
    },
  });
}

function ask() {
  return cache.trustFor('docker.io', GUN);
}

function pass(ms: number): void {
  world.now = new Date(world.now.getTime() + ms);
}

function breakServer(): void {
  const error = new TrustError('trust_unreachable', 'unreachable', 'the trust server is down');
  world.source.fault('*', { error });
}

function takeEvents(): readonly string[] {
  return events.splice(0);
}

describe('freshness', () => {
  test('a verified answer is used for the refresh interval, then the timestamp is asked for again', async () => {
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'cold' });
    pass(59_999);
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'cache' });
    pass(1);
    world.source.takeRequests();
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'cold' });
    expect(world.source.takeRequests()).toContain('timestamp');
    expect(takeEvents()).toEqual(['miss', 'updated', 'hit', 'miss', 'unchanged']);
  });

  test('a new signature counts within the refresh interval', async () => {
    await ask();
    world.repository.addTag('4.0', digestOf('b'), 9);
    world.repository.publish();
    pass(60_000);
    const outcome = await ask();
    expect(outcome.kind === 'verified' && outcome.trust.target('4.0', world.now)?.digest).toBe(digestOf('b'));
  });

  test('so does a revocation', async () => {
    await ask();
    world.repository.removeTag('3.20');
    world.repository.publish();
    pass(60_000);
    const outcome = await ask();
    expect(outcome.kind === 'verified' && outcome.trust.target('3.20', world.now)).toBeUndefined();
  });

  test('a clock that goes back makes the answer old', async () => {
    await ask();
    pass(-1);
    expect(await ask()).toMatchObject({ path: 'cold' });
  });

  test('an expired answer is never fresh', async () => {
    await ask();
    pass(14 * DAY_MS - 30_000);
    await ask();
    pass(30_001);
    world.repository.refreshTimestamp();
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'cold' });
  });
});

test('a hundred askers make one resolution', async () => {
  const outcomes = await Promise.all(Array.from({ length: 100 }, ask));
  expect(new Set(outcomes).size).toBe(1);
  expect(world.source.takeRequests()).toHaveLength(4);
  expect(takeEvents().filter((event) => event === 'shared')).toHaveLength(99);
});

describe('an outage', () => {
  test('is carried by what was verified, while it is valid', async () => {
    await ask();
    breakServer();
    pass(60_000);
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'stale' });
    pass(14 * DAY_MS);
    expect(await ask()).toMatchObject({ kind: 'failed', error: { code: 'trust_unreachable' } });
  });

  test('is carried across a restart by the state', async () => {
    await ask();
    breakServer();
    cache = startCache();
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'stale' });
  });

  test('refuses what was never verified', async () => {
    breakServer();
    expect(await ask()).toMatchObject({ kind: 'failed', error: { code: 'trust_unreachable' }, path: 'cold' });
  });

  test('is believed for a moment, so that a dead server is not asked for every pull', async () => {
    breakServer();
    await ask();
    world.source.takeRequests();
    expect(await ask()).toMatchObject({ kind: 'failed', path: 'cache' });
    expect(world.source.takeRequests()).toEqual([]);
    pass(5_000);
    world.source.clearFaults();
    expect(await ask()).toMatchObject({ kind: 'verified', path: 'cold' });
  });
});

describe('an answer that does not verify', () => {
  test('is refused although an earlier one is still valid', async () => {
    await ask();
    world.source.fault('timestamp', { bytes: Buffer.from('{}') });
    pass(60_000);
    expect(await ask()).toMatchObject({ kind: 'failed', error: { code: 'metadata_invalid' } });
  });

  test('heals as soon as the server is honest again', async () => {
    world.source.fault('targets', { bytes: Buffer.from('{}') });
    expect(await ask()).toMatchObject({ kind: 'failed' });
    world.source.clearFaults();
    expect(await ask()).toMatchObject({ kind: 'failed', path: 'cache' });
    pass(5_000);
    expect(await ask()).toMatchObject({ kind: 'verified' });
  });

  test('an unknown repository is asked for again soon after it was signed', async () => {
    world.source.repositories.clear();
    expect(await ask()).toMatchObject({ kind: 'failed', error: { code: 'no_trust_data' } });
    world.source.repositories.set(GUN, world.repository);
    pass(5_000);
    expect(await ask()).toMatchObject({ kind: 'verified' });
  });
});

test('a fault of our own is a refusal, never an exception: audit must be able to let it pass', async () => {
  world.source.fault('*', { error: new TypeError('a bug') });
  expect(await ask()).toMatchObject({ kind: 'failed', error: { code: 'metadata_invalid' } });
});

describe('answers are renewed before anybody waits', () => {
  test('those in use, once most of the refresh interval has passed', async () => {
    await ask();
    pass(41_000);
    await cache.refreshDue();
    expect(takeEvents()).toEqual(['miss', 'updated']);
    pass(1_000);
    await cache.refreshDue();
    expect(takeEvents()).toEqual(['unchanged']);
    pass(30_000);
    expect(await ask()).toMatchObject({ path: 'cache' });
  });

  test('not those that nobody asks for any more', async () => {
    await ask();
    takeEvents();
    pass(600_000);
    await cache.refreshDue();
    expect(takeEvents()).toEqual([]);
  });

  test('not those that were refused: their next pull asks', async () => {
    world.source.repositories.clear();
    await ask();
    takeEvents();
    pass(50_000);
    await cache.refreshDue();
    expect(takeEvents()).toEqual([]);
  });
});

describe('many repositories', () => {
  const NAMES = Array.from({ length: 300 }, (_, at) => `docker.io/team/r${at}` as const);

  test('that were verified at the same moment are not renewed at the same moment', async () => {
    for (const name of NAMES) {
      const { repository } = createWorld({}, name);
      world.source.repositories.set(name, repository);
      await cache.trustFor('docker.io', name);
    }
    takeEvents();
    const renewed: number[] = [];
    for (let second = 1; second <= 54; second += 1) {
      pass(1_000);
      await cache.refreshDue();
      renewed.push(takeEvents().length);
    }
    expect(renewed.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(NAMES.length);
    expect(Math.max(...renewed)).toBeLessThanOrEqual(NAMES.length / 10);
    for (const name of NAMES)
      expect(await cache.trustFor('docker.io', name)).toMatchObject({ path: 'cache' });
  });

  test('refused names never take the place of a verified one', async () => {
    await ask();
    for (let at = 0; at < 50_000; at += 1) await cache.trustFor('docker.io', `docker.io/made/up-${at}`);
    takeEvents();
    expect(await ask()).toMatchObject({ path: 'cache' });
    expect(takeEvents()).toEqual(['hit']);
  }, 60_000);

  test('a name that waited costs the trust server one question and the state one', async () => {
    const { state } = world;
    const loads: string[] = [];
    const load: typeof state.load = (gun, admit) => {
      loads.push(gun);
      return state.load(gun, admit);
    };
    world.state = { ...state, load };
    cache = startCache(60_000);
    const names = Array.from({ length: 200 }, (_, at) => `docker.io/made/up-${at}` as const);
    const outcomes = await Promise.all(names.map((name) => cache.trustFor('docker.io', name, '10.0.0.66')));
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'no_trust_data' } });
    const asked = world.source.takeRequests();
    // Those that did not wait are asked for in full: one signed a moment ago is there a round trip earlier.
    expect(asked.filter((file) => file === 'root')).toHaveLength(COLD_LIMITS.runningPerClient);
    expect(asked.filter((file) => file === 'timestamp')).toHaveLength(names.length);
    expect(loads).toHaveLength(COLD_LIMITS.runningPerClient);
  });

  test('what is stored is carried while it waits, and a name nothing is stored of has nothing to wait for', async () => {
    await ask();
    cache = startCache(60_000);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.source.fault(({ gun }) => gun !== GUN, { delay: held });
    const names = Array.from({ length: 50 }, (_, at) => `docker.io/made/up-${at}` as const);
    const others = names.map((name) => cache.trustFor('docker.io', name, '10.0.0.66'));
    expect(await cache.trustFor('docker.io', GUN, '10.0.0.66')).toMatchObject({
      kind: 'verified',
      path: 'stale',
    });
    release();
    for (const outcome of await Promise.all(others)) expect(outcome).toMatchObject({ kind: 'failed' });
  });

  test('what is remembered of an outage is its sentence, not its causes', async () => {
    const cause = new Error('x'.repeat(100_000));
    const error = new TrustError('trust_unreachable', 'unreachable', 'the trust server is down', { cause });
    world.source.fault('*', { error });
    expect(await ask()).toMatchObject({ error: { cause } });
    const remembered = await ask();
    expect(remembered).toMatchObject({
      path: 'cache',
      error: { message: error.message, fault: error.fault },
    });
    expect('cause' in (remembered as { error: TrustError }).error).toBe(false);
  });

  test('one client that makes names up does not keep another one waiting', async () => {
    // Thousands of questions take their time on a slow machine; the deadline is no part of this.
    cache = startCache(60_000);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.source.fault(({ gun }) => gun !== GUN, { delay: held });
    const greedy = Array.from({ length: 5_000 }, (_, at) =>
      cache.trustFor('docker.io', `docker.io/made/up-${at}`, '10.0.0.66'),
    );
    expect(await cache.trustFor('docker.io', GUN, '10.0.0.7')).toMatchObject({ kind: 'verified' });
    expect(await greedy.at(-1)).toMatchObject({ kind: 'failed', error: { code: 'trust_unreachable' } });
    release();
    await Promise.all(greedy);
  }, 60_000);
});

describe('a hint that something changed', () => {
  /** The hint is answered in the background: whoever asks next joins the flight or finds its answer. */
  async function settled(): Promise<void> {
    while (world.source.requests.length > 0) {
      world.source.requests.length = 0;
      for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
    }
  }

  test('makes a revocation count at once', async () => {
    await ask();
    world.repository.removeTag('3.20');
    world.repository.publish();
    cache.changed('docker.io', GUN);
    await settled();
    const outcome = await ask();
    expect(outcome).toMatchObject({ kind: 'verified', path: 'cache' });
    expect(outcome.kind === 'verified' && outcome.trust.target('3.20', world.now)).toBeUndefined();
  });

  test('that comes while a question is under way has it asked again', async () => {
    await ask();
    pass(60_000);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const old = world.repository.files.get('timestamp');
    world.source.fault('timestamp', { delay: held, bytes: old ?? Buffer.from(''), times: 1 });
    const asked = ask();
    world.repository.removeTag('3.20');
    world.repository.publish();
    cache.changed('docker.io', GUN);
    release();
    await asked;
    await settled();
    const outcome = await ask();
    expect(outcome.kind === 'verified' && outcome.trust.target('3.20', world.now)).toBeUndefined();
  });

  test('about a repository nobody uses asks nobody', async () => {
    cache.changed('docker.io', GUN);
    cache.changed('docker.io', 'docker.io/library/debian');
    await settled();
    expect(takeEvents()).toEqual([]);
  });

  test('about everything renews what is in use', async () => {
    await ask();
    takeEvents();
    cache.changed('docker.io');
    await settled();
    expect(takeEvents()).toEqual(['unchanged']);
  });

  test('from the server of another registry asks nobody', async () => {
    await ask();
    takeEvents();
    cache.changed('elsewhere.test', GUN);
    cache.changed('elsewhere.test');
    await settled();
    expect(takeEvents()).toEqual([]);
  });

  test('that comes again and again is followed at intervals, and none is lost', async () => {
    await ask();
    takeEvents();
    for (let at = 0; at < 50; at += 1) {
      cache.changed('docker.io', GUN);
      await settled();
    }
    expect(takeEvents()).toEqual(['unchanged']);
    monotonic += 10_000;
    await cache.refreshDue();
    expect(takeEvents()).toEqual(['unchanged']);
  });
});
