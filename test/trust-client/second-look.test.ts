/**
 * When something is asked for a second time: what a newer root or a cache may explain, and nothing else
 * (notary-semantics.md §1.2, §7.3).
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { unreachable } from '../simulators/simulated-source.ts';
import { createWorld, DAY_MS, digestIn, digestOf, fileOf, refusal, type World } from './kit.ts';
import { withLimitsUntilDone } from './lowered-limits.ts';

let world: World;

beforeEach(async () => {
  world = createWorld();
  await world.resolve();
  world.source.takeRequests();
});

/** How the file was asked for since the repository was known: past caches or not. */
function looksAt(name: string): readonly boolean[] {
  return world.source.requests.filter((request) => request.name === name).map(({ revalidate }) => revalidate);
}

function past(): Date {
  return new Date(world.now.getTime() - 1);
}

describe('a newer root is looked for', () => {
  test('after a file that too few signed', async () => {
    world.repository.resign('timestamp', () => undefined, { keys: [world.repository.createKey('ecdsa')] });
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    expect(looksAt('root')).toEqual([true]);
  });

  test('after a file that is not the one that is named', async () => {
    world.repository.publish();
    world.source.fault('snapshot', { bytes: (honest) => honest?.toReversed() });
    await refusal(world.resolve(), 'metadata_invalid', 'hash_mismatch');
    expect(looksAt('root')).toEqual([true]);
  });

  test('after a file without any signature', async () => {
    world.repository.resign('timestamp', () => undefined, { keys: [] });
    await refusal(world.resolve(), 'metadata_invalid', 'signature');
    expect(looksAt('root')).toEqual([true]);
  });

  test('after a root that has expired', async () => {
    world.now = new Date(world.now.getTime() + 4000 * DAY_MS);
    const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
    expect(error.role).toBe('root');
    expect(looksAt('root')).toEqual([true]);
  });

  test.each(['timestamp', 'snapshot', 'targets'])('not after an expired %s', async (role) => {
    world.repository.setExpiry(role, past());
    world.repository.publish();
    const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
    expect(error.isLag).toBe(false);
    expect(looksAt('root')).toEqual([]);
  });

  test('not after a file that no signer wrote', async () => {
    world.source.fault('timestamp', { bytes: Buffer.from('{}') });
    await refusal(world.resolve(), 'metadata_invalid', 'format');
    expect(looksAt('root')).toEqual([]);
  });

  test('not after an outage', async () => {
    world.repository.refreshTimestamp();
    world.source.fault('timestamp', { error: unreachable() });
    await refusal(world.resolve(), 'trust_unreachable', 'unreachable');
    expect(looksAt('root')).toEqual([]);
  });
});

describe('with a newer root', () => {
  test('that is published while we read, everything is asked for once more', async () => {
    world = createWorld();
    const before = fileOf(world, 'root');
    world.repository.rotateKey('timestamp');
    world.source.fault('root', { bytes: before, times: 1 });
    expect((await world.resolve()).root.metadata.version).toBe(2);
    expect(looksAt('timestamp')).toEqual([false, false]);
  });

  test('and another fault, the second look is the last', async () => {
    world = createWorld();
    const before = fileOf(world, 'root');
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('timestamp');
    const forged = world.repository.resign('timestamp', () => undefined, { keys: [] });
    world.source.fault('root', { bytes: before, times: 1 });
    world.source.fault('timestamp', { bytes: forged });
    await refusal(world.resolve(), 'metadata_invalid', 'signature');
    expect(looksAt('timestamp')).toEqual([false, false]);
  });
});

