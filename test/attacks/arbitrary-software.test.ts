/** Arbitrary software: a tag that none of its signers signed (notary-semantics.md §13). */
import { expect, test } from '@jest/globals';
import { createSigningKey, type SigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { createWorld, digestIn, digestOf, refusal, type World } from '../trust-client/kit.ts';

const EVIL = digestOf('e');

/** Writes the attacker's digest into targets and signs it with these keys; the server names the result. */
function forge(world: World, keys: readonly SigningKey[]): void {
  const sha256 = Buffer.from(EVIL.slice('sha256:'.length), 'hex').toString('base64');
  world.repository.resign(
    'targets',
    (signed) => {
      signed.targets['3.20'] = { hashes: { sha256 }, length: 7 };
    },
    { keys },
  );
}

test.each([
  ['nobody', () => []],
  ["the attacker's own key", () => [createSigningKey('ecdsa')]],
] as const)('targets signed by %s', async (_who, keys) => {
  const world = createWorld();
  forge(world, keys());
  const error = await refusal(world.resolve(), 'metadata_invalid');
  expect(error.role).toBe('targets');
});

test.each(['root', 'snapshot', 'timestamp'])('targets signed by the key of %s', async (role) => {
  const world = createWorld();
  forge(world, world.repository.keys(role));
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
});

test("targets signed by the attacker under the honest key's ID", async () => {
  const world = createWorld();
  const [honest] = world.repository.keys('targets');
  forge(world, [{ ...createSigningKey('ecdsa'), id: honest?.id ?? '' }]);
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
});

test('a delegation its parent never declared', async () => {
  const world = createWorld();
  const stranger = createWorld();
  stranger.repository.addDelegation('releases');
  stranger.repository.signAs('releases', '3.20', EVIL, 7);
  stranger.repository.publish();
  const bytes = stranger.repository.files.get('targets/releases');
  world.repository.files.set('targets/releases', bytes ?? Buffer.alloc(0));
  const sha256 = world.repository.signed('snapshot').meta.targets;
  world.repository.resign('snapshot', (signed) => {
    signed.meta['targets/releases'] = sha256;
  });
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
});

test('a delegate signs a tag outside its paths', async () => {
  const world = createWorld();
  world.repository.addDelegation('releases', { paths: ['4.', 'edge'] });
  world.repository.signAs('releases', '3.20', EVIL, 7);
  world.repository.signAs('releases', '4.0', digestOf('b'), 7);
  world.repository.publish();
  const trust = await world.resolve();
  expect(digestIn(trust, '3.20')).toBe(digestOf('a'));
  expect(digestIn(trust, '4.0')).toBe(digestOf('b'));
});

test('a tag that only some other delegation holds is not signed (notary-semantics.md §8: "No trust data for")', async () => {
  const world = createWorld();
  world.repository.addDelegation('qa');
  world.repository.signAs('qa', '9.9', EVIL, 7);
  world.repository.publish();
  const trust = await world.resolve();
  expect(digestIn(trust, '9.9')).toBeUndefined();
  expect(trust.tags(world.now)).toEqual(['3.20']);
});

test('a delegation below targets/releases hides the entry in targets instead of replacing it (notary-semantics.md §8)', async () => {
  const world = createWorld();
  world.repository.addDelegation('releases');
  world.repository.addDelegation('targets/releases/sub');
  world.repository.signAs('targets/releases/sub', '3.20', EVIL, 7);
  world.repository.publish();
  expect(digestIn(await world.resolve(), '3.20')).toBeUndefined();
});
