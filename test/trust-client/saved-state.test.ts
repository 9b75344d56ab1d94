/** What an update leaves behind for the next one: all it proved, nothing else, and nothing when nothing is new. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { unreachable } from '../simulators/simulated-source.ts';
import { createWorld, digestIn, digestOf, fileOf, GUN, record, refusal, type World } from './kit.ts';

let world: World;
let saves: number;

beforeEach(() => {
  world = createWorld();
  saves = 0;
  const save = world.state.save.bind(world.state);
  world.state.save = async (...entry) => {
    saves += 1;
    return await save(...entry);
  };
});

async function stored(): Promise<StoredTrust> {
  const entry = await world.state.load(GUN);
  if (entry === undefined) throw new Error('something is stored');
  return entry;
}

describe('a successful update', () => {
  test('saves the very bytes that were served, and a floor for each role', async () => {
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    await world.resolve();
    const { roots, files, floors } = await stored();
    const roles = ['timestamp', 'snapshot', 'targets', 'targets/releases'];
    expect(roots).toEqual([fileOf(world, 'root')]);
    expect([...files]).toEqual(roles.map((role) => [role, fileOf(world, role)]));
    expect([...floors].map(([role, { version }]) => [role, version])).toEqual(
      roles.map((role) => [role, world.repository.version(role)]),
    );
  });

  test('saves nothing for a delegation that has no file', async () => {
    world.repository.addDelegation('qa');
    world.repository.publish();
    await world.resolve();
    expect([...(await stored()).files.keys()]).toEqual(['timestamp', 'snapshot', 'targets']);
  });

  test('that found nothing new does not write', async () => {
    await world.resolve();
    expect(saves).toBe(1);
    await world.resolve();
    expect(saves).toBe(1);
  });

  test('a new timestamp over the same files is written, as it raises a floor', async () => {
    await world.resolve();
    world.repository.refreshTimestamp();
    await world.resolve();
    expect(saves).toBe(2);
    expect((await stored()).floors.get('timestamp')?.version).toBe(world.repository.version('timestamp'));
  });

  test('a state without floors, as after a change by hand, gets them again', async () => {
    await world.resolve();
    world.state = createMemoryState([[GUN, { ...(await stored()), floors: new Map() }]]);
    await world.resolve();
    expect((await stored()).floors.get('targets')?.version).toBe(world.repository.version('targets'));
  });
});

describe('an update that failed', () => {
  test('keeps the newer roots it saw, beside everything that was remembered', async () => {
    await world.resolve();
    const before = await stored();
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('root');
    world.source.fault('snapshot', { error: unreachable() });
    await refusal(world.resolve(), 'trust_unreachable');
    const roots = [1, 2, 3].map((version) => fileOf(world, `${version}.root`));
    expect(await stored()).toEqual({ ...before, roots, stamp: expect.any(String) });
    world.source.clearFaults();
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('keeps the newer root that only its second look found: the server cannot take it back', async () => {
    await world.resolve();
    const replay = record(world);
    world.repository.rotateKey('timestamp');
    world.source.fault('2.root', { missing: true, times: 1 });
    world.source.fault('snapshot', { error: unreachable() });
    await refusal(world.resolve(), 'trust_unreachable');
    world.source.clearFaults();
    replay();
    await refusal(world.resolve(), 'trust_unreachable', 'threshold');
    await refusal(world.restore(), 'metadata_invalid', 'threshold');
  });

  test('writes nothing when it saw no newer root', async () => {
    await world.resolve();
    world.repository.rotateKey('root');
    await world.resolve();
    saves = 0;
    world.repository.publish();
    world.source.fault('snapshot', { error: unreachable() });
    await refusal(world.resolve(), 'trust_unreachable');
    expect(saves).toBe(0);
  });

  test('writes nothing at first contact, whatever roots it saw', async () => {
    const [pinned] = world.repository.keys('root');
    world.repository.rotateKey('root');
    world.pin = { kind: 'keys', ids: new Set([pinned?.id ?? '']) };
    world.source.fault('snapshot', { error: unreachable() });
    await refusal(world.resolve(), 'trust_unreachable');
    expect(saves).toBe(0);
  });
});
