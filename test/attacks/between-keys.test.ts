/**
 * `targets` gives `targets/releases` other keys, and the file is still the one the old keys signed, or one that the holder
 * of the online keys chose: Docker passes it over and takes the tag from `targets`, where an older entry is left from
 * before there were signers.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import { createFileState } from '../../proxy/cache/state/file-state.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import { createFolder, removeFolders } from '../config/scratch.ts';
import { createWorld, DAY_MS, digestIn, digestOf, fileOf, refusal, type World } from '../trust-client/kit.ts';

const RELEASES = 'targets/releases';
const OLD = digestOf('b');
const NEW = digestOf('c');
const NEWER = digestOf('d');

afterAll(removeFolders);

/** `1.0` is old in `targets` and new in `targets/releases`, which was verified; `3.20` is in `targets` only. */
async function createKnownWorld(change?: (world: World) => void): Promise<World> {
  const world = createWorld();
  world.repository.addTag('1.0', OLD, 7);
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', NEW, 7);
  change?.(world);
  world.repository.publish();
  expect(digestIn(await world.resolve(), '1.0')).toBe(change === undefined ? NEW : undefined);
  return world;
}

/** What `targets` declares changes; the delegation's own file does not. */
function redeclare({ repository, ...world }: World, change: () => void, file?: Uint8Array): void {
  const before = file ?? fileOf({ repository, ...world } as World, RELEASES);
  change();
  repository.publish();
  repository.replaceFile(RELEASES, before);
}

function replaceKeys(world: World, file?: Uint8Array): void {
  const { repository } = world;
  redeclare(world, () => repository.setThreshold(RELEASES, 1, [repository.createKey('ecdsa')]), file);
}

function skippedIn(trust: VerifiedRepository): string | undefined {
  return trust.roles.find(({ role }) => role === RELEASES)?.skipped;
}

function expectHidden(trust: VerifiedRepository, skipped = 'threshold', now?: Date): void {
  expect(digestIn(trust, '1.0', now)).toBeUndefined();
  expect(digestIn(trust, '3.20', now)).toBe(digestOf('a'));
  expect(skippedIn(trust)).toBe(skipped);
}

test('the file of before under new keys', async () => {
  const world = await createKnownWorld();
  replaceKeys(world);
  expectHidden(await world.resolve());
  expectHidden(await world.resolve());
});

test('the tag lists leave it out', async () => {
  const world = await createKnownWorld();
  replaceKeys(world);
  const trust = await world.resolve();
  expect(trust.tags(world.now)).toEqual(['3.20']);
  expect(trust.tagsNear('1.0', world.now, 10)).toEqual(['3.20']);
});

test('the signer who signed last was removed, and the other one had signed nothing', async () => {
  const world = createWorld();
  const { repository } = world;
  const [alice, bob] = [repository.createKey('ecdsa'), repository.createKey('ecdsa')];
  repository.addTag('1.0', OLD, 7);
  repository.addDelegation('releases', { keys: [alice, bob] });
  repository.signAs('releases', '1.0', NEW, 7);
  repository.publish();
  const bobs = repository.resign(RELEASES, () => undefined, { keys: [bob] });
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  redeclare(world, () => repository.setThreshold(RELEASES, 1, [alice]), bobs);
  expectHidden(await world.resolve());
});

test.each([false, true])(
  'the signer who signed last was removed, and the other one before (restart: %s)',
  async (isRestored) => {
    const world = createWorld();
    const { repository } = world;
    const [alice, bob] = [repository.createKey('ecdsa'), repository.createKey('ecdsa')];
    repository.addTag('1.0', OLD, 7);
    repository.addDelegation('releases', { keys: [alice, bob] });
    const sign = async (digest: typeof NEW, key: typeof alice) => {
      repository.setVersion(RELEASES, repository.version(RELEASES) + 4);
      repository.signAs('releases', '1.0', digest, 7);
      repository.publish();
      repository.resign(RELEASES, () => undefined, { keys: [key] });
      expect(digestIn(await world.resolve(), '1.0')).toBe(digest);
    };
    await sign(NEW, alice);
    await sign(NEWER, bob);
    redeclare(world, () => repository.setThreshold(RELEASES, 1, [alice]));
    expectHidden(await world.resolve());
    if (isRestored) expectHidden(await world.restore());
    // The one who was removed, together with whoever holds the online keys.
    const shown = (keys: (typeof alice)[], version: number) =>
      repository.resign(
        RELEASES,
        (signed) => {
          signed.targets = {};
          signed.version = version;
        },
        { keys },
      );
    shown([bob], 9);
    expectHidden(await world.resolve());
    shown([alice], 1);
    expect((await refusal(world.resolve(), 'metadata_rollback', 'rollback')).role).toBe(RELEASES);
    repository.signAs('releases', '1.0', NEW, 7);
    repository.publish();
    expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  },
);

