/** Pins, first use and rotation of the root: notary-semantics.md §4.4, §6 and TUF client workflow 5.3. */
import { describe, expect, test } from '@jest/globals';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import {
  parseRootFile,
  type RootPin,
  usableRootKeys,
  verifyFirstRoot,
  verifyRootIsCurrent,
} from '../../proxy/trust-client/root-trust.ts';
import { createWorld, DAY_MS, GUN, NOW, refusal, type World } from './kit.ts';

function rootKeyOf(world: World) {
  const [key] = usableRootKeys(
    parseRootFile(world.repository.files.get('root') ?? Buffer.from('')).metadata,
    GUN,
    NOW,
  );
  if (key === undefined) throw new Error('no usable root key');
  return key.key;
}

function pinTo(...ids: string[]): RootPin {
  return { kind: 'keys', ids: new Set(ids) };
}

test('a root alone is vouched for by its pin, and counts until it or its certificate ends', () => {
  const world = createWorld();
  const root = parseRootFile(world.repository.files.get('root') ?? Buffer.from(''));
  expect(() => verifyFirstRoot(root, GUN, pinTo(rootKeyOf(world).id), NOW)).not.toThrow();
  expect(() => verifyFirstRoot(root, GUN, pinTo('0'.repeat(64)), NOW)).toThrow('not the one that is pinned');
  const until = verifyRootIsCurrent(root, GUN, NOW);
  expect(until.getTime()).toBeGreaterThan(NOW.getTime());
  expect(verifyRootIsCurrent(root, GUN, until)).toEqual(until);
  expect(() => verifyRootIsCurrent(root, GUN, new Date(until.getTime() + 1))).toThrow(TrustError);
});

describe('the first root', () => {
  test('with several keys is refused without a pin with all of them named', async () => {
    const world = createWorld();
    const [first] = world.repository.keys('root');
    const second = createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW });
    if (first === undefined) throw new Error('the root has a key');
    world.repository.setThreshold('root', 1, [first, second]);
    world.repository.publish();
    world.pin = pinTo('0'.repeat(64));
    const error = await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
    expect(error.message).toContain(`${first.canonicalId}, ${second.canonicalId}`);
  });

  test('is refused without a pin, and the refusal says which key was seen', async () => {
    const world = createWorld();
    world.pin = { kind: 'refuse' };
    const error = await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
    expect(error.message).toContain(rootKeyOf(world).canonicalId);
  });

  test.each(['id', 'canonicalId'] as const)('is accepted by a pin of its %s', async (kind) => {
    const world = createWorld();
    world.pin = pinTo(rootKeyOf(world)[kind]);
    expect((await world.resolve()).root.metadata.version).toBe(1);
  });

  test('is refused by a pin of another key', async () => {
    const world = createWorld();
    world.pin = pinTo('0'.repeat(64));
    await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
  });

  test('of another repository is refused, although it is signed well', async () => {
    const world = createWorld();
    const other = createWorld({}, 'docker.io/library/debian');
    world.source.repositories.set(GUN, other.repository);
    await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
  });

  test('an rsa-x509 root works like an ecdsa-x509 one', async () => {
    const world = createWorld({ rootKey: 'rsa-x509' });
    expect((await world.resolve()).root.metadata.version).toBe(1);
  });

  test.each(['ecdsa', 'rsa', 'ed25519'] as const)(
    'a bare %s root key never validates (notary-semantics.md §4.4)',
    async (rootKey) => {
      await refusal(createWorld({ rootKey }).resolve(), 'metadata_invalid', 'key_mismatch');
    },
  );
});

describe('the certificate of the root key', () => {
  const withCertificate = (options: Parameters<typeof createSigningKey>[1]) =>
    createWorld({ rootKey: createSigningKey('ecdsa-x509', options) });

  test('may cover the repository with a trailing wildcard where a pin says so, not at first use', async () => {
    const world = withCertificate({ commonName: 'docker.io/library/*', now: NOW });
    await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
    world.pin = pinTo(rootKeyOf(world).canonicalId);
    expect((await world.resolve()).root.metadata.version).toBe(1);
  });

  test('does not cover it with a wildcard elsewhere', async () => {
    await refusal(
      withCertificate({ commonName: 'docker.io/*/alpine', now: NOW }).resolve(),
      'metadata_invalid',
    );
  });

  test('must be valid now', async () => {
    const world = withCertificate({ commonName: GUN, now: new Date(NOW.getTime() - 4000 * DAY_MS) });
    const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
    expect(error.role).toBe('root');
  });
});

