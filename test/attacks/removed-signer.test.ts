/**
 * Two signers take turns at a delegation, and one is removed. The holder of the online keys then shows what the one who
 * stays had signed long ago: it is older than what was verified under a key that never lost the role.
 */
import { expect, test } from '@jest/globals';
import { decodeStoredTrust, encodeStoredTrust } from '../../proxy/cache/state/stored-trust-codec.ts';
import { createWorld, digestIn, digestOf, GUN, refusal, type World } from '../trust-client/kit.ts';

const ROLE = 'targets/releases';

/** Verified and saved one after the other: alice's version 2, alice's 5, bob's 6. */
async function twoSigners() {
  const world = createWorld();
  const { repository } = world;
  const [alice, bob] = [repository.createKey('ecdsa'), repository.createKey('ecdsa')];
  repository.addDelegation(ROLE, { keys: [alice, bob] });
  const sign = async (version: number, letter: string, key: typeof alice): Promise<Uint8Array> => {
    repository.signAs(ROLE, '1.0', digestOf(letter), 7);
    repository.setVersion(ROLE, version);
    repository.publish();
    const bytes = repository.resign(ROLE, () => undefined, { keys: [key] });
    expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf(letter));
    return bytes;
  };
  const old = await sign(2, 'b', alice);
  const last = await sign(5, 'c', alice);
  const bobs = await sign(6, 'd', bob);
  return { world, alice, bob, old, last, bobs };
}

/** Bob is removed; alice's next version is hidden behind one that was seen before. */
function removeBob({ repository }: World, keys: Parameters<typeof repository.setThreshold>[2]): void {
  repository.setThreshold(ROLE, 1, keys);
  repository.setVersion(ROLE, 7);
  repository.publish();
}

test('what the one who stays signed first is older than what they signed last', async () => {
  const { world, alice, old } = await twoSigners();
  removeBob(world, [alice]);
  world.repository.replaceFile(ROLE, old, { version: 2 });
  await refusal(world.resolve(), 'metadata_rollback');
});

test('the same after a restart: it is in the state', async () => {
  const { world, alice, old } = await twoSigners();
  const stored = await world.state.load(GUN);
  if (stored === undefined) throw new Error('nothing was saved');
  const { stamp: _stamp, ...trust } = stored;
  const bytes = Buffer.concat(await encodeStoredTrust(GUN, trust));
  expect((await decodeStoredTrust(GUN, bytes)).floors.get(ROLE)).toMatchObject({
    version: 6,
    earlier: [{ version: 5 }],
  });
  removeBob(world, [alice]);
  world.repository.replaceFile(ROLE, old, { version: 2 });
  await refusal(world.resolve(), 'metadata_rollback');
});

test('what they sign next is served, and so is what they signed last', async () => {
  const { world, alice, last } = await twoSigners();
  removeBob(world, [alice]);
  const next = new Map(world.repository.files);
  world.repository.replaceFile(ROLE, last, { version: 5 });
  expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('c'));
  for (const [name, bytes] of next) world.repository.files.set(name, bytes);
  world.repository.relink();
  expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('d'));
});

test('a version that a stolen key set falls with it, down to what the others signed', async () => {
  const { world, alice, bob } = await twoSigners();
  const { repository } = world;
  repository.setVersion(ROLE, 1_000_000);
  repository.publish();
  repository.resign(ROLE, () => undefined, { keys: [bob] });
  await world.resolve();
  removeBob(world, [alice]);
  repository.resign(ROLE, () => undefined, { keys: [alice] });
  expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('d'));
  expect((await world.state.load(GUN))?.floors.get(ROLE)).toMatchObject({ version: 7 });
  expect((await world.state.load(GUN))?.floors.get(ROLE)?.earlier).toBeUndefined();
});