test('another file that the new keys did not sign', async () => {
  const world = await createKnownWorld();
  const { repository } = world;
  const oldKeys = repository.keys(RELEASES);
  replaceKeys(world);
  await world.resolve();
  for (let version = 7; version < 10; version += 1) {
    repository.resign(
      RELEASES,
      (signed) => {
        signed.targets = {};
        signed.version = version;
      },
      { keys: oldKeys },
    );
    expectHidden(await world.resolve());
    expectHidden(await world.restore());
  }
});

test('a file of the new keys that has expired', async () => {
  const world = await createKnownWorld();
  const { repository } = world;
  repository.setThreshold(RELEASES, 1, [repository.createKey('ecdsa')]);
  repository.setExpiry(RELEASES, new Date(world.now.getTime() - DAY_MS));
  repository.removeTag('1.0', RELEASES);
  repository.publish();
  expectHidden(await world.resolve(), 'expired');
});

test('while the server is away, and in another process on the same folder', async () => {
  const folder = createFolder();
  const world = await createKnownWorld();
  world.state = createFileState(folder);
  expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  replaceKeys(world);
  await world.resolve();
  expectHidden(await world.restore());
  world.state = createFileState(folder);
  expectHidden(await world.restore());
  expectHidden(await world.resolve());
});

test('replaced twice before anything is signed', async () => {
  const world = await createKnownWorld();
  const file = fileOf(world, RELEASES);
  replaceKeys(world, file);
  await world.resolve();
  replaceKeys(world, file);
  expectHidden(await world.resolve());
});

test('a role below it: Docker refuses what that names, and goes on doing so', async () => {
  const world = await createKnownWorld(({ repository }) => {
    repository.removeTag('1.0', RELEASES);
    repository.addDelegation('qa', { parent: RELEASES });
    repository.signAs('targets/releases/qa', '1.0', NEW, 7);
  });
  replaceKeys(world);
  expectHidden(await world.resolve());
  expectHidden(await world.restore());
});

describe('what ends it', () => {
  test('the first file the new keys sign', async () => {
    const world = await createKnownWorld();
    replaceKeys(world);
    await world.resolve();
    world.repository.signAs('releases', '1.0', NEWER, 7);
    world.repository.publish();
    const trust = await world.resolve();
    expect(digestIn(trust, '1.0')).toBe(NEWER);
    expect(skippedIn(trust)).toBeUndefined();
  });

  test('the old keys are given back', async () => {
    const world = await createKnownWorld();
    const keys = world.repository.keys(RELEASES);
    const file = fileOf(world, RELEASES);
    replaceKeys(world);
    await world.resolve();
    redeclare(world, () => world.repository.setThreshold(RELEASES, 1, keys), file);
    expect(digestIn(await world.resolve(), '1.0')).toBe(NEW);
  });

  test('a removal from targets', async () => {
    const world = await createKnownWorld();
    replaceKeys(world);
    await world.resolve();
    world.repository.removeDelegation('releases');
    world.repository.publish();
    expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
  });

  test('paths that leave the tag to targets', async () => {
    const world = await createKnownWorld();
    redeclare(world, () => {
      const keys = [world.repository.createKey('ecdsa')];
      world.repository.addDelegation('releases', { keys, paths: ['2.'] });
    });
    expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
  });
});

test('first contact has nothing to remember: as Docker does, it is passed over', async () => {
  const world = createWorld();
  world.repository.addTag('1.0', OLD, 7);
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', NEW, 7);
  world.repository.publish();
  replaceKeys(world);
  expect(digestIn(await world.resolve(), '1.0')).toBe(OLD);
});

test('what it listed comes back neither by leaving the file out afterwards', async () => {
  const world = await createKnownWorld();
  replaceKeys(world);
  await world.resolve();
  world.repository.resign('snapshot', (signed) => {
    delete (signed.meta as Record<string, unknown>)[RELEASES];
    signed.version = world.repository.version('snapshot') + 1;
  });
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});
