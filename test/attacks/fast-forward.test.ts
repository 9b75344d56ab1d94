/**
 * Fast-forward: whoever holds a key once raises a version as far as it goes, so that no honest file can follow. It
 * heals when the key is replaced, at once and not on the second try (notary-semantics.md §7.5, §13; NCC-3).
 */
import { afterAll, expect, test } from '@jest/globals';
import { createFileState } from '../../proxy/cache/state/file-state.ts';
import { createFolder, removeFolders } from '../config/scratch.ts';
import { unreachable } from '../simulators/simulated-source.ts';
import { createWorld, digestIn, digestOf, refusal } from '../trust-client/kit.ts';

afterAll(removeFolders);

const HIGHEST = Number.MAX_SAFE_INTEGER - 10;

test.each(['timestamp', 'snapshot', 'targets', 'targets/releases'])(
  '%s: honest versions are refused until its key is replaced, then accepted',
  async (role) => {
    const world = createWorld();
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    world.repository.setVersion(role, HIGHEST);
    world.repository.publish();
    await world.resolve();
    world.repository.setVersion(role, 3);
    world.repository.publish();
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe(role);
    world.repository.setVersion(role, 4);
    world.repository.rotateKey(role);
    const healed = await world.resolve();
    expect(healed.roles.find((status) => status.role === role)?.version).toBe(4);
    expect(digestIn(healed, '1.0')).toBe(digestOf('b'));
  },
);

test('the healed floor holds again: the version before it is refused', async () => {
  const world = createWorld();
  world.repository.setVersion('targets', HIGHEST);
  world.repository.publish();
  await world.resolve();
  world.repository.setVersion('targets', 9);
  world.repository.rotateKey('targets');
  await world.resolve();
  world.repository.setVersion('targets', 8);
  world.repository.publish();
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});

test('a stolen delegation key locks out its own role only, and its parent heals it', async () => {
  const world = createWorld();
  world.repository.addDelegation('qa');
  world.repository.signAs('qa', '1.0', digestOf('b'), 7);
  world.repository.setVersion('targets/qa', HIGHEST);
  world.repository.publish();
  await world.resolve();
  world.repository.removeDelegation('qa');
  world.repository.publish();
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  world.repository.addDelegation('qa');
  world.repository.signAs('qa', '1.0', digestOf('b'), 7);
  world.repository.publish();
  const healed = await world.resolve();
  expect(healed.roles.find(({ role }) => role === 'targets/qa')?.version).toBe(1);
});

test('two processes on one folder: what one heals is no older entry to the other', async () => {
  const world = createWorld();
  const { repository, source } = world;
  const folder = createFolder();
  const processes = [createFileState(folder), createFileState(folder)];
  const resolveAll = async () => {
    const digests: (string | undefined)[] = [];
    for (const state of processes) {
      world.state = state;
      digests.push(digestIn(await world.resolve(), '3.20'));
    }
    return digests;
  };
  repository.setVersion('timestamp', HIGHEST);
  repository.publish();
  await resolveAll();
  repository.setVersion('timestamp', 4);
  repository.rotateKey('timestamp');
  // Both keep the new root beside what the key before it signed.
  source.fault('snapshot', { error: unreachable() });
  for (const state of processes) {
    world.state = state;
    await refusal(world.resolve(), 'trust_unreachable');
  }
  source.clearFaults();
  expect(await resolveAll()).toEqual([digestOf('a'), digestOf('a')]);
});
