/** The holder of the repository key declares `targets/qa` with a key of his own: a name says nothing of who holds it. */
import { expect, test } from '@jest/globals';
import { createKeyPair, createSigningKey, type SigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { meets, signedByOtherKeys } from '../../proxy/policy/signers.ts';
import { createWorld, digestOf, type World } from '../trust-client/kit.ts';

const NAMES = { names: ['qa'], count: 1 };

async function judge(world: World, keys: readonly SigningKey[]) {
  const trust = await world.resolve();
  const signers = trust.target('3.20', world.now)?.signers ?? [];
  const pinned = { ...NAMES, pins: [{ name: 'qa', keys: keys.map(({ id }) => id) }] };
  return {
    byName: meets(NAMES, signers, trust.signingKeys),
    byKey: meets(pinned, signers, trust.signingKeys),
    otherKeys: signedByOtherKeys(pinned, signers, trust.signingKeys),
  };
}

function sign(world: World): void {
  world.repository.signAs('qa', '3.20', digestOf('a'), 1862);
  world.repository.publish();
}

test('the signer that the rule means: met by name and by key', async () => {
  const world = createWorld();
  const keys = world.repository.addDelegation('qa');
  sign(world);
  expect(await judge(world, keys)).toEqual({ byName: true, byKey: true, otherKeys: [] });
});

test('declared by the holder of the repository key: names alone are fooled, keys are not', async () => {
  const world = createWorld();
  const honest = world.repository.createKey('ecdsa');
  world.repository.addDelegation('qa');
  sign(world);
  expect(await judge(world, [honest])).toEqual({ byName: true, byKey: false, otherKeys: ['qa'] });
});

test('the pinned key is declared beside his own, and does not sign', async () => {
  const world = createWorld();
  const [honest, his] = [world.repository.createKey('ecdsa'), world.repository.createKey('ecdsa')];
  world.repository.addDelegation('qa', { keys: [honest, his] });
  sign(world);
  world.repository.resign('targets/qa', () => undefined, { keys: [his] });
  expect(await judge(world, [honest])).toMatchObject({ byName: true, byKey: false });
});

test('a threshold of two is not reached by one pinned key and one of his own', async () => {
  const world = createWorld();
  const [honest, his] = [world.repository.createKey('ecdsa'), world.repository.createKey('ecdsa')];
  world.repository.addDelegation('qa', { keys: [honest, his], threshold: 2 });
  sign(world);
  expect(await judge(world, [honest])).toMatchObject({ byName: true, byKey: false });
  expect(await judge(world, [honest, his])).toMatchObject({ byKey: true });
});

test('a key inside a certificate is met by its canonical ID as by its TUF ID; one key in two encodings is one', async () => {
  const world = createWorld();
  const pair = createKeyPair();
  const bare = createSigningKey('ecdsa', { pair });
  const wrapped = createSigningKey('ecdsa-x509', { pair, commonName: 'qa', now: world.now });
  world.repository.addDelegation('qa', { keys: [bare, wrapped] });
  sign(world);
  const signed = (await world.resolve()).signingKeys.get('qa');
  expect(signed).toEqual({ threshold: 1, keys: [expect.arrayContaining([bare.id, wrapped.id])] });
});
