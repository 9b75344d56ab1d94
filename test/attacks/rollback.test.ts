/** Rollback: an attacker offers older files, each validly signed in its time (notary-semantics.md §7.5, §13). */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { unreachable } from '../simulators/simulated-source.ts';
import {
  createWorld,
  DAY_MS,
  digestIn,
  digestOf,
  fileOf,
  record,
  refusal,
  type World,
} from '../trust-client/kit.ts';

let world: World;

beforeEach(() => {
  world = createWorld();
});

test('an older timestamp', async () => {
  const replay = record(world);
  world.repository.refreshTimestamp();
  await world.resolve();
  replay();
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});

test('another timestamp under the same version', async () => {
  await world.resolve();
  world.repository.setVersion('timestamp', world.repository.version('timestamp'));
  world.repository.setExpiry('timestamp', new Date(world.now.getTime() + DAY_MS));
  world.repository.refreshTimestamp();
  const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  expect(error.role).toBe('timestamp');
});

test('an older timestamp stays a rollback when the server then falls silent: it is no outage', async () => {
  const replay = record(world);
  world.repository.refreshTimestamp();
  await world.resolve();
  replay();
  world.source.fault(({ name, revalidate }) => name === 'timestamp' && revalidate, { error: unreachable() });
  const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  expect(error.isOutage).toBe(false);
});

test('a stale copy from a cache on the way is no rollback when the server itself has the newer one', async () => {
  const stale = fileOf(world, 'timestamp');
  world.repository.refreshTimestamp();
  await world.resolve();
  world.source.fault(({ name, revalidate }) => name === 'timestamp' && !revalidate, { bytes: stale });
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
});

test.each(['snapshot', 'targets', 'targets/releases'])(
  'an older %s below a newer timestamp',
  async (role) => {
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    world.repository.setVersion(role, 50);
    world.repository.publish();
    await world.resolve();
    world.repository.setVersion(role, 49);
    world.repository.publish();
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe(role);
  },
);

test.each(['targets', 'targets/releases'])(
  'an older and larger %s, which Notary forgets to compare (notary-semantics.md §7.5)',
  async (role) => {
    world.repository.addDelegation('releases');
    for (let i = 0; i < 20; i += 1) world.repository.addTag(`old-${i}`, digestOf('b'), 7, { role });
    world.repository.publish();
    const older = fileOf(world, role);
    for (let i = 0; i < 20; i += 1) world.repository.removeTag(`old-${i}`, role);
    world.repository.publish();
    await world.resolve();
    world.repository.replaceFile(role, older);
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe(role);
  },
);

test('an older root', async () => {
  const older = fileOf(world, 'root');
  world.repository.rotateKey('targets');
  await world.resolve();
  world.repository.replaceFile('root', older, { version: 1 });
  const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  expect(error.role).toBe('root');
});

test('a delegation that was taken away and given back keeps its floor', async () => {
  const keys = world.repository.addDelegation('qa');
  world.repository.signAs('qa', '1.0', digestOf('b'), 7);
  world.repository.setVersion('targets/qa', 9);
  world.repository.publish();
  await world.resolve();
  world.repository.removeDelegation('qa');
  world.repository.publish();
  await world.resolve();
  world.repository.addDelegation('qa', { keys });
  world.repository.signAs('qa', '1.0', digestOf('b'), 7);
  world.repository.publish();
  const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  expect(error.role).toBe('targets/qa');
});

describe('a floor survives changes that leave its signers in place', () => {
  test('another key is added to the role', async () => {
    const [first] = world.repository.keys('targets');
    if (first === undefined) throw new Error('no targets key');
    world.repository.setVersion('targets', 50);
    world.repository.publish();
    await world.resolve();
    world.repository.setThreshold('targets', 1, [first, world.repository.createKey('ecdsa')]);
    world.repository.setVersion('targets', 49);
    world.repository.publish();
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe('targets');
  });

  test('the root key is rotated', async () => {
    world.repository.setVersion('targets', 50);
    world.repository.publish();
    await world.resolve();
    world.repository.rotateKey('root');
    world.repository.setVersion('targets', 49);
    world.repository.publish();
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  });
});
