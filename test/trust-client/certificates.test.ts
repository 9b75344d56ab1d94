/** Certificates in root keys: bundles, CA pins, and what OpenSSL and Go see differently (notary-semantics.md §4.4, §6.2). */
import { describe, expect, test } from '@jest/globals';
import {
  createKeyPair,
  createNotaryCertificate,
  createSigningKey,
  type KeyPair,
  sharedKeyPair,
} from '../../proxy/demo/notary/signing-key.ts';
import {
  type CertificateOptions,
  createCertificate,
  createCertificateDer,
  toPem,
} from '../../proxy/demo/notary/x509-writer.ts';
import { type Certificate, parseBundle } from '../../proxy/trust-client/certificates.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { parseRootFile, usableRootKeys } from '../../proxy/trust-client/root-trust.ts';
import { createWorld, DAY_MS, digestIn, digestOf, fileOf, GUN, NOW, refusal, type World } from './kit.ts';

const YEAR = new Date(NOW.getTime() + 365 * DAY_MS);
const [ca, middle, leaf] = [createKeyPair(), createKeyPair(), createKeyPair()] as const;

function certify(
  subject: { readonly name: string; readonly pair: KeyPair },
  issuer: { readonly name: string; readonly pair: KeyPair },
  options: Partial<CertificateOptions> = {},
): string {
  return createCertificate({
    commonName: subject.name,
    publicKey: subject.pair.publicKey,
    signer: issuer.pair.privateKey,
    issuer: issuer.name,
    notBefore: NOW,
    notAfter: YEAR,
    ...options,
  });
}

const CA = { name: 'Example CA', pair: ca };
const MIDDLE = { name: 'Example Intermediate', pair: middle };
const LEAF = { name: GUN, pair: leaf };

const caPem = certify(CA, CA, { ca: true });
const middlePem = certify(MIDDLE, CA, { ca: true });

function anchors(pem: string): readonly Certificate[] {
  const parsed = parseBundle(pem);
  if (parsed === undefined) throw new Error('the anchors cannot be parsed');
  return parsed;
}

/** A repository whose root key is this bundle, with the CA pinned. */
function worldOf(pem: string, pinned = caPem): World {
  const world = createWorld({ rootKey: createSigningKey('ecdsa-x509', { pair: leaf, pem }) });
  world.pin = { kind: 'ca', anchors: anchors(pinned) };
  return world;
}

async function isAccepted(world: World): Promise<boolean> {
  return digestIn(await world.resolve(), '3.20') === digestOf('a');
}

describe('a CA pin accepts', () => {
  test.each([
    ['a leaf issued by the CA', () => certify(LEAF, CA)],
    ['a leaf that allows serverAuth', () => certify(LEAF, CA, { extendedKeyUsage: ['serverAuth'] })],
    ['a leaf that allows any usage', () => certify(LEAF, CA, { extendedKeyUsage: ['any'] })],
    ['a chain through an intermediate in the bundle', () => certify(LEAF, MIDDLE) + middlePem],
  ])('%s', async (_what, bundle) => {
    expect(await isAccepted(worldOf(bundle()))).toBe(true);
  });

  test('the leaf itself, pinned', async () => {
    const pem = certify(LEAF, LEAF);
    expect(await isAccepted(worldOf(pem, pem))).toBe(true);
  });

  test('an intermediate, pinned', async () => {
    expect(await isAccepted(worldOf(certify(LEAF, MIDDLE), middlePem))).toBe(true);
  });

  test('what it accepted before, restored after the CA has expired: the root is what counts then', async () => {
    const world = worldOf(certify(LEAF, CA));
    await world.resolve();
    world.pin = {
      kind: 'ca',
      anchors: anchors(certify(CA, CA, { ca: true, notAfter: new Date(NOW.getTime() + 1000) })),
    };
    world.now = new Date(NOW.getTime() + DAY_MS);
    expect((await world.restore()).target('3.20', world.now)?.digest).toBe(digestOf('a'));
  });
});

