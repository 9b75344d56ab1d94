/** Whoever holds the online keys hides a delegation, so that an older entry in `targets` comes back (TUF 5.5.5). */
import { expect, test } from '@jest/globals';
import { createWorld, DAY_MS, digestIn, digestOf, fileOf, refusal, type World } from '../trust-client/kit.ts';

const OLD = digestOf('b');
const NEW = digestOf('c');

/** `1.0` is old in `targets`, from before there were signers, and new in `targets/releases`. */
async function createKnownWorld(): Promise<World> {
  const world = createWorld();
  world.repository.addTag('1.0', OLD, 7);
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', NEW, 7);
  world.repository.publish();
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  return world;
}

function hide(world: World): void {
  const version = world.repository.version('snapshot') + 1;
  world.repository.resign('snapshot', (signed) => {
    delete (signed.meta as Record<string, unknown>)['targets/releases'];
    signed.version = version;
  });
}

test('left out of the snapshot', async () => {
  const world = await createKnownWorld();
  hide(world);
  const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  expect([error.role, error.isLag]).toEqual(['targets/releases', false]);
});

test('named with a file that its keys did not sign', async () => {
  const world = await createKnownWorld();
  world.repository.resign('targets/releases', () => undefined, { keys: world.repository.keys('snapshot') });
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
});

test('an honest removal changes targets', async () => {
  const world = await createKnownWorld();
  world.repository.removeDelegation('releases');
  world.repository.publish();
  expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
});

test('declared anew with the same keys after a removal, it need not have a file yet', async () => {
  const world = await createKnownWorld();
  const keys = world.repository.keys('targets/releases');
  world.repository.removeDelegation('releases');
  world.repository.publish();
  await world.resolve();
  world.repository.addDelegation('releases', { keys });
  world.repository.publish();
  expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
});

test('declared with other keys: what they sign first must be shown', async () => {
  const world = await createKnownWorld();
  world.repository.setThreshold('targets/releases', 1, [world.repository.createKey('ecdsa')]);
  world.repository.publish();
  const honest = new Map(world.repository.files);
  hide(world);
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  for (const [name, bytes] of honest) world.repository.files.set(name, bytes);
  world.repository.relink();
  expect(digestIn(await world.resolve(), '1.0')).not.toBe(OLD);
});

test('asked for more signatures than the file of before has', async () => {
  const world = await createKnownWorld();
  const old = fileOf(world, 'targets/releases');
  const [key] = world.repository.keys('targets/releases');
  if (key === undefined) throw new Error('no key');
  world.repository.setThreshold('targets/releases', 2, [key, world.repository.createKey('ecdsa')]);
  world.repository.publish();
  world.repository.replaceFile('targets/releases', old);
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  hide(world);
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});

test('expired, what it names is not taken from an older targets', async () => {
  const world = await createKnownWorld();
  world.repository.setExpiry('targets/releases', new Date(world.now.getTime() + DAY_MS));
  world.repository.publish();
  const trust = await world.resolve();
  const later = new Date(world.now.getTime() + 2 * DAY_MS);
  expect(digestIn(trust, '1.0', later)).toBeUndefined();
  world.now = later;
  const again = await world.resolve();
  expect(digestIn(again, '1.0', later)).toBeUndefined();
  expect(digestIn(again, '3.20', later)).toBe(digestOf('a'));
  expect(again.roles.find(({ role }) => role === 'targets/releases')?.skipped).toBe('expired');
});

test('a threshold that is raised lets no floor fall', async () => {
  const world = createWorld();
  const [first] = world.repository.keys('targets');
  if (first === undefined) throw new Error('no targets key');
  const second = world.repository.createKey('ecdsa');
  world.repository.setVersion('targets', 50);
  world.repository.publish();
  await world.resolve();
  world.repository.setThreshold('targets', 2, [first, second]);
  world.repository.setVersion('targets', 49);
  world.repository.publish();
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});
