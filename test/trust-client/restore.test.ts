/** What is remembered, without a server: complete and unexpired, or nothing (notary-semantics.md §7.4). */
import { describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { createWorld, digestIn, digestOf, GUN, refusal, type World } from './kit.ts';

async function createKnownWorld(): Promise<World> {
  const world = createWorld();
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', digestOf('b'), 7);
  world.repository.publish();
  await world.resolve();
  return world;
}

async function change(world: World, by: (stored: StoredTrust) => Partial<StoredTrust>): Promise<void> {
  const stored = await world.state.load(GUN);
  if (stored === undefined) throw new Error('something is stored');
  world.state = createMemoryState([[GUN, { ...stored, ...by(stored) }]]);
}

test('answers what the last update answered', async () => {
  const world = await createKnownWorld();
  const restored = await world.restore();
  expect(restored.tags(world.now)).toEqual(['1.0', '3.20']);
});

describe('a file that is missing or another one', () => {
  test.each(['snapshot', 'targets', 'targets/releases'])('%s missing', async (role) => {
    const world = await createKnownWorld();
    await change(world, ({ files }) => ({ files: new Map([...files].filter(([name]) => name !== role)) }));
    const error = await refusal(world.restore(), 'trust_unreachable', 'state');
    expect(error.role).toBe(role);
    expect(error.isOutage).toBe(false);
  });

  test.each(['snapshot', 'targets', 'targets/releases'])('%s changed', async (role) => {
    const world = await createKnownWorld();
    await change(world, ({ files }) => ({ files: new Map([...files, [role, Buffer.from('{}')]]) }));
    await refusal(world.restore(), 'trust_unreachable', 'state');
  });

  test('is fetched again as soon as the server answers', async () => {
    const world = await createKnownWorld();
    await change(world, () => ({ files: new Map() }));
    expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('b'));
  });

  test('a remembered chain with a root in it that does not follow from the one before', async () => {
    const world = await createKnownWorld();
    const stranger = Buffer.from(createWorld().repository.files.get('root') ?? []);
    await change(world, ({ roots }) => ({ roots: [...roots, stranger] }));
    await refusal(world.restore(), 'trust_unreachable', 'state');
    await refusal(world.resolve(), 'trust_unreachable', 'state');
  });
});

test('a second look at a stale timestamp that is no outage is the fault that is named', async () => {
  const world = await createKnownWorld();
  const stale = world.repository.files.get('timestamp') ?? Buffer.alloc(0);
  world.repository.refreshTimestamp();
  await world.resolve();
  world.source.fault(({ name, revalidate }) => name === 'timestamp' && !revalidate, { bytes: stale });
  world.source.fault(({ revalidate }) => revalidate, { bytes: Buffer.alloc(2 * 1024 * 1024) });
  await refusal(world.resolve(), 'metadata_invalid', 'size');
});
