/** From one root to the newest: which are asked for, and which may be passed over (TUF 5.3, notary-semantics.md §6.3). */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import type { RepositoryFiles } from '../../proxy/trust-client/fetch.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import {
  catchUpRoots,
  findFirstRoot,
  followRoots,
  type RootChain,
  restoreRootChain,
} from '../../proxy/trust-client/root-chain.ts';
import { parseRootFile, type RootPin } from '../../proxy/trust-client/root-trust.ts';
import { createWorld, FIRST_USE, fileOf, GUN, NOW, refusal, type World } from './kit.ts';
import { withLimitsUntilDone } from './lowered-limits.ts';

/** A server's roots, and what was asked of it: by wire name, `root past caches` for the current one asked so. */
function serve(world: World): RepositoryFiles & { readonly asked: string[] } {
  const asked: string[] = [];
  const answer = async (name: string, label = name) => {
    asked.push(label);
    return world.repository.files.get(name);
  };
  return {
    asked,
    current: (role, revalidate) => answer(role, revalidate === true ? `${role} past caches` : role),
    rootVersion: (version) => answer(`${version}.root`),
    named: (role) => Promise.reject(new Error(`${role} is no root`)),
  };
}

/** Roots 1 to `newest`, each with its own key, signed by the one before. */
function createRotated(newest: number): World {
  const world = createWorld();
  while (world.repository.version('root') < newest) world.repository.rotateKey('root');
  return world;
}

/** Roots that were published although nobody has them any more, but for those that are given. */
function keepOnly(world: World, versions: readonly number[]): void {
  const { files } = world.repository;
  for (const name of [...files.keys()]) {
    const [, version] = /^(\d+)\.root$/.exec(name) ?? [];
    if (version !== undefined && !versions.includes(Number(version))) files.delete(name);
  }
}

function rootOf(world: World, version: number): Uint8Array {
  return fileOf(world, `${version}.root`);
}

function chainOf(world: World, ...versions: readonly [number, ...number[]]): RootChain {
  const [first, ...later] = versions.map((version) => parseRootFile(rootOf(world, version)));
  if (first === undefined) throw new Error('a chain has a root');
  return [first, ...later];
}

function versionsOf(chain: RootChain): readonly number[] {
  return chain.map(({ metadata }) => metadata.version);
}

