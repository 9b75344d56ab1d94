/**
 * A key loses a role, somebody else signs, and the key is given back: what it had signed first is still older than what
 * was verified of it, and the holder of the online keys may choose which of its files to show.
 */
import { expect, test } from '@jest/globals';
import { decodeStoredTrust, encodeStoredTrust } from '../../proxy/cache/state/stored-trust-codec.ts';
import { createWorld, digestIn, digestOf, fileOf, GUN, refusal } from '../trust-client/kit.ts';

const ROLE = 'targets/releases';

/** Alice's 2 and 5, then bob's 6 while alice is away, all verified; then alice alone. */
async function createHandedBack() {
  const world = createWorld();
  const { repository } = world;
  const [alice, bob] = [repository.createKey('ecdsa'), repository.createKey('ecdsa')];
  repository.addDelegation(ROLE, { keys: [alice, bob] });
  const sign = async (version: number, letter: string, keys: (typeof alice)[]): Promise<Uint8Array> => {
    repository.setThreshold(ROLE, 1, keys);
    repository.signAs(ROLE, '1.0', digestOf(letter), 7);
    repository.setVersion(ROLE, version);
    repository.publish();
    expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf(letter));
    return fileOf(world, ROLE);
  };
  const old = await sign(2, 'b', [alice]);
  const last = await sign(5, 'c', [alice]);
  await sign(6, 'd', [bob]);
  repository.setThreshold(ROLE, 1, [alice]);
  repository.setVersion(ROLE, 7);
  repository.publish();
  return { world, alice, bob, old, last };
}

test('what the key signed first', async () => {
  const { world, old } = await createHandedBack();
  world.repository.replaceFile(ROLE, old);
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});

test('the same after a restart: it is in the state', async () => {
  const { world, old } = await createHandedBack();
  const { stamp: _stamp, ...trust } = (await world.state.load(GUN)) ?? never();
  const bytes = Buffer.concat(await encodeStoredTrust(GUN, trust));
  expect((await decodeStoredTrust(GUN, bytes)).floors.get(ROLE)).toMatchObject({
    version: 6,
    earlier: [{ version: 5 }],
  });
  world.repository.replaceFile(ROLE, old);
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});

test('what it signed last is served, and so is what it signs next', async () => {
  const { world, last } = await createHandedBack();
  const next = fileOf(world, ROLE);
  world.repository.replaceFile(ROLE, last);
  expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('c'));
  world.repository.replaceFile(ROLE, next);
  expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('d'));
});

test.each(['targets', 'snapshot', 'timestamp'])('the key of %s', async (role) => {
  const world = createWorld();
  const { repository } = world;
  const [key] = repository.keys(role);
  await world.resolve();
  repository.setVersion(role, 8);
  repository.publish();
  await world.resolve();
  repository.setVersion(role, 9);
  repository.rotateKey(role);
  await world.resolve();
  repository.setVersion(role, 7);
  repository.rotateKey(role, key);
  await expect(world.resolve()).rejects.toMatchObject({ fault: 'rollback', role });
  repository.setVersion(role, 10);
  repository.publish();
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
});

test('a version that a stolen key set does not come back with one of its signers', async () => {
  const world = createWorld();
  const { repository } = world;
  const [alice, bob, carol] = ['ecdsa', 'ecdsa', 'ecdsa'].map(() => repository.createKey('ecdsa'));
  if (alice === undefined || bob === undefined || carol === undefined) throw never();
  const publish = async (version: number, threshold: number, keys: (typeof alice)[]) => {
    repository.setThreshold('targets', threshold, keys);
    repository.setVersion('targets', version);
    repository.publish();
    await world.resolve();
  };
  await publish(1_000_000, 2, [alice, bob]);
  await publish(5, 2, [alice, carol]);
  await publish(6, 1, [alice, carol]);
  await publish(7, 1, [alice, bob]);
});

function never(): never {
  throw new Error('nothing was saved');
}
