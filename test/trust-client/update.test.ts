/** One resolution after another: what is asked, what is accepted, what is remembered. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { checkAtOnce, type FileChecker } from '../../proxy/trust-client/check-file.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { createRoom, type Room } from '../../proxy/trust-client/held-bytes.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { restoreTrust, updateTrust } from '../../proxy/trust-client/update.ts';
import { createWorld, DAY_MS, digestOf, GUN, refusal, type World } from './kit.ts';

let world: World;

beforeEach(() => {
  world = createWorld();
});

function outage(): TrustError {
  return new TrustError('trust_unreachable', 'unreachable', 'the trust server is down');
}

describe('what is asked of the server', () => {
  test('cold: root and timestamp together, then snapshot, then targets', async () => {
    await world.resolve();
    const asked = world.source.takeRequests().map((name) => name.replace(/\.[0-9a-f]{64}$/, '.<sha256>'));
    expect(asked).toEqual(['timestamp', 'root', 'snapshot.<sha256>', 'targets.<sha256>']);
  });

  test('a doubtful name: the timestamp, and without one neither a root nor the state', async () => {
    const { source, now, pin } = world;
    source.repositories.clear();
    const unread = () => Promise.reject(new Error('the state was asked'));
    const state = { load: unread, has: unread, stampOf: unread, save: unread };
    const signal = new AbortController().signal;
    const update = updateTrust({ source, state }, { gun: GUN, pin, now, signal, isDoubtful: true });
    const error = await refusal(update, 'no_trust_data', 'absent');
    expect(error.message).toBe(`the trust server has no trust data for ${GUN}`);
    expect(source.takeRequests()).toEqual(['timestamp']);
  });

  test('a doubtful name that is there is resolved all the same', async () => {
    const { source, state, now, pin } = world;
    const signal = new AbortController().signal;
    const trust = await updateTrust({ source, state }, { gun: GUN, pin, now, signal, isDoubtful: true });
    expect(trust.target('3.20', now)?.digest).toBe(digestOf('a'));
    expect(source.takeRequests()).toHaveLength(4);
  });

  test('a doubtful name whose timestamp cannot be read is an outage', async () => {
    const { source, state, now, pin } = world;
    source.fault('timestamp', { error: outage() });
    const signal = new AbortController().signal;
    const update = updateTrust({ source, state }, { gun: GUN, pin, now, signal, isDoubtful: true });
    expect((await refusal(update, 'trust_unreachable')).isOutage).toBe(true);
  });

  test('delegations are asked for together with targets', async () => {
    world.repository.addDelegation('releases');
    world.repository.addDelegation('qa');
    world.repository.trustSign('qa', '1.0', digestOf('b'), 7);
    world.repository.publish();
    let inFlight = 0;
    let most = 0;
    const fetch = world.source.fetch.bind(world.source);
    world.source.fetch = async (...args) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((done) => setImmediate(done));
      const bytes = await fetch(...args);
      inFlight -= 1;
      return bytes;
    };
    await world.resolve();
    expect(most).toBe(3);
  });

  test('refresh of an unchanged repository: timestamp and the next root, nothing else', async () => {
    const first = await world.resolve();
    world.source.takeRequests();
    expect(await world.resolve(first)).toBe(first);
    expect([...world.source.takeRequests()].sort()).toEqual(['2.root', 'timestamp']);
  });

  test('also at the very moment at which what was verified expires', async () => {
    const first = await world.resolve();
    world.now = first.expires;
    expect(await world.resolve(first)).toBe(first);
  });

  test('a new timestamp is followed although no root is newer', async () => {
    const first = await world.resolve();
    world.repository.addTag('3.20', digestOf('b'), 1862);
    world.repository.publish();
    expect((await world.resolve(first)).target('3.20', world.now)?.digest).toBe(digestOf('b'));
  });

  test('a newer root is followed although the timestamp is the one that was verified', async () => {
    const first = await world.resolve();
    world.repository.resign('root', (signed) => Object.assign(signed, { version: 2 }), { propagate: false });
    // The snapshot goes on naming the root before: nothing of it may be answered from any more.
    const error = await refusal(world.resolve(first), 'trust_unreachable', 'hash_mismatch');
    expect(error.role).toBe('root');
  });

  test('after a restart, files that are remembered are not asked for again', async () => {
    await world.resolve();
    world.source.takeRequests();
    await world.resolve();
    expect([...world.source.takeRequests()].sort()).toEqual(['2.root', 'timestamp']);
  });

  test('an expired timestamp is asked for once more past every cache', async () => {
    world.now = new Date(world.now.getTime() + 15 * DAY_MS);
    await refusal(world.resolve(), 'metadata_expired', 'expired');
    const timestamps = world.source.requests.filter(({ name }) => name === 'timestamp');
    expect(timestamps.map(({ revalidate }) => revalidate)).toEqual([false, true]);
  });
});

test('without a timestamp, a name that was known may still have a newer root', async () => {
  await world.resolve();
  world.source.takeRequests();
  world.source.fault('timestamp', { missing: true });
  await refusal(world.resolve(), 'no_trust_data', 'absent');
  expect(world.source.takeRequests()).toContain('2.root');
});

test('what an update held in memory is given back, however it ends', async () => {
  const { source, state, now, pin } = world;
  let [entered, left] = [0, 0];
  const room: Room = {
    ...createRoom(),
    enter: () => {
      entered += 1;
      const holding = createRoom().enter();
      return {
        ...holding,
        leave: () => {
          left += 1;
        },
      };
    },
  };
  const request = { gun: GUN, pin, now, signal: new AbortController().signal };
  await updateTrust({ source, state, room }, request);
  await restoreTrust(state, GUN, pin, now, { room });
  source.fault('timestamp', { error: outage() });
  await refusal(updateTrust({ source, state, room }, request), 'trust_unreachable');
  await refusal(restoreTrust(state, 'docker.io/library/unknown', pin, now, { room }), 'no_trust_data');
  expect([entered, left]).toEqual([4, 4]);
});

test('files are checked where the caller says', async () => {
  const { source, state, now, pin } = world;
  const checked: string[] = [];
  const check: FileChecker = async (gun, file, signal) => {
    checked.push(file.role);
    return await checkAtOnce(gun, file, signal);
  };
  await updateTrust({ source, state, check }, { gun: GUN, pin, now, signal: new AbortController().signal });
  await restoreTrust(state, GUN, pin, now, { check });
  expect(checked).toEqual(['timestamp', 'snapshot', 'targets', 'timestamp', 'snapshot', 'targets']);
});

describe('an update that another one is faster than', () => {
  test('is judged again a few times, and then says so', async () => {
    let saves = 0;
    world.state = {
      ...world.state,
      load: world.state.load,
      save: async () => {
        saves += 1;
        return { kind: 'changed', stamp: 'other' };
      },
    };
    const error = await refusal(world.resolve(), 'trust_unreachable', 'state');
    expect(error.message).toContain('was changed by others 4 times');
    expect(saves).toBe(4);
    // What the first attempt was shown is not judged again.
    expect(world.source.takeRequests().filter((name) => name === 'timestamp')).toHaveLength(4);
  });

  test('takes what the other saved, although the timestamp is the one that was verified', async () => {
    const first = await world.resolve();
    const stored = await world.state.load(GUN);
    if (stored === undefined) throw new Error('something is stored');
    await world.state.save(GUN, { ...stored, files: new Map() }, { stamp: stored.stamp });
    const second = await world.resolve(first);
    expect(second).not.toBe(first);
    expect(second.stamp).toBe(await world.state.stampOf(GUN));
  });
});

describe('what the snapshot names beside targets', () => {
  /** A snapshot that names targets and so many delegations that nobody declares. */
  async function requestsFor(delegations: number): Promise<readonly string[]> {
    const hashes = { sha256: Buffer.alloc(32).toString('base64') };
    world.repository.resign('snapshot', ({ meta }) => {
      for (let i = 0; i < delegations; i += 1) meta[`targets/d${i}`] = { hashes, length: 10 };
    });
    await world.resolve();
    return world.source.takeRequests().filter((name) => name.startsWith('targets'));
  }

  test('is asked for together with it, up to as many files as delegations are allowed', async () => {
    expect((await requestsFor(LIMITS.delegations - 1)).length).toBeGreaterThan(1);
  });

  test('is not asked for before it is declared when it is more than that', async () => {
    expect(await requestsFor(LIMITS.delegations)).toHaveLength(1);
  });
});

