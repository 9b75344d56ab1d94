/** What one valid signature is, by algorithm: no more than Notary accepts (notary-semantics.md §5.2). */
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type PublicKey, toPublicKey } from '../../proxy/trust-client/keys.ts';
import { isValidSignature, verifyThreshold } from '../../proxy/trust-client/signatures.ts';
import { withLimits } from './lowered-limits.ts';

type Signed = Readonly<Record<'der' | 'pem' | 'pss32' | 'pss20' | 'pkcs1v15', string>>;
type SignedOnce = Pick<Signed, 'der' | 'pkcs1v15'>;
type RsaVectors = {
  readonly message: string;
  readonly rsa1024: Signed;
  readonly rsa2048: Signed;
  readonly largestExponent: SignedOnce;
  readonly largerExponent: SignedOnce;
};

const VECTORS = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/signatures/rsa.json'), 'utf8'),
) as RsaVectors;
const MESSAGE = Buffer.from(VECTORS.message);

function verifies(key: PublicKey, method: string, bytes: Uint8Array): boolean {
  return isValidSignature(key, { keyId: key.id, method, bytes }, MESSAGE);
}

describe('RSA', () => {
  const { rsa1024, rsa2048 } = VECTORS;
  const bytes = (text: string) => Buffer.from(text, 'base64');

  test.each([
    ['rsapss', 'pss32', true],
    ['rsapss', 'pkcs1v15', false],
    ['rsapkcs1v15', 'pkcs1v15', true],
    ['rsapkcs1v15', 'pss32', false],
    ['pycrypto-pkcs#1 pss', 'pss32', true],
    ['pycrypto-pkcs#1 pss', 'pkcs1v15', false],
  ] as const)('method %s with a signature of kind %s: %s', (method, kind, expected) => {
    for (const form of ['der', 'pem'] as const) {
      expect(verifies(toPublicKey('rsa', bytes(rsa2048[form])), method, bytes(rsa2048[kind]))).toBe(expected);
    }
  });

  test.each(['rsapss', 'pycrypto-pkcs#1 pss'])('%s: a salt of another length than 32 bytes', (method) => {
    expect(verifies(toPublicKey('rsa', bytes(rsa2048.der)), method, bytes(rsa2048.pss20))).toBe(false);
  });

  test('an exponent of 2^31 - 1 is used, a larger one signs nothing', () => {
    const verifiesOne = ({ der, pkcs1v15 }: SignedOnce) =>
      verifies(toPublicKey('rsa', bytes(der)), 'rsapkcs1v15', bytes(pkcs1v15));
    const { largestExponent, largerExponent } = VECTORS;
    expect([verifiesOne(largestExponent), verifiesOne(largerExponent)]).toEqual([true, false]);
  });

  test('a key of 1024 bits signs nothing, by whatever method', () => {
    const key = toPublicKey('rsa', bytes(rsa1024.der));
    expect(key.algorithm).toBe('rsa');
    expect(verifies(key, 'rsapss', bytes(rsa1024.pss32))).toBe(false);
    expect(verifies(key, 'rsapkcs1v15', bytes(rsa1024.pkcs1v15))).toBe(false);
  });

  test('a key of as many bits as the bound is used, a longer one signs nothing', () => {
    const key = toPublicKey('rsa', bytes(rsa2048.der));
    const verifiesWithin = (rsaBits: number) =>
      withLimits({ rsaBits }, () => verifies(key, 'rsapkcs1v15', bytes(rsa2048.pkcs1v15)));
    expect([verifiesWithin(2048), verifiesWithin(2047)]).toEqual([true, false]);
  });

  test('a key of 2047 bits signs nothing', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2047 });
    const key = toPublicKey('rsa', publicKey.export({ type: 'spki', format: 'der' }));
    expect(verifies(key, 'rsapkcs1v15', sign('sha256', MESSAGE, privateKey))).toBe(false);
  });
});

describe('ECDSA', () => {
  function signedOn(namedCurve: string): { readonly key: PublicKey; readonly raw: Buffer } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    return {
      key: toPublicKey('ecdsa', publicKey.export({ format: 'der', type: 'spki' })),
      raw: sign('sha256', MESSAGE, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    };
  }

  test.each(['secp224r1', 'prime256v1', 'secp384r1', 'secp521r1'])('%s, one of the four curves', (curve) => {
    const { key, raw } = signedOn(curve);
    expect(verifies(key, 'ecdsa', raw)).toBe(true);
    expect(verifies(key, 'ecdsa', Buffer.concat([raw, Buffer.alloc(2)]))).toBe(false);
    expect(verifies(key, 'ecdsa', raw.subarray(1))).toBe(false);
  });

  test.each(['secp256k1', 'brainpoolP256r1'])('a key on another curve signs nothing: %s', (curve) => {
    const { key, raw } = signedOn(curve);
    expect(key.algorithm).toBe('ecdsa');
    expect(raw).toHaveLength(64);
    expect(verifies(key, 'ecdsa', raw)).toBe(false);
  });
});

describe('Ed25519, as RFC 8032 has it and not as ZIP-215', () => {
  const NEUTRAL = `01${'00'.repeat(31)}`;

  // With such a key R = any point of small order and S = 0 is a signature of every message, for everybody.
  test.each([
    ['the neutral element', NEUTRAL],
    ['the neutral element, not canonical', `ee${'ff'.repeat(30)}7f`],
    ['a point of order eight', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
  ])('a key of small order signs nothing: %s', (_what, point) => {
    const key = toPublicKey('ed25519', Buffer.from(point, 'hex'));
    expect(key.algorithm).toBe('ed25519');
    expect(verifies(key, 'eddsa', Buffer.from(NEUTRAL + '00'.repeat(32), 'hex'))).toBe(false);
  });

  test('a signature has one spelling: S is less than the order of the group', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key = toPublicKey('ed25519', publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
    const bytes = sign(null, MESSAGE, privateKey);
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
    const other = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    expect(verifies(key, 'eddsa', bytes)).toBe(true);
    expect(verifies(key, 'eddsa', Buffer.concat([bytes.subarray(0, 32), other]))).toBe(false);
  });
});

describe('how much of a file is checked', () => {
  const key = toPublicKey('ed25519', Buffer.alloc(32, 7));
  const { id } = key;
  const role = { keys: [key], threshold: 1 };
  const signed = (keyId: string) => ({ keyId, method: 'eddsa', bytes: new Uint8Array(64) });
  const check = (signedBytes: number, ...of: string[]) => {
    const message = Buffer.alloc(10);
    return () => withLimits({ signedBytes }, () => verifyThreshold(role, of.map(signed), message, 'root'));
  };

  test('of keys of the role count with every byte they are over', () => {
    expect(check(20, id, id)).toThrow(expect.objectContaining({ fault: 'threshold' }));
    expect(check(19, id, id)).toThrow(expect.objectContaining({ fault: 'size', role: 'root' }));
  });

  test('of strangers are not checked, and do not count', () => {
    expect(check(10, id, 'a', 'b', 'c')).toThrow(expect.objectContaining({ fault: 'threshold' }));
  });
});