describe('rotation', () => {
  test('of every key is followed, and the pin of the first root still holds', async () => {
    const world = createWorld();
    world.pin = pinTo(rootKeyOf(world).canonicalId);
    await world.resolve();
    for (const role of ['targets', 'snapshot', 'timestamp', 'root']) world.repository.rotateKey(role);
    expect((await world.resolve()).root.metadata.version).toBe(5);
    expect((await world.resolve()).root.metadata.version).toBe(5);
  });

  test('that happened before the first contact is followed from the pinned root in the history', async () => {
    const world = createWorld();
    world.pin = pinTo(rootKeyOf(world).canonicalId);
    for (let i = 0; i < 20; i += 1) world.repository.rotateKey('root');
    expect((await world.resolve()).root.metadata.version).toBe(21);
  });

  test('with a key in the middle pinned', async () => {
    const world = createWorld();
    world.repository.rotateKey('root');
    world.pin = pinTo(rootKeyOf(world).canonicalId);
    world.repository.rotateKey('root');
    expect((await world.resolve()).root.metadata.version).toBe(3);
  });

  test('counts from the moment it was seen, although the rest of that update failed', async () => {
    const world = createWorld();
    await world.resolve();
    const before = new Map(world.repository.files);
    world.repository.rotateKey('timestamp');
    world.source.fault('snapshot', { missing: true });
    await refusal(world.resolve(), 'trust_unreachable');
    world.source.clearFaults();
    world.repository.files.clear();
    for (const [name, bytes] of before) world.repository.files.set(name, bytes);
    await refusal(world.resolve(), 'trust_unreachable', 'threshold');
    await refusal(world.restore(), 'metadata_invalid', 'threshold');
  });

  test('without the old key is refused, and the trusted root stays', async () => {
    const world = createWorld();
    await world.resolve();
    world.repository.rotateKey('root', undefined, { crossSign: false });
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('a re-created repository is named as such', async () => {
    const world = createWorld();
    await world.resolve();
    world.source.repositories.set(GUN, createWorld().repository);
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });

  test('a missing version is passed when the trusted keys signed the newest root', async () => {
    const world = createWorld();
    await world.resolve();
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('snapshot');
    world.source.fault('2.root', { missing: true });
    expect((await world.resolve()).root.metadata.version).toBe(3);
  });

  test('a root served under a version it does not have', async () => {
    const world = createWorld();
    await world.resolve();
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('timestamp');
    world.source.fault('2.root', { bytes: world.repository.files.get('3.root') ?? Buffer.from('') });
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  });

  test('a chain of 200 roots is followed to its end', async () => {
    const world = createWorld();
    await world.resolve();
    for (let i = 0; i < 200; i += 1) world.repository.rotateKey('root');
    expect((await world.resolve()).root.metadata.version).toBe(201);
  });

  test('pins are checked again on what is remembered', async () => {
    const world = createWorld();
    await world.resolve();
    world.pin = pinTo('0'.repeat(64));
    await refusal(world.resolve(), 'key_not_pinned');
    await refusal(world.restore(), 'key_not_pinned');
  });
});

describe('what an operator reads of a root that is not trusted', () => {
  const messageAt = async (world: World, code: TrustError['code']) =>
    (await refusal(world.resolve(), code)).message;

  test.each<[RootPin, string]>([
    [{ kind: 'refuse' }, `no pin covers ${GUN} and first use is refused`],
    [pinTo('0'.repeat(64)), `the root key of ${GUN} is not the one that is pinned`],
    [{ kind: 'ca', anchors: [] }, `the root key of ${GUN} is not the one that is pinned`],
  ])('under the pin %j: why, and the key that was seen', async (pin, why) => {
    const world = createWorld();
    world.pin = pin;
    const { canonicalId } = rootKeyOf(world);
    expect(await messageAt(world, 'key_not_pinned')).toBe(
      `${why}; canonical root key ID seen: ${canonicalId}`,
    );
  });
});