test('a delegation that is passed over does not hide the subtree of its neighbour', async () => {
  for (const name of ['a', 'b', 'targets/b/sub']) {
    world.repository.addDelegation(name);
    world.repository.signAs(name, '3.20', digestOf('a'), 1862);
  }
  world.repository.setThreshold('targets/a', 2);
  world.repository.publish();
  expect((await world.resolve()).target('3.20', world.now)?.signers).toEqual(['b', 'b/sub']);
});

describe('no trust data is not the same as an outage', () => {
  test('a repository the server does not know', async () => {
    world.source.repositories.clear();
    await refusal(world.resolve(), 'no_trust_data', 'absent');
  });

  test('a repository that was deleted after we knew it', async () => {
    const known = await world.resolve();
    world.source.repositories.clear();
    await refusal(world.resolve(), 'no_trust_data', 'absent');
    await refusal(world.resolve(known), 'no_trust_data', 'absent');
  });

  test('a server that lacks a file its own metadata names is an outage', async () => {
    world.source.fault('snapshot', { missing: true });
    const error = await refusal(world.resolve(), 'trust_unreachable', 'unreachable');
    expect(error.isOutage).toBe(true);
  });

  test('time that runs out is our deadline', async () => {
    world.source.fault('timestamp', { delay: new Promise(() => undefined) });
    const { source, state, repository, now, pin } = world;
    const { updateTrust } = await import('../../proxy/trust-client/update.ts');
    const signal = AbortSignal.timeout(20);
    const error = await refusal(
      updateTrust({ source, state }, { gun: repository.gun, pin, now, signal }),
      'deadline_exceeded',
      'deadline',
    );
    expect(error.isOutage).toBe(true);
  });
});

