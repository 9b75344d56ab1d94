/** Root rotation by those who may not, or not alone (TUF client workflow 5.3.4, 5.3.5; notary-semantics.md §6.1, §6.3). */
import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  createKeyPair,
  createNotaryCertificate,
  createSigningKey,
  recertify,
  type SigningKey,
} from '../../proxy/demo/notary/signing-key.ts';
import { createWorld, fileOf, GUN, NOW, refusal, type World } from '../trust-client/kit.ts';

function createRootKey(): SigningKey {
  return createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW });
}

const [a, b, c, d] = [createRootKey(), createRootKey(), createRootKey(), createRootKey()] as const;
let world: World;

/** A repository that is known, with root keys A and B, both of which must sign. */
beforeEach(async () => {
  world = createWorld();
  world.repository.setThreshold('root', 2, [a, b]);
  world.repository.publish();
  await world.resolve();
});

/** The next root, with these keys, signed by those. */
function publishNext(keys: readonly SigningKey[], threshold: number, signers: readonly SigningKey[]): void {
  world.repository.setThreshold('root', threshold, keys);
  world.repository.publish();
  world.repository.resign('root', () => undefined, { keys: signers });
}

async function versionReached(): Promise<number> {
  return (await world.resolve()).root.metadata.version;
}

describe('signatures of the root before', () => {
  test('enough of them', async () => {
    publishNext([c, d], 2, [a, b, c, d]);
    expect(await versionReached()).toBe(3);
  });

  test.each([
    ['one of the two', [a, c, d]],
    ['none', [c, d]],
    ['one of the two, twice', [a, a, c, d]],
  ] as const)('%s', async (_what, signers) => {
    publishNext([c, d], 2, signers);
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('one of the two under another certificate as well', async () => {
    const again = recertify(a, createNotaryCertificate(GUN, createKeyPair(), { now: NOW }));
    publishNext([c, d], 2, [a, { ...again, privateKey: a.privateKey }, c, d]);
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('a lower threshold in the new root does not lower the old one', async () => {
    publishNext([a], 1, [a]);
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });
});

describe('signatures of the new root itself', () => {
  test.each([
    ['one of the two', [a, b, c]],
    ['none', [a, b]],
  ] as const)('%s', async (_what, signers) => {
    publishNext([c, d], 2, signers);
    const error = await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    expect(error.role).toBe('root');
  });

  test('two certificates around one key are one signer', async () => {
    const pair = createKeyPair();
    const certified = () =>
      createSigningKey('ecdsa-x509', { pair, pem: createNotaryCertificate(GUN, pair, { now: NOW }) });
    const twins = [certified(), certified()];
    publishNext(twins, 2, [a, b, ...twins]);
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  });

  test('a new root whose keys are no certificates has no keys', async () => {
    publishNext([createSigningKey('ecdsa')], 1, [a, b]);
    await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
  });
});

describe('versions that are skipped', () => {
  test('a newer root in the place of the next one', async () => {
    publishNext([a, b], 2, [a, b]);
    publishNext([a, b], 2, [a, b]);
    world.repository.files.set('3.root', fileOf(world, '4.root'));
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  });

  test('a missing version that carried a change of keys cannot be passed over', async () => {
    publishNext([c, d], 2, [a, b, c, d]);
    publishNext([c, d], 2, [c, d]);
    world.repository.files.delete('3.root');
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('nor one whose absence only the snapshot shows', async () => {
    publishNext([c, d], 2, [c, d]);
    world.repository.files.delete('3.root');
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('a refused root is forgotten: the honest one that follows is accepted', async () => {
    publishNext([c, d], 2, [c, d]);
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
    world.repository.resign('root', () => undefined, { keys: [a, b, c, d] });
    expect(await versionReached()).toBe(3);
  });
});
