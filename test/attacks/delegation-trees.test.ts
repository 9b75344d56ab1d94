/** Many delegations, wide and deep, some of them no good (notary-semantics.md §7.2, §8, §13; limits.ts). */
import { describe, expect, test } from '@jest/globals';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { createWorld, digestIn, digestOf, refusal, type World } from '../trust-client/kit.ts';

const KEY = createSigningKey('ecdsa');

function addDelegations(world: World, names: readonly string[]): void {
  for (const name of names) {
    world.repository.addDelegation(name, { keys: [KEY] });
    world.repository.signAs(name, '1.0', digestOf('b'), 7);
  }
}

function numbered(count: number, parent = 'targets'): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${parent}/d${index}`);
}

function chain(depth: number): readonly string[] {
  return Array.from({ length: depth }, (_, index) => `targets${'/d'.repeat(index + 1)}`);
}

describe('wide', () => {
  test('as many as the limit are followed', async () => {
    const world = createWorld();
    addDelegations(world, numbered(LIMITS.delegations));
    world.repository.publish();
    expect((await world.resolve()).roles).toHaveLength(4 + LIMITS.delegations);
  });

  test('one role may not declare more', async () => {
    const world = createWorld();
    addDelegations(world, numbered(LIMITS.delegations + 1));
    world.repository.publish();
    const error = await refusal(world.resolve(), 'metadata_invalid', 'size');
    expect(error.role).toBe('targets');
  });

  test('nor several roles together', async () => {
    const world = createWorld();
    const half = LIMITS.delegations / 2;
    addDelegations(world, [...numbered(half), ...numbered(half, 'targets/d0'), 'targets/d1/one-more']);
    world.repository.publish();
    await refusal(world.resolve(), 'metadata_invalid', 'size');
  });

  test('those that are passed over count too, as they were fetched and looked at', async () => {
    const world = createWorld();
    const half = LIMITS.delegations / 2;
    const rest = numbered(half, 'targets/d0');
    addDelegations(world, [...numbered(half), ...rest, 'targets/d1/one-more']);
    for (const name of rest) world.repository.setThreshold(name, 2);
    world.repository.publish();
    await refusal(world.resolve(), 'metadata_invalid', 'size');
  });
});

describe('deep', () => {
  test('as deep as the limit is followed', async () => {
    const world = createWorld();
    addDelegations(world, chain(LIMITS.delegationDepth));
    world.repository.publish();
    const { roles } = await world.resolve();
    expect(roles.at(-1)?.role).toBe(`targets${'/d'.repeat(LIMITS.delegationDepth)}`);
  });

  test('one level more is refused', async () => {
    const world = createWorld();
    addDelegations(world, chain(LIMITS.delegationDepth + 1));
    world.repository.publish();
    await refusal(world.resolve(), 'metadata_invalid', 'size');
  });
});

describe('malformed', () => {
  /** Lets targets declare its first delegation otherwise. */
  function redeclare(world: World, change: object): void {
    addDelegations(world, ['targets/qa']);
    world.repository.publish();
    world.repository.resign('targets', (signed) => {
      signed.delegations.roles = signed.delegations.roles.map((role) => ({ ...role, ...change }));
    });
  }

  test.each([
    ['a name outside targets', { name: 'snapshot' }],
    ['targets itself', { name: 'targets' }],
    ['a grandchild', { name: 'targets/qa/sub' }],
    ['an upper-case name', { name: 'targets/QA' }],
    ['a name with a dot', { name: 'targets/..' }],
    ['an empty segment', { name: 'targets//qa' }],
    ['a trailing slash', { name: 'targets/qa/' }],
    ['a newline after the name', { name: 'targets/qa\n' }],
    ['a name of 256 characters', { name: `targets/${'a'.repeat(248)}` }],
    ['paths that are no list', { paths: '' }],
    ['paths that are numbers', { paths: [1] }],
    ['keyids that are no list', { keyids: {} }],
    ['a key that is not declared', { keyids: ['0'.repeat(64)] }],
    ['a threshold that is a string', { threshold: '1' }],
  ])('%s', async (_what, change) => {
    const world = createWorld();
    redeclare(world, change);
    const error = await refusal(world.resolve(), 'metadata_invalid', 'format');
    expect(error.role).toBe('targets');
  });

  test('more paths than are compared', async () => {
    const world = createWorld();
    redeclare(world, { paths: Array.from({ length: LIMITS.paths + 1 }, () => '') });
    await refusal(world.resolve(), 'metadata_invalid', 'size');
  });

  test('one delegation declared twice', async () => {
    const world = createWorld();
    addDelegations(world, ['targets/qa']);
    world.repository.publish();
    world.repository.resign('targets', (signed) => {
      signed.delegations.roles = [...signed.delegations.roles, ...signed.delegations.roles];
    });
    await refusal(world.resolve(), 'metadata_invalid', 'format');
  });

  test('no delegations member at all is none (notary-semantics.md §3.3: the decoder leaves it empty)', async () => {
    const world = createWorld();
    world.repository.resign('targets', (signed) => {
      Object.assign(signed, { delegations: undefined });
    });
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });
});

describe('paths', () => {
  test('a child keeps only what its parent may sign, at every level (notary-semantics.md §8)', async () => {
    const world = createWorld();
    const { repository } = world;
    repository.addDelegation('releases', { keys: [KEY], paths: ['1.', '2.'] });
    repository.addDelegation('targets/releases/sub', { keys: [KEY], paths: ['', '1.5', '3.'] });
    repository.addDelegation('targets/qa', { keys: [KEY], paths: ['1.'] });
    repository.addDelegation('targets/qa/sub', { keys: [KEY], paths: ['', '1.5', '2.'] });
    for (const tag of ['1.4', '1.5', '2.0', '3.0']) {
      repository.addTag(tag, digestOf('d'), 7);
      repository.signAs('targets/qa/sub', tag, digestOf('d'), 7);
      repository.signAs('targets/releases/sub', tag, digestOf('c'), 7);
    }
    repository.publish();
    const trust = await world.resolve();
    const seen = (tag: string) => trust.target(tag, world.now);
    // Below releases only 1.5 is left, and a hit there hides the tag; the others come from targets.
    expect(seen('1.5')).toBeUndefined();
    expect(['1.4', '2.0', '3.0'].map((tag) => seen(tag)?.role)).toEqual(['targets', 'targets', 'targets']);
    expect(['1.4', '2.0', '3.0'].map((tag) => seen(tag)?.signers)).toEqual([[], [], []]);
  });

  test('a signer counts only for what every role above it may sign', async () => {
    const world = createWorld();
    const { repository } = world;
    repository.addDelegation('qa', { keys: [KEY], paths: ['3.'] });
    repository.addDelegation('targets/qa/sub', { keys: [KEY], paths: ['3.2'] });
    repository.signAs('targets/qa/sub', '3.20', digestOf('a'), 1862);
    repository.signAs('targets/qa', '3.20', digestOf('f'), 1862);
    repository.publish();
    expect((await world.resolve()).target('3.20', world.now)?.signers).toEqual(['qa/sub']);
  });

  test('without a paths member nothing may be signed', async () => {
    const world = createWorld();
    world.repository.addDelegation('releases', { keys: [KEY], paths: [] });
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    expect((await world.resolve()).tags(world.now)).toEqual(['3.20']);
  });

  test('as many paths as are allowed, at every level, are cut down', async () => {
    const world = createWorld();
    const paths = Array.from({ length: LIMITS.paths }, (_, index) => `p${index}-`);
    world.repository.addDelegation('qa', { keys: [KEY], paths });
    // As many as one file may declare paths for.
    const children = numbered(LIMITS.pathsOfFile / LIMITS.paths, 'targets/qa');
    for (const name of children) {
      world.repository.addDelegation(name, { keys: [KEY], paths });
      world.repository.signAs(name, 'p1-x', digestOf('b'), 7);
    }
    world.repository.publish();
    expect((await world.resolve()).roles).toHaveLength(4 + 1 + children.length);
  });
});

describe('some of them no good', () => {
  test('a role that is passed over takes its subtree along, and no tag of it counts', async () => {
    const world = createWorld();
    addDelegations(world, ['targets/releases', 'targets/releases/sub', 'targets/qa']);
    world.repository.setThreshold('targets/releases', 2);
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.roles.find(({ role }) => role === 'targets/releases')?.skipped).toBe('threshold');
    expect(trust.roles.some(({ role }) => role === 'targets/releases/sub')).toBe(false);
    expect(trust.tags(world.now)).toEqual(['3.20']);
  });

  test('a declared role without a file is reported absent', async () => {
    const world = createWorld();
    world.repository.addDelegation('releases');
    world.repository.publish();
    const { roles } = await world.resolve();
    expect(roles.find(({ role }) => role === 'targets/releases')?.skipped).toBe('absent');
  });

  test.each([
    ['signed with SHA-1', { certificate: { hash: 'sha1' } }],
    ['that ends before it begins', { certificate: { notAfter: new Date(0) } }],
  ] as const)(
    'a certificate %s fails the whole update (notary-semantics.md §4.5)',
    async (_what, options) => {
      const world = createWorld();
      const key = createSigningKey('ecdsa-x509', { commonName: 'qa', now: world.now, ...options });
      world.repository.addDelegation('qa', { keys: [key] });
      world.repository.signAs('qa', '1.0', digestOf('b'), 7);
      world.repository.publish();
      const error = await refusal(world.resolve(), 'metadata_invalid', 'signature');
      expect(error.role).toBe('targets/qa');
    },
  );

  test("an expired certificate does not: the role's own expiry covers it (notary-semantics.md §4.5)", async () => {
    const world = createWorld();
    const key = createSigningKey('ecdsa-x509', { commonName: 'releases', now: new Date(0) });
    world.repository.addDelegation('releases', { keys: [key] });
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('b'));
  });
});