describe('a CA pin refuses', () => {
  const stranger = { name: 'Example CA', pair: createKeyPair() };

  test.each([
    [
      "Notary's own certificate, which allows codeSigning only (notary-semantics.md §6.2)",
      () => createNotaryCertificate(GUN, leaf, { now: NOW }),
    ],
    ['a leaf issued by another CA of the same name', () => certify(LEAF, stranger)],
    ['a leaf issued by another CA of another name', () => certify(LEAF, { ...stranger, name: 'Other' })],
    ['a leaf that allows clientAuth only', () => certify(LEAF, CA, { extendedKeyUsage: ['clientAuth'] })],
    ['a chain whose intermediate is missing', () => certify(LEAF, MIDDLE)],
    [
      'a chain whose intermediate was issued by a stranger',
      () => certify(LEAF, MIDDLE) + certify(MIDDLE, stranger, { ca: true }),
    ],
    [
      'a chain whose intermediate allows codeSigning only',
      () => certify(LEAF, MIDDLE) + certify(MIDDLE, CA, { ca: true, extendedKeyUsage: ['codeSigning'] }),
    ],
    [
      'a chain whose intermediate may not sign certificates',
      () => certify(LEAF, MIDDLE) + certify(MIDDLE, CA, { ca: true, keyUsage: ['digitalSignature'] }),
    ],
    [
      'a chain whose intermediate has expired',
      () => certify(LEAF, MIDDLE) + certify(MIDDLE, CA, { ca: true, notAfter: new Date(NOW.getTime() - 1) }),
    ],
    ['a chain in a circle', () => certify(LEAF, MIDDLE) + certify(MIDDLE, MIDDLE, { ca: true })],
  ])('%s', async (_what, bundle) => {
    await refusal(worldOf(bundle()).resolve(), 'key_not_pinned', 'key_mismatch');
  });

  test.each([
    ['that is no CA', { ca: false }],
    ['that has expired', { ca: true, notAfter: new Date(NOW.getTime() - 1) }],
    ['signed with SHA-1', { ca: true, hash: 'sha1' }],
  ] as const)('everything, with an anchor %s', async (_what, options) => {
    const world = worldOf(certify(LEAF, CA), certify(CA, CA, options));
    await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
  });

  test('a chain of more than eight certificates', async () => {
    const steps = Array.from({ length: 7 }, (_, index) => ({ name: `Step ${index}`, pair: createKeyPair() }));
    const issuers = [...steps, CA];
    const chain = steps.map((step, index) => certify(step, issuers[index + 1] ?? CA, { ca: true }));
    const long = worldOf([certify(LEAF, issuers[0] ?? CA), ...chain].join(''));
    await refusal(long.resolve(), 'key_not_pinned', 'key_mismatch');
    const short = worldOf([certify(LEAF, issuers[1] ?? CA), ...chain.slice(1)].join(''));
    expect(await isAccepted(short)).toBe(true);
  });
});