function names(first: number, last: number): readonly string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}.root`);
}

/** The root key as it is now, pinned. */
function pinOf({ repository }: World): RootPin {
  return { kind: 'keys', ids: new Set(repository.keys('root').map(({ id }) => id)) };
}

const STRANGER: RootPin = { kind: 'keys', ids: new Set(['0'.repeat(64)]) };

describe('the chain that is remembered', () => {
  const world = createRotated(4);
  const bytes = [1, 2, 3, 4].map((version) => rootOf(world, version));

  test('is checked step by step to its end', async () => {
    expect(versionsOf(await restoreRootChain(bytes, GUN, FIRST_USE))).toEqual([1, 2, 3, 4]);
  });

  test('with a link missing is damaged state, and says which role and why', async () => {
    const error = await refusal(
      restoreRootChain(bytes.toSpliced(1, 2), GUN, FIRST_USE),
      'trust_unreachable',
      'state',
    );
    expect(error).toMatchObject({ role: 'root', cause: { code: 'root_rotation_refused' } });
  });

  test('without any root is damaged state', async () => {
    const error = await refusal(restoreRootChain([], GUN, FIRST_USE), 'trust_unreachable', 'state');
    expect(error.role).toBe('root');
  });
});

describe('the search for the pinned root in the history', () => {
  test('goes through every version below the newest, the last one too, and no further', async () => {
    const world = createRotated(2);
    world.repository.setVersion('root', 2 + LIMITS.parallelFetches);
    world.repository.publish();
    keepOnly(world, [1, 2]);
    const files = serve(world);
    await refusal(findFirstRoot(files, GUN, STRANGER, NOW), 'key_not_pinned', 'key_mismatch');
    expect(files.asked).toEqual(['root', ...names(1, 1 + LIMITS.parallelFetches)]);
  });

  test('passes over versions that are missing', async () => {
    const world = createRotated(3);
    const pin = pinOf(world);
    world.repository.rotateKey('root');
    keepOnly(world, [3, 4]);
    expect(versionsOf(await findFirstRoot(serve(world), GUN, pin, NOW))).toEqual([3, 4]);
  });

  test('stops at the pinned root: of what comes later only the next is asked for', async () => {
    const world = createWorld();
    const pin = pinOf(world);
    world.repository.rotateKey('root');
    world.repository.setVersion('root', 30);
    world.repository.publish();
    keepOnly(world, [1]);
    const files = serve(world);
    expect(versionsOf(await findFirstRoot(files, GUN, pin, NOW))).toEqual([1]);
    expect(files.asked).toEqual(['root', ...names(1, LIMITS.parallelFetches), '2.root']);
  });

  test('finds nothing for a key that no root ever had, however well the roots hold together', async () => {
    await refusal(findFirstRoot(serve(createRotated(3)), GUN, STRANGER, NOW), 'key_not_pinned');
  });

  test.each([
    ['a CA', { kind: 'ca', anchors: [] }],
    ['nobody', { kind: 'refuse' }],
  ] as const)('is not made for %s: only the ID of a key outlives its rotation', async (_who, pin) => {
    const files = serve(createRotated(3));
    await refusal(findFirstRoot(files, GUN, pin, NOW), 'key_not_pinned', 'key_mismatch');
    expect(files.asked).toEqual(['root']);
  });

  test('is not made when the newest root is no good by itself', async () => {
    const world = createRotated(2);
    world.repository.rotateKey('root', 'ecdsa');
    const files = serve(world);
    await refusal(findFirstRoot(files, GUN, STRANGER, NOW), 'metadata_invalid', 'key_mismatch');
    expect(files.asked).toEqual(['root']);
  });
});

describe('following version by version', () => {
  test('after a first hit the next ones are asked for together', async () => {
    const world = createRotated(2);
    const files = serve(world);
    expect(versionsOf(await followRoots(files, GUN, chainOf(world, 1)))).toEqual([1, 2]);
    expect(files.asked).toEqual(['2.root', ...names(3, 2 + LIMITS.parallelFetches)]);
  });

  test('ends at the first that is missing, whatever comes after it', async () => {
    const world = createRotated(6);
    keepOnly(world, [1, 2, 3, 5, 6]);
    expect(versionsOf(await followRoots(serve(world), GUN, chainOf(world, 1)))).toEqual([1, 2, 3]);
    keepOnly(world, [1, 3, 5]);
    expect(versionsOf(await followRoots(serve(world), GUN, chainOf(world, 1)))).toEqual([1]);
  });

  test('a long history does not count against the new roots of one update', async () => {
    const world = createRotated(2);
    const [first] = chainOf(world, 1);
    const history: RootChain = [first, ...Array.from({ length: LIMITS.rootsPerUpdate }, () => first)];
    expect(await followRoots(serve(world), GUN, history)).toHaveLength(history.length + 1);
  });

  test('all roots together may have so many bytes, and one more is refused by name', async () => {
    const world = createRotated(2);
    const [first] = chainOf(world, 1);
    const left = LIMITS.chainBytes - rootOf(world, 2).length;
    const full: RootChain = [first, { ...first, bytes: Buffer.alloc(left - first.bytes.length) }];
    const over: RootChain = [first, { ...first, bytes: Buffer.alloc(left - first.bytes.length + 1) }];
    // The newest is looked at for its version: both are root 1 here.
    expect(await followRoots(serve(world), GUN, full)).toHaveLength(3);
    const error = await refusal(followRoots(serve(world), GUN, over), 'metadata_invalid', 'size');
    expect(error.role).toBe('root');
    expect(error.message).toContain(`3 roots of ${GUN} have ${LIMITS.chainBytes + 1} bytes`);
  });

  test('what was followed before one that is too many is kept', async () => {
    const world = createRotated(3);
    const [first] = chainOf(world, 1);
    const left = LIMITS.chainBytes - rootOf(world, 2).length - rootOf(world, 3).length + 1;
    const kept: (readonly number[])[] = [];
    const followed = followRoots(
      serve(world),
      GUN,
      [{ ...first, bytes: Buffer.alloc(left) }],
      async (chain) => {
        kept.push(versionsOf(chain));
      },
    );
    await refusal(followed, 'metadata_invalid', 'size');
    expect(kept).toEqual([[1, 2]]);
  });

  test('a root under another version than its own is refused by name', async () => {
    const world = createRotated(3);
    world.repository.files.set('2.root', rootOf(world, 3));
    const error = await refusal(followRoots(serve(world), GUN, chainOf(world, 1)), 'metadata_rollback');
    expect(error.role).toBe('root');
  });

  test('a root that the one before did not sign is refused by name, with what its signatures lack', async () => {
    const world = createWorld();
    world.repository.rotateKey('root', undefined, { crossSign: false });
    const error = await refusal(followRoots(serve(world), GUN, chainOf(world, 1)), 'root_rotation_refused');
    expect(error.role).toBe('root');
    expect(error.cause).toMatchObject({ fault: 'threshold', role: 'root' });
  });
});

describe('catching up after a failure', () => {
  test('what is found version by version is enough', async () => {
    const world = createRotated(2);
    const files = serve(world);
    expect(versionsOf(await catchUpRoots(files, GUN, chainOf(world, 1)))).toEqual([1, 2]);
    expect(files.asked.filter((name) => !name.includes('.'))).toEqual([]);
  });

  test('otherwise the current root is asked for past every cache, and may be any later one', async () => {
    const world = createWorld();
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('timestamp');
    const files = serve(world);
    keepOnly(world, [1, 3]);
    expect(versionsOf(await catchUpRoots(files, GUN, chainOf(world, 1)))).toEqual([1, 3]);
    expect(files.asked).toEqual(['2.root', 'root past caches']);
  });

  test('a current root that the trusted keys did not sign is refused', async () => {
    const world = createRotated(3);
    keepOnly(world, [1]);
    await refusal(catchUpRoots(serve(world), GUN, chainOf(world, 1)), 'root_rotation_refused', 'signature');
  });

  test('a root that is no good for another reason than who signed it is refused for that, and is no lag', async () => {
    const world = createWorld();
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('timestamp');
    keepOnly(world, [1]);
    const chain = chainOf(world, 1);
    const catchUp = () => catchUpRoots(serve(world), GUN, chain);
    const error = await refusal(
      withLimitsUntilDone({ chainBytes: rootOf(world, 1).length }, catchUp),
      'metadata_invalid',
      'size',
    );
    expect(error.isLag).toBe(false);
    world.repository.files.set('root', Buffer.from('{}'));
    await refusal(catchUp(), 'metadata_invalid', 'format');
  });

  test('one that we went through already, or none at all, is no newer root', async () => {
    const world = createRotated(2);
    const chain = chainOf(world, 1, 2);
    world.repository.files.set('root', rootOf(world, 1));
    expect(await catchUpRoots(serve(world), GUN, chain)).toEqual(chain);
    world.repository.files.delete('root');
    expect(await catchUpRoots(serve(world), GUN, chain)).toEqual(chain);
  });
});

describe('how many new roots one update follows', () => {
  test('a chain that ends below the bound is followed, one that reaches it is refused', async () => {
    const world = createRotated(2);
    const follow = (rootsPerUpdate: number) =>
      withLimitsUntilDone({ rootsPerUpdate }, () => followRoots(serve(world), GUN, chainOf(world, 1)));
    expect(versionsOf(await follow(2))).toEqual([1, 2]);
    const error = await refusal(follow(1), 'metadata_invalid', 'size');
    expect(error.role).toBe('root');
  });

  test('as many of the history are searched for a pinned root', async () => {
    const files = serve(createRotated(4));
    await refusal(
      withLimitsUntilDone({ rootsPerUpdate: 2 }, () => findFirstRoot(files, GUN, STRANGER, NOW)),
      'key_not_pinned',
    );
    expect(files.asked).toEqual(['root', '1.root', '2.root']);
  });
});

describe('a root that only a replica behind the others shows is a lag, and speaks against nothing', () => {
  const follow = (world: World, chain: RootChain) => followRoots(serve(world), GUN, chain);
  const catchUp = (world: World, chain: RootChain) => catchUpRoots(serve(world), GUN, chain);

  test('one that was followed before, under the next number', async () => {
    const world = createRotated(2);
    world.repository.files.set('3.root', rootOf(world, 1));
    const error = await refusal(follow(world, chainOf(world, 1, 2)), 'metadata_rollback', 'rollback');
    expect(error.isLag).toBe(true);
  });

  test('but not one that was never seen', async () => {
    const world = createRotated(3);
    world.repository.files.set('2.root', rootOf(world, 3));
    const error = await refusal(follow(world, chainOf(world, 1)), 'metadata_rollback', 'rollback');
    expect(error.isLag).toBe(false);
  });

  test('one with a gap before it', async () => {
    const world = createRotated(3);
    keepOnly(world, [1]);
    const error = await refusal(catchUp(world, chainOf(world, 1)), 'root_rotation_refused', 'signature');
    expect(error).toMatchObject({ isLag: true, role: 'root' });
  });

  test('but not the very next one, which the trusted keys should have signed', async () => {
    const world = createWorld();
    world.repository.rotateKey('root', undefined, { crossSign: false });
    keepOnly(world, [1]);
    const error = await refusal(catchUp(world, chainOf(world, 1)), 'root_rotation_refused');
    expect(error.isLag).toBe(false);
  });

  test('one from before the first that was seen, whose keys signed that', async () => {
    const world = createRotated(2);
    world.repository.files.set('root', rootOf(world, 1));
    const error = await refusal(catchUp(world, chainOf(world, 2)), 'root_rotation_refused');
    expect(error.isLag).toBe(true);
  });

  /** Another root 1 under the same key. */
  function otherFirst(world: World): Uint8Array {
    const [root, first] = [fileOf(world, 'root'), rootOf(world, 1)];
    const other = world.repository.resign('root', (signed) => Object.assign(signed, { note: 'other' }), {
      propagate: false,
    });
    world.repository.files.set('root', root);
    world.repository.files.set('1.root', first);
    return other;
  }

  test('one older than the newest, which its keys vouch for', async () => {
    const world = createWorld();
    const other = otherFirst(world);
    world.repository.rotateKey('timestamp');
    const chain = chainOf(world, 1, 2);
    world.repository.files.set('root', other);
    const error = await refusal(catchUp(world, chain), 'metadata_rollback', 'rollback');
    expect(error.isLag).toBe(true);
    expect(error.message).toContain('version 1 is older than version 3');
  });

  test('but not one with the version of the first that was seen, although its keys signed that', async () => {
    const world = createWorld();
    const other = otherFirst(world);
    world.repository.rotateKey('root');
    const chain = chainOf(world, 1, 2);
    world.repository.files.set('root', other);
    const error = await refusal(catchUp(world, chain), 'root_rotation_refused');
    expect(error.isLag).toBe(false);
  });

  test.each([
    ['from before the first that was seen, whose keys signed nothing of it', 2],
    ['with the version of the first that was seen', 1],
  ])('but not one of a repository that was created again: %s', async (_what, seen) => {
    const world = createRotated(seen);
    const stranger = createWorld();
    const chain = chainOf(world, seen);
    world.repository.files.set('root', rootOf(stranger, 1));
    const error = await refusal(catchUp(world, chain), 'root_rotation_refused');
    expect(error.isLag).toBe(false);
  });
});

describe('time that runs out while roots are checked is never taken for a root that is no good', () => {
  /** Every step takes so long that the time is looked at after it; time is up at the given look. */
  function lateAt(look: number) {
    let looks = 0;
    let now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => {
      now += 10;
      return now;
    });
    const signal = Object.defineProperty(new EventTarget(), 'aborted', {
      get: () => {
        looks += 1;
        return looks > look;
      },
    }) as AbortSignal;
    return { signal, wasLate: () => looks > look };
  }

  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each([
    [
      'in the history',
      'key_not_pinned',
      (files: RepositoryFiles) => findFirstRoot(files, GUN, STRANGER, NOW),
    ],
    [
      'from before the first',
      'root_rotation_refused',
      (files: RepositoryFiles, world: World) => catchUpRoots(files, GUN, chainOf(world, 2)),
    ],
  ] as const)('%s', async (_where, code, ask) => {
    const world = createRotated(code === 'key_not_pinned' ? 3 : 2);
    if (code === 'root_rotation_refused') world.repository.files.set('root', rootOf(world, 1));
    for (let look = 0; ; look += 1) {
      const { signal, wasLate } = lateAt(look);
      const attempt = ask({ ...serve(world), signal }, world);
      const failure: unknown = await attempt.catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: wasLate() ? 'deadline_exceeded' : code });
      if (!wasLate()) return expect(look).toBeGreaterThan(5);
    }
  });
});
