/**
 * An expired root is never accepted (NCC-2, CVE-2015-9259), and never a dead end: Docker's stored roots whose
 * certificate ran out could not be replaced at all (notary-semantics.md §0, §6.3, §11.2).
 */

import type { KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createKeyPair, createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificate } from '../../proxy/demo/notary/x509-writer.ts';
import {
  createWorld,
  DAY_MS,
  digestIn,
  digestOf,
  GUN,
  NOW,
  refusal,
  type World,
} from '../trust-client/kit.ts';

const IN_30_DAYS = new Date(NOW.getTime() + 30 * DAY_MS);

function pass(world: World, days: number): void {
  world.now = new Date(world.now.getTime() + days * DAY_MS);
  world.repository.refreshTimestamp();
}

/** A known repository; 31 days later its root is out of date, by its certificate or by its own expiry. */
async function createOutdated(by: 'certificate' | 'metadata'): Promise<World> {
  const certificate = by === 'certificate' ? { notAfter: IN_30_DAYS } : {};
  const rootKey = createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW, certificate });
  const world = createWorld({ rootKey });
  if (by === 'metadata') world.repository.setExpiry('root', IN_30_DAYS);
  world.repository.publish();
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  pass(world, 31);
  world.repository.setExpiry('root', undefined);
  return world;
}

describe.each(['certificate', 'metadata'] as const)('a stored root whose %s has expired', (by) => {
  test('is refused as long as there is no other, remembered or not', async () => {
    const world = await createOutdated(by);
    const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
    expect(error.role).toBe('root');
    await refusal(world.restore(), 'metadata_expired', 'expired');
  });

  test('recovers with a successor that its old key signed', async () => {
    const world = await createOutdated(by);
    world.repository.rotateKey('root');
    expect(digestIn(await world.resolve(), '3.20', world.now)).toBe(digestOf('a'));
  });

  test('recovers with a successor it signed directly, although a version between is missing', async () => {
    const world = await createOutdated(by);
    const [old] = world.repository.keys('root');
    const next = world.repository.rotateKey('root');
    world.repository.rotateKey('timestamp');
    world.repository.resign('root', () => undefined, { keys: old ? [old, next] : [] });
    world.repository.files.delete('2.root');
    expect(digestIn(await world.resolve(), '3.20', world.now)).toBe(digestOf('a'));
  });

  test('does not recover with one that somebody else signed', async () => {
    const world = await createOutdated(by);
    world.repository.rotateKey('root', undefined, { crossSign: false });
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });
});

test('at first contact an expired root is refused', async () => {
  const world = createWorld();
  world.repository.setExpiry('root', new Date(world.now.getTime() - 1));
  world.repository.publish();
  const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
  expect(error.role).toBe('root');
});

test('the moment a root or its certificate expires at is the last at which it is accepted (notary-semantics.md §7)', async () => {
  for (const by of ['certificate', 'metadata'] as const) {
    const world = await createOutdated(by);
    world.now = IN_30_DAYS;
    expect(digestIn(await world.resolve(), '3.20', world.now)).toBe(digestOf('a'));
    world.now = new Date(IN_30_DAYS.getTime() + 1);
    await refusal(world.resolve(), 'metadata_expired', 'expired');
  }
});

test('roots between may have expired; the newest may not', async () => {
  const world = createWorld();
  await world.resolve();
  world.repository.setExpiry('root', new Date(world.now.getTime() - 1));
  world.repository.rotateKey('root');
  await refusal(world.resolve(), 'metadata_expired', 'expired');
  world.repository.setExpiry('root', undefined);
  world.repository.rotateKey('root');
  expect((await world.resolve()).root.metadata.version).toBe(3);
});

test('a certificate that is not valid yet gets one day of grace (notary-semantics.md §4.4)', async () => {
  const startingIn = (days: number) => {
    const certificate = { notBefore: new Date(NOW.getTime() + days * DAY_MS) };
    return createWorld({
      rootKey: createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW, certificate }),
    });
  };
  expect(digestIn(await startingIn(1).resolve(), '3.20')).toBe(digestOf('a'));
  await refusal(startingIn(2).resolve(), 'metadata_expired', 'expired');
});

describe('a root says that it is valid only as long as it will be', () => {
  const until = (days: number) => ({ notAfter: new Date(NOW.getTime() + days * DAY_MS) });

  test('two certificates around one key do not stand in for a second key', async () => {
    const pair = createKeyPair();
    const twin = (days: number) =>
      createSigningKey('ecdsa-x509', { pair, commonName: GUN, now: NOW, certificate: until(days) });
    const other = createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW, certificate: until(30) });
    const world = createWorld();
    world.repository.setThreshold('root', 2, [twin(300), twin(200), other]);
    world.repository.publish();
    expect((await world.resolve()).roles.at(0)?.expires).toEqual(IN_30_DAYS);
  });

  test('an intermediate that expires takes the ID of its key along', async () => {
    const [ca, leaf] = [createKeyPair(), createKeyPair()];
    const issue = (commonName: string, publicKey: KeyObject, days: number, isCa: boolean) =>
      createCertificate({
        commonName,
        publicKey,
        signer: ca.privateKey,
        issuer: 'CA',
        notBefore: NOW,
        ca: isCa,
        ...until(days),
      });
    const pem = issue(GUN, leaf.publicKey, 300, false) + issue('CA', ca.publicKey, 30, true);
    const world = createWorld({ rootKey: createSigningKey('ecdsa-x509', { pair: leaf, pem }) });
    expect((await world.resolve()).roles.at(0)?.expires).toEqual(IN_30_DAYS);
    pass(world, 31);
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  });
});

test('a root lives as long as enough of its certificates do', async () => {
  const short = createSigningKey('ecdsa-x509', {
    commonName: GUN,
    now: NOW,
    certificate: { notAfter: IN_30_DAYS },
  });
  const world = createWorld();
  world.repository.setThreshold('root', 2, [short, ...world.repository.keys('root')]);
  world.repository.publish();
  expect((await world.resolve()).roles.at(0)?.expires).toEqual(IN_30_DAYS);
  pass(world, 31);
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
});

test('a root lives as long as the certificates it is signed with, not those it only lists', async () => {
  const short = createSigningKey('ecdsa-x509', {
    commonName: GUN,
    now: NOW,
    certificate: { notAfter: IN_30_DAYS },
  });
  const world = createWorld();
  world.repository.setThreshold('root', 1, [short, ...world.repository.keys('root')]);
  world.repository.publish();
  world.repository.resign('root', () => undefined, { keys: [short] });
  expect((await world.resolve()).roles.at(0)?.expires).toEqual(IN_30_DAYS);
});