describe('with a root that this update met first', () => {
  test('a file from before it is asked for once more, where the snapshot is too long to say which it goes with', async () => {
    const behind = fileOf(world, 'timestamp');
    world.repository.rotateKey('timestamp');
    world.source.fault('timestamp', { bytes: behind, times: 1 });
    const trust = await withLimitsUntilDone({ unsignedSnapshotBytes: 0 }, () => world.resolve());
    expect(trust.root.metadata.version).toBe(2);
    expect(looksAt('timestamp')).toEqual([false, false]);
  });

  test('and that is the first of all, nothing is asked for again', async () => {
    world = createWorld();
    world.repository.resign('timestamp', () => undefined, { keys: [] });
    await refusal(world.resolve(), 'metadata_invalid', 'signature');
    expect(looksAt('timestamp')).toEqual([false]);
  });

  test('what no signer wrote is not asked for again', async () => {
    world.repository.rotateKey('timestamp');
    world.source.fault('timestamp', { bytes: Buffer.from('{}') });
    await refusal(world.resolve(), 'metadata_invalid', 'format');
    expect(looksAt('timestamp')).toEqual([false]);
  });
});

describe('without a newer root', () => {
  test('nothing else is asked for again, and what was refused stays refused', async () => {
    const honest = fileOf(world, 'timestamp');
    const forged = world.repository.resign('timestamp', () => undefined, { keys: [] });
    world.repository.files.set('timestamp', honest);
    world.source.fault('timestamp', { bytes: forged, times: 1 });
    await refusal(world.resolve(), 'metadata_invalid', 'signature');
    expect(looksAt('timestamp')).toEqual([false]);
  });

  test('because the server falls silent, what it showed is no outage', async () => {
    world.repository.resign('timestamp', () => undefined, { keys: [] });
    world.source.fault(({ name, revalidate }) => name === 'root' && revalidate, { error: unreachable() });
    const error = await refusal(world.resolve(), 'metadata_invalid', 'signature');
    expect(error.isOutage).toBe(false);
  });

  test('but one that is refused, the refusal is what is named', async () => {
    world.repository.resign('timestamp', () => undefined, { keys: [] });
    const stranger = createWorld();
    world.source.fault(({ name, revalidate }) => name === 'root' && revalidate, {
      bytes: fileOf(stranger, 'root'),
    });
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });
});

describe('the timestamp is asked for past every cache', () => {
  test('when it has expired, and the fresh one is taken', async () => {
    const stale = fileOf(world, 'timestamp');
    world.now = new Date(world.now.getTime() + 15 * DAY_MS);
    world.repository.refreshTimestamp();
    world.source.fault(({ name, revalidate }) => name === 'timestamp' && !revalidate, { bytes: stale });
    expect(digestIn(await world.resolve(), '3.20', world.now)).toBe(digestOf('a'));
    expect(looksAt('timestamp')).toEqual([false, true]);
  });

  test('when it is older than one that was seen', async () => {
    const stale = fileOf(world, 'timestamp');
    world.repository.refreshTimestamp();
    await world.resolve();
    world.source.takeRequests();
    world.source.fault('timestamp', { bytes: stale });
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(looksAt('timestamp')).toEqual([false, true]);
    expect(looksAt('root')).toEqual([]);
  });

  test('when its snapshot goes with a root from before, as that of a replica that lags', async () => {
    for (const _rotation of [1, 2]) {
      const behind = fileOf(world, 'timestamp');
      world.repository.rotateKey('snapshot');
      world.source.clearFaults();
      world.source.fault(({ name, revalidate }) => name === 'timestamp' && !revalidate, { bytes: behind });
      world.source.takeRequests();
      expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
      expect(looksAt('timestamp')).toEqual([false, true]);
    }
  });

  test('not when somebody else signed it, also where there is a root from before', async () => {
    world.repository.rotateKey('snapshot');
    await world.resolve();
    world.source.takeRequests();
    world.repository.resign('timestamp', () => undefined, { keys: [world.repository.createKey('ecdsa')] });
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    expect(looksAt('timestamp')).not.toContain(true);
  });

  test.each([
    ['somebody else signed', 'threshold', () => ({ keys: [world.repository.createKey('ecdsa')] })],
    ['nobody signed', 'signature', () => ({ keys: [] })],
  ] as const)('not when %s it', async (_who, fault, options) => {
    const honest = fileOf(world, 'timestamp');
    world.repository.resign('timestamp', () => undefined, options());
    world.source.fault(({ name, revalidate }) => name === 'timestamp' && revalidate, { bytes: honest });
    await refusal(world.resolve(), 'metadata_invalid', fault);
    expect(looksAt('timestamp')).toEqual([false]);
  });
});
