/** Mix-and-match: files that were never current together, or never belonged together (notary-semantics.md §13). */
import { expect, test } from '@jest/globals';
import { createWorld, digestOf, fileOf, refusal } from '../trust-client/kit.ts';

test('a file of another repository', async () => {
  const world = createWorld();
  const other = createWorld({}, 'docker.io/library/debian');
  for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
    world.source.clearFaults();
    world.source.fault(role, { bytes: fileOf(other, role) });
    const error = await refusal(world.resolve(), 'metadata_invalid');
    expect(error.role).toBe(role);
  }
});

test('every file of another repository but the root', async () => {
  const world = createWorld();
  const other = createWorld({}, 'docker.io/library/debian');
  await world.resolve();
  for (const [name, bytes] of other.repository.files) {
    if (!name.includes('root')) world.repository.files.set(name, bytes);
  }
  const error = await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  expect(error.role).toBe('timestamp');
});

test.each(['snapshot', 'targets'])('the %s before the one that is named', async (role) => {
  const world = createWorld();
  const older = fileOf(world, role);
  world.repository.addTag('4.0', digestOf('c'), 5);
  world.repository.publish();
  world.source.fault(role, { bytes: older });
  const error = await refusal(world.resolve(), 'metadata_invalid', 'hash_mismatch');
  expect(error.role).toBe(role);
});

test('a snapshot that names another root', async () => {
  const world = createWorld();
  world.repository.resign('snapshot', (signed) => {
    const { root, targets } = signed.meta;
    if (root && targets) signed.meta['root'] = targets;
  });
  const error = await refusal(world.resolve(), 'metadata_invalid', 'hash_mismatch');
  expect(error.role).toBe('root');
});

test('one delegation in the place of another, both signed by the same key', async () => {
  const world = createWorld();
  const keys = world.repository.addDelegation('releases');
  world.repository.addDelegation('qa', { keys });
  world.repository.signAs('releases', '1.0', digestOf('b'), 7);
  world.repository.signAs('qa', '2.0', digestOf('c'), 7);
  world.repository.publish();
  world.source.fault('targets/releases', { bytes: fileOf(world, 'targets/qa') });
  const error = await refusal(world.resolve(), 'metadata_invalid', 'hash_mismatch');
  expect(error.role).toBe('targets/releases');
});
