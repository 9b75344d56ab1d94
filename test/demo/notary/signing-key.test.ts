import { constants, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  createSigningKey,
  type KeyKind,
  keyId,
  recertify,
  type SigningKey,
  sharedKeyPair,
  signMessage,
} from '../../../proxy/demo/notary/signing-key.ts';
import { createCertificate } from '../../../proxy/demo/notary/x509-writer.ts';

const MESSAGE = Buffer.from('{"_type":"Targets"}');
const rsa = sharedKeyPair('rsa2048');

describe('check vectors of notary-semantics.md §4.1', () => {
  const ecdsaPublic =
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEB/giMuvaEbC0OKpYy8DAflrCUueHiVbtzk8gbsi5sbwbDc8ZC4QdI+vuYmV+ZuAbitlp0p34HzteBmOqO9ukyQ==';
  const ed25519Public = 'BvaqvULiViNS9Bboa3ifSyrKQqbXLXssP/0GRvgTd8I=';

  test('ecdsa key ID', () => {
    const id = keyId('ecdsa', Buffer.from(ecdsaPublic, 'base64'));
    expect(id).toBe('af3598c96f7f0274a744386ae9eb7529d9b336aba41e5fbbf7b257f0bc59a189');
  });

  test('ed25519 key ID', () => {
    const id = keyId('ed25519', Buffer.from(ed25519Public, 'base64'));
    expect(id).toBe('686b2135fd1fd4cd22cd2c31e127fcaac6327d3e5817bd6e0cfea090e9b035f1');
  });
});

describe('each kind publishes the bytes Notary does (notary-semantics.md §3.1)', () => {
  test('ecdsa and rsa: DER SubjectPublicKeyInfo', () => {
    for (const [kind, type] of [
      ['ecdsa', 'ec'],
      ['rsa', 'rsa'],
    ] as const) {
      const key = createSigningKey(kind, kind === 'rsa' ? { pair: rsa } : {});
      const parsed = createPublicKey({ key: Buffer.from(key.publicBytes), format: 'der', type: 'spki' });
      expect(parsed.asymmetricKeyType).toBe(type);
      expect(key.canonicalId).toBe(key.id);
    }
  });

  test('ed25519: 32 raw bytes, which also verify as the private key is', () => {
    const pair = generateKeyPairSync('ed25519');
    const key = createSigningKey('ed25519', { pair });
    expect(Buffer.from(key.publicBytes).toString('base64url')).toBe(
      pair.publicKey.export({ format: 'jwk' }).x,
    );
  });

  test.each(['ecdsa-x509', 'rsa-x509'] as const)('%s: PEM of a certificate as Notary makes it', (kind) => {
    const now = new Date('2026-11-21T10:00:00Z');
    const options = kind === 'rsa-x509' ? { pair: rsa } : {};
    const key = createSigningKey(kind, { ...options, commonName: 'docker.io/library/alpine', now });
    const certificate = new X509Certificate(key.publicBytes);
    expect(certificate.subject).toBe('CN=docker.io/library/alpine');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.3']);
    expect(certificate.ca).toBe(false);
    expect(new Date(certificate.validTo)).toEqual(new Date('2036-11-18T10:00:00Z'));
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    expect(key.canonicalId).toBe(keyId(kind === 'rsa-x509' ? 'rsa' : 'ecdsa', spki));
    expect(key.id).not.toBe(key.canonicalId);
  });

  test('pycrypto-pkcs#1 pss: PEM public key', () => {
    const key = createSigningKey('rsa', { pair: rsa, method: 'pycrypto-pkcs#1 pss' });
    expect(Buffer.from(key.publicBytes).toString()).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  });
});

describe('each method signs as notary-semantics.md §5.2 says', () => {
  const publicKeyOf = (key: SigningKey) => createPublicKey(key.privateKey);

  test.each([
    ['p256', 64],
    ['p384', 96],
    ['p521', 132],
  ] as const)('ecdsa over %s: raw r‖s of %i bytes, SHA-256', (algorithm, length) => {
    const key = createSigningKey('ecdsa', { algorithm });
    const signature = signMessage(key, MESSAGE);
    expect(signature).toHaveLength(length);
    expect(verify('sha256', MESSAGE, { key: publicKeyOf(key), dsaEncoding: 'ieee-p1363' }, signature)).toBe(
      true,
    );
  });

  test.each(['rsapss', 'pycrypto-pkcs#1 pss'] as const)('%s: a salt of exactly 32 bytes', (method) => {
    const key = createSigningKey('rsa', { pair: rsa, method });
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const check = (saltLength: number) =>
      verify('sha256', MESSAGE, { key: publicKeyOf(key), padding, saltLength }, signMessage(key, MESSAGE));
    expect([check(32), check(20)]).toEqual([true, false]);
  });

  test('rsapkcs1v15', () => {
    const key = createSigningKey('rsa-x509', { pair: rsa, method: 'rsapkcs1v15', commonName: 'x' });
    expect(verify('sha256', MESSAGE, publicKeyOf(key), signMessage(key, MESSAGE))).toBe(true);
  });

  test('eddsa', () => {
    const key = createSigningKey('ed25519');
    expect(key.method).toBe('eddsa');
    expect(verify(null, MESSAGE, publicKeyOf(key), signMessage(key, MESSAGE))).toBe(true);
  });
});

test('a shared pair is made once per name; kinds given no pair get a new one', () => {
  expect(sharedKeyPair('p256', 'a')).toBe(sharedKeyPair('p256', 'a'));
  expect(sharedKeyPair('p256', 'a')).not.toBe(sharedKeyPair('p256', 'b'));
  const kind: KeyKind = 'ecdsa';
  expect(createSigningKey(kind).id).not.toBe(createSigningKey(kind).id);
});

test('two certificates for one private key: other key ID, same canonical ID', () => {
  const pair = sharedKeyPair('p256');
  const key = createSigningKey('ecdsa-x509', { pair, commonName: 'x' });
  const again = createCertificate({
    commonName: 'x',
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2027-01-01T00:00:00Z'),
  });
  const twin = recertify(key, again);
  expect(twin.id).not.toBe(key.id);
  expect(twin.canonicalId).toBe(key.canonicalId);
});