describe('the bundle of a root key (notary-semantics.md §4.4)', () => {
  const good = certify(LEAF, CA);

  function firstUse(pem: string): World {
    return Object.assign(worldOf(pem), { pin: { kind: 'firstUse' } });
  }

  test.each([
    ['no certificate', 'no PEM at all'],
    ['a block of another type', `${good}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n`],
    [
      'a block that is no certificate',
      `${good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    ],
    ['two leaves', good + certify({ name: GUN, pair: createKeyPair() }, CA)],
    ['a CA first', middlePem + good],
    ['a CA alone', certify({ name: GUN, pair: leaf }, CA, { ca: true })],
    ['more certificates than are looked at', good + middlePem.repeat(LIMITS.certificates)],
    ['a certificate signed with SHA-1', certify(LEAF, CA, { hash: 'sha1' })],
    ['a certificate without a name', certify(LEAF, CA, { commonName: [] })],
    ['a certificate that ends before it begins', certify(LEAF, CA, { notAfter: new Date(0) })],
  ])('%s makes the key unusable', async (_what, pem) => {
    const world = createWorld();
    const text = Buffer.from(fileOf(world, 'root')).toString();
    const file = JSON.parse(text) as { signed: { keys: Record<string, { keyval: { public: string } }> } };
    const [own] = world.repository.keys('root');
    const key = file.signed.keys[own?.id ?? ''];
    if (key === undefined) throw new Error('the root lists its key');
    key.keyval.public = Buffer.from(pem).toString('base64');
    world.source.fault('root', { bytes: Buffer.from(JSON.stringify(file)) });
    const error = await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
    expect(error.role).toBe('root');
  });

  test('a certificate whose public key cannot be decoded makes the key unusable, and nothing else happens', async () => {
    const der = createCertificateDer({
      commonName: GUN,
      publicKey: leaf.publicKey,
      signer: leaf.privateKey,
      notBefore: NOW,
      notAfter: YEAR,
    });
    // An uncompressed point starts with 4; OpenSSL decodes it only when the key is asked for.
    const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
    der[der.indexOf(spki) + spki.length - 65] = 0;
    expect(parseBundle(toPem('CERTIFICATE', der))).toBeUndefined();
  });

  test('an Ed25519 key is unusable, whatever type it is published under', async () => {
    const pem = certify({ name: GUN, pair: createKeyPair('ed25519') }, CA);
    expect(parseBundle(pem)).toHaveLength(1);
    for (const kind of ['ecdsa-x509', 'rsa-x509'] as const) {
      const world = createWorld({ rootKey: createSigningKey(kind, { pair: leaf, pem }) });
      await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
    }
  });

  test('a weak intermediate is dropped now, and stays in the bundle of a root that is to vouch for the next', () => {
    const weak = certify(MIDDLE, CA, { ca: true, hash: 'sha1' });
    const { files } = worldOf(certify(LEAF, MIDDLE) + weak).repository;
    const { metadata } = parseRootFile(files.get('root') ?? Buffer.alloc(0));
    const intermediates = (now: Date | undefined) =>
      usableRootKeys(metadata, GUN, now).map((key) => key.intermediates.length);
    expect(intermediates(NOW)).toEqual([0]);
    expect(intermediates(undefined)).toEqual([1]);
  });

  test('an RSA key of 1024 bits is unusable', async () => {
    const pair = sharedKeyPair('rsa1024');
    const world = createWorld({ rootKey: createSigningKey('rsa-x509', { pair, commonName: GUN, now: NOW }) });
    await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
  });

  test('text around the blocks, CRLF and 76 columns change the published ID, not the one that counts', async () => {
    const pem = certify(LEAF, CA);
    const columns = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64').toString('base64');
    const wide = columns.match(/.{1,76}/g)?.join('\r\n');
    const odd = `subject=x\r\n-----BEGIN CERTIFICATE-----\r\n${wide}\r\n-----END CERTIFICATE-----\r\nend`;
    const own = createSigningKey('ecdsa-x509', { pair: leaf, pem });
    const published = createSigningKey('ecdsa-x509', { pair: leaf, pem: odd });
    const world = createWorld({ rootKey: published });
    // Signed under the published ID it counts for nothing (notary-semantics.md §4.4 step 6); under the rebuilt one it does.
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    world.repository.resign('root', () => undefined, { keys: [own] });
    expect(await isAccepted(world)).toBe(true);
  });

  test('an expired intermediate is dropped, which changes the ID that counts', async () => {
    const expired = certify(MIDDLE, CA, { ca: true, notAfter: new Date(NOW.getTime() - 1) });
    const bundle = certify(LEAF, MIDDLE);
    const world = firstUse(bundle + expired);
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    world.repository.resign('root', () => undefined, {
      keys: [createSigningKey('ecdsa-x509', { pair: leaf, pem: bundle })],
    });
    expect(await isAccepted(world)).toBe(true);
  });
});
