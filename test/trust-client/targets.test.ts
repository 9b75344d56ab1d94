/** Looking tags up in what was verified, as time passes, and what is said of the roles (notary-semantics.md §8). */
import { describe, expect, test } from '@jest/globals';
import { createWorld, DAY_MS, digestOf, NOW } from './kit.ts';

const IN_A_DAY = new Date(NOW.getTime() + DAY_MS);
const A_MOMENT_LATER = new Date(IN_A_DAY.getTime() + 1);

describe('expiry', () => {
  test('the moment a role expires at is the last at which it counts (notary-semantics.md §7)', async () => {
    const world = createWorld();
    world.repository.setExpiry('timestamp', IN_A_DAY);
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.setExpiry('targets/releases', IN_A_DAY);
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.tags(IN_A_DAY)).toEqual(['1.0', '3.20']);
    expect(trust.tags(A_MOMENT_LATER)).toEqual([]);
  });

  test('a tag is good no longer than the role of the four that expires first, of several the one above', async () => {
    const world = createWorld();
    for (const role of ['snapshot', 'targets']) world.repository.setExpiry(role, IN_A_DAY);
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.firstToExpire).toBe('snapshot');
    expect(['1.0', '3.20'].map((tag) => trust.target(tag, NOW)?.expires)).toEqual([IN_A_DAY, IN_A_DAY]);
  });

  test('a delegation counts no longer than the one above it', async () => {
    const world = createWorld();
    world.repository.addDelegation('qa');
    world.repository.addDelegation('targets/qa/sub');
    world.repository.signAs('targets/qa/sub', '3.20', digestOf('a'), 1862);
    world.repository.setExpiry('targets/qa', IN_A_DAY);
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.target('3.20', IN_A_DAY)?.signers).toEqual(['qa/sub']);
    expect(trust.target('3.20', A_MOMENT_LATER)?.signers).toEqual([]);
  });

  test('below targets/releases too: what an expired role names is not taken from an older targets', async () => {
    const world = createWorld();
    for (const name of ['releases', 'targets/releases/a', 'targets/releases/a/b']) {
      world.repository.addDelegation(name);
    }
    world.repository.signAs('targets/releases/a/b', '3.20', digestOf('c'), 7);
    world.repository.setExpiry('targets/releases/a', IN_A_DAY);
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.target('3.20', IN_A_DAY)).toBeUndefined();
    expect(trust.target('3.20', A_MOMENT_LATER)).toBeUndefined();
  });
});

test('an entry without a sha256 is no signed tag (notary-semantics.md §2.3)', async () => {
  const world = createWorld();
  world.repository.resign('targets', (signed) => {
    const sha512 = Buffer.alloc(64).toString('base64');
    Object.assign(signed.targets, { '3.20': { hashes: { sha512 }, length: 1862 } });
  });
  const trust = await world.resolve();
  expect(trust.target('3.20', NOW)).toBeUndefined();
  expect(trust.tags(NOW)).toEqual([]);
});

describe('signed tags near another', () => {
  const named = (count: number) =>
    Array.from({ length: count }, (_, at) => `t${String(at).padStart(4, '0')}`);
  const repositoryOf = async (tags: readonly string[], released: readonly string[] = [], below = 0) => {
    const world = createWorld();
    for (const tag of tags) world.repository.addTag(tag, digestOf('a'), 7);
    if (released.length + below > 0) world.repository.addDelegation('releases');
    for (const tag of released) world.repository.signAs('releases', tag, digestOf('b'), 7);
    for (let role = 0; role < below; role += 1) {
      world.repository.addDelegation(`targets/releases/r${role}`);
      world.repository.signAs(`targets/releases/r${role}`, 'elsewhere', digestOf('c'), 7);
    }
    world.repository.publish();
    return await world.resolve();
  };

  test('as many on each side as are asked for', async () => {
    const trust = await repositoryOf(named(9));
    expect(trust.tagsNear('t0004', NOW, 2)).toEqual(['t0002', 't0003', 't0004', 't0005']);
    expect(trust.tagsNear('t', NOW, 1)).toEqual(['3.20', 't0000']);
    expect(trust.tagsNear('u', NOW, 2)).toEqual(['t0007', 't0008']);
    expect(trust.tagsNear('0', NOW, 2)).toEqual(['3.20', 't0000']);
  });

  test('sorted, whichever role they are taken from', async () => {
    const trust = await repositoryOf(['a', 'c'], ['b', 'd']);
    expect(trust.tagsNear('b', NOW, 5)).toEqual(['3.20', 'a', 'b', 'c', 'd']);
  });

  test('no more than are looked up with little work: the fewer, the more roles are asked', async () => {
    const tags = named(1100);
    expect((await repositoryOf(tags)).tagsNear('t0550', NOW, 1100)).toHaveLength(2 * 500);
    expect((await repositoryOf(tags, [], 4)).tagsNear('t0550', NOW, 1100)).toHaveLength(2 * 100);
  });
});