describe('what is remembered carries an outage, and nothing more', () => {
  test('verified and unexpired is usable without the server', async () => {
    await world.resolve();
    const restored = await world.restore();
    expect(restored.target('3.20', world.now)?.digest).toBe(digestOf('a'));
  });

  test.each([
    ['expired', () => world.repository.setExpiry('targets/releases', new Date(world.now.getTime() - 1))],
    ['threshold', () => world.repository.setThreshold('targets/releases', 2)],
  ] as const)('also where a delegation is passed over: %s', async (reason, spoil) => {
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    spoil();
    world.repository.publish();
    await world.resolve();
    const restored = await world.restore();
    expect(restored.roles.find(({ role }) => role === 'targets/releases')?.skipped).toBe(reason);
    expect(restored.tags(world.now)).toEqual(['3.20']);
  });

  test('not after its timestamp expired', async () => {
    await world.resolve();
    world.now = new Date(world.now.getTime() + 14 * DAY_MS + 1000);
    await refusal(world.restore(), 'metadata_expired');
  });

  test('nothing remembered is nothing to serve', async () => {
    await refusal(world.restore(), 'no_trust_data');
  });

  test('a failed update saves nothing', async () => {
    world.source.fault('targets', { error: outage() });
    await refusal(world.resolve(), 'trust_unreachable');
    expect(await world.state.load(world.repository.gun)).toBeUndefined();
  });
});
