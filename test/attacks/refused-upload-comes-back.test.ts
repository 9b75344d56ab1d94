/**
 * The trust server tells a signer that it refused a file, and keeps it. The signer signs another one, under the same version
 * as nothing was published, which is verified; then the server shows the one it kept.
 */
import { expect, test } from '@jest/globals';
import { decodeStoredTrust, encodeStoredTrust } from '../../proxy/cache/state/stored-trust-codec.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { createWorld, digestIn, digestOf, fileOf, GUN, refusal, type World } from '../trust-client/kit.ts';

const RELEASES = 'targets/releases';
const OLD = digestOf('b');
const NEW = digestOf('c');

/** @returns the file that was never published. */
function createSigned(role: string): { readonly world: World; readonly kept: Uint8Array } {
  const world = createWorld();
  const { repository } = world;
  repository.addDelegation('releases');
  repository.addTag('1.0', OLD, 7, { role });
  repository.publish();
  const kept = fileOf(world, role);
  const version = repository.version(role);
  repository.addTag('1.0', NEW, 7, { role });
  repository.setVersion(role, version);
  repository.publish();
  return { world, kept };
}

async function stored(world: World): Promise<StoredTrust> {
  const loaded = await world.state.load(GUN);
  if (loaded === undefined) throw new Error('nothing was saved');
  const { stamp: _stamp, ...trust } = loaded;
  return trust;
}

test.each(['targets', RELEASES])('a file of %s', async (role) => {
  const { world, kept } = createSigned(role);
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  const honest = fileOf(world, role);
  world.repository.replaceFile(role, kept);
  expect((await refusal(world.resolve(), 'metadata_rollback', 'rollback')).role).toBe(role);
  world.repository.replaceFile(role, honest);
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
});

test('it is in the state, and what was remembered before takes nothing away', async () => {
  const { world, kept } = createSigned(RELEASES);
  await world.resolve();
  const trust = await stored(world);
  const bytes = Buffer.concat(await encodeStoredTrust(GUN, trust));
  const { floors } = await decodeStoredTrust(GUN, bytes);
  expect(floors.get(RELEASES)).toMatchObject({ content: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const { stamp } = (await world.state.load(GUN)) ?? {};
  const before = new Map([...floors].map(([role, { content: _content, ...floor }]) => [role, floor]));
  await world.state.save(GUN, { ...trust, floors: before }, { stamp });
  world.repository.replaceFile(RELEASES, kept);
  expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
});

test('more signatures under what was signed are no other content', async () => {
  const world = createWorld();
  const { repository } = world;
  const [alice, bob] = [repository.createKey('ecdsa'), repository.createKey('ecdsa')];
  repository.addDelegation('releases', { keys: [alice, bob] });
  repository.signAs(RELEASES, '1.0', NEW, 7);
  repository.publish();
  repository.resign(RELEASES, () => undefined, { keys: [alice] });
  await world.resolve();
  const both = repository.resign(RELEASES, () => undefined, { keys: [alice, bob] });
  repository.setThreshold(RELEASES, 2, [alice, bob]);
  repository.publish();
  repository.replaceFile(RELEASES, both);
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
});