test('the roles: the four first, then delegations by name, those that are passed over among them', async () => {
  const world = createWorld();
  const { repository } = world;
  for (const name of ['d', 'b', 'c', 'a']) {
    repository.addDelegation(name, name === 'a' ? { keyCount: 2, threshold: 2 } : {});
    if (name !== 'b') repository.signAs(name, '1.0', digestOf('b'), 7);
  }
  repository.publish();
  const { roles } = await world.resolve();
  expect(roles.map(({ role, version, skipped }) => [role, version, skipped])).toEqual([
    ['root', 1, undefined],
    ['timestamp', 2, undefined],
    ['snapshot', 2, undefined],
    ['targets', 2, undefined],
    ['targets/a', 1, undefined],
    ['targets/b', 0, 'absent'],
    ['targets/c', 1, undefined],
    ['targets/d', 1, undefined],
  ]);
  for (const { role, keyIds, canonicalKeyIds, threshold } of roles) {
    const keys = repository.keys(role);
    expect({ role, keyIds, canonicalKeyIds, threshold }).toEqual({
      role,
      keyIds: keys.map(({ id }) => id),
      canonicalKeyIds: keys.map(({ canonicalId }) => canonicalId),
      threshold: role === 'targets/a' ? 2 : 1,
    });
  }
});

describe('what it keeps in memory, in bytes', () => {
  type Delegated = Parameters<ReturnType<typeof createWorld>['repository']['addDelegation']>[1];
  const held = async (delegated?: Delegated, isPublished = true) => {
    const world = createWorld();
    if (delegated !== undefined) {
      world.repository.addDelegation('b', delegated);
      if (isPublished) world.repository.signAs('b', '1.0', digestOf('b'), 7);
    }
    world.repository.publish();
    return await world.resolve();
  };
  type Held = Awaited<ReturnType<typeof held>>;
  /** But for the root, which is a few bytes longer or shorter by its signatures. */
  const grown = (before: Held, after: Held) =>
    after.bytes - after.root.bytes.length - (before.bytes - before.root.bytes.length);
  /** Two for each character and 32 for the text itself. */
  const textOf = (characters: number) => 2 * characters + 32;
  /** A key by its two IDs. */
  const KEY = 2 * textOf(64);
  const ROLE = 1024;

  test('is the newest root, each role with the IDs of its keys, and the table of targets', async () => {
    const { bytes, root, roles } = await held();
    const named = roles.reduce(
      (sum, { role, keyIds }) => sum + ROLE + textOf(role.length) + keyIds.length * KEY,
      0,
    );
    const table = bytes - root.bytes.length - named;
    expect(table).toBeGreaterThan(0);
    expect(table).toBeLessThan(200);
  });

  test('counts a delegation although nothing of it was published', async () => {
    const [none, one] = [await held(), await held({}, false)];
    expect(grown(none, one)).toBe(ROLE + textOf('targets/b'.length) + KEY);
  });

  test('counts each key of a delegation in its role and among those that signed', async () => {
    const [one, two] = [await held({ keyCount: 1 }), await held({ keyCount: 2, threshold: 2 })];
    // Of those that signed an ID is held once where it is the canonical one too.
    expect(grown(one, two)).toBe(KEY + textOf(64));
  });

  test('counts each path, by its characters', async () => {
    const [short, long, another] = [
      await held({ paths: ['1'] }),
      await held({ paths: ['1'.repeat(101)] }),
      await held({ paths: ['1', '2'] }),
    ];
    expect(grown(short, long)).toBe(200);
    expect(grown(short, another)).toBe(textOf(1));
  });
});
