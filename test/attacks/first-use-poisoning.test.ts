/** First-use poisoning: whoever answers the very first request owns the name (notary-semantics.md §6.2, §11.1, §13). */
import { expect, test } from '@jest/globals';
import { createWorld, digestIn, digestOf, GUN, refusal } from '../trust-client/kit.ts';

function createAttacker() {
  const attacker = createWorld();
  attacker.repository.addTag('3.20', digestOf('e'), 1);
  attacker.repository.publish();
  return attacker;
}

function pinOf(world: ReturnType<typeof createWorld>) {
  const [key] = world.repository.keys('root');
  return { kind: 'keys', ids: new Set([key?.canonicalId ?? '']) } as const;
}

test('with a pin the attacker gets nothing, first or later', async () => {
  const world = createWorld();
  world.pin = pinOf(world);
  world.source.repositories.set(GUN, createAttacker().repository);
  const error = await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
  expect(error.role).toBe('root');
  world.source.repositories.set(GUN, world.repository);
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
});

test('without pin and first use nobody gets anything', async () => {
  const world = createWorld();
  world.pin = { kind: 'refuse' };
  await refusal(world.resolve(), 'key_not_pinned');
  expect(await world.state.load(GUN)).toBeUndefined();
});

test('the pinned key listed among the root keys is not enough: it must sign', async () => {
  const world = createWorld();
  world.pin = pinOf(world);
  const attacker = createAttacker();
  const [pinned] = world.repository.keys('root');
  const own = attacker.repository.keys('root');
  if (pinned === undefined) throw new Error('the root has a key');
  attacker.repository.setThreshold('root', 1, [pinned, ...own]);
  attacker.repository.publish();
  attacker.repository.resign('root', () => undefined, { keys: own });
  world.source.repositories.set(GUN, attacker.repository);
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
});

test('poisoned at first use, the honest repository is then refused by name, not mixed in', async () => {
  const world = createWorld();
  world.source.repositories.set(GUN, createAttacker().repository);
  await world.resolve();
  world.source.repositories.set(GUN, world.repository);
  const error = await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  expect(error.message).toContain('pin its new root key and run');
});

test('a pin added afterwards uncovers the poisoning, with and without the server', async () => {
  const world = createWorld();
  world.source.repositories.set(GUN, createAttacker().repository);
  await world.resolve();
  world.pin = pinOf(world);
  await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
  await refusal(world.restore(), 'key_not_pinned', 'key_mismatch');
});
