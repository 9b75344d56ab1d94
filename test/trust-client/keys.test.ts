/**
 * Key IDs and signatures: the check vectors of notary-semantics.md §4.1, and the confusions of notary-semantics.md §5.2.
 */
import { ECDH, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  createKeyPair,
  createNotaryCertificate,
  type KeyPair,
  sharedKeyPair,
} from '../../proxy/demo/notary/signing-key.ts';
import { encodeBase64 } from '../../proxy/trust-client/encoding.ts';
import {
  isSameKey,
  keyObjectOf,
  type PublicKey,
  parsePublicKey,
  toPublicKey,
} from '../../proxy/trust-client/keys.ts';
import { isValidSignature, verifyThreshold } from '../../proxy/trust-client/signatures.ts';

const ECDSA =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEB/giMuvaEbC0OKpYy8DAflrCUueHiVbtzk8gbsi5sbwbDc8ZC4QdI+vuYmV+ZuAbitlp0p34HzteBmOqO9ukyQ==';
const ED25519 = 'BvaqvULiViNS9Bboa3ifSyrKQqbXLXssP/0GRvgTd8I=';
const MESSAGE = Buffer.from(
  '{"_type":"Timestamp","expires":"2099-01-02T03:04:05.678901234Z","meta":{"snapshot":{"hashes":{"sha256":"JWR7RWREbCz58kwSV6LWpHFp8qYtR46u2Ti9TMBJlUM="},"length":16}},"version":7}',
);
const ECDSA_SIGNATURE = Buffer.from(
  'UrXp4rysFsrzuI5txDIWJYyWpXjbkwcWlDJ2jdYQAAfnoez+5bmZPZq53NBPIOXckHKEd6EbTOe0qSnsZx/BEA==',
  'base64',
);
const ED25519_SIGNATURE = Buffer.from(
  'O87aKCAtJBpjpoSMSwNaxJ0lwr+FoW1aSZtLLYKlL04G94rOCKHdk9mlgBEi0k45yCSegpE9tK9+ypZ0s2ahDQ==',
  'base64',
);

function key(keytype: string, base64: string): PublicKey {
  const parsed = parsePublicKey(keytype, base64);
  if (parsed === undefined) throw new Error('not base64');
  return parsed;
}

function signature(of: PublicKey, method: string, bytes: Uint8Array) {
  return { keyId: of.id, method, bytes };
}

describe('check vectors of notary-semantics.md §4.1', () => {
  test('key IDs', () => {
    expect(key('ecdsa', ECDSA).id).toBe('af3598c96f7f0274a744386ae9eb7529d9b336aba41e5fbbf7b257f0bc59a189');
    expect(key('ed25519', ED25519).id).toBe(
      '686b2135fd1fd4cd22cd2c31e127fcaac6327d3e5817bd6e0cfea090e9b035f1',
    );
  });

  test('signatures', () => {
    const ecdsa = key('ecdsa', ECDSA);
    const ed25519 = key('ed25519', ED25519);
    expect(isValidSignature(ecdsa, signature(ecdsa, 'ecdsa', ECDSA_SIGNATURE), MESSAGE)).toBe(true);
    expect(isValidSignature(ed25519, signature(ed25519, 'eddsa', ED25519_SIGNATURE), MESSAGE)).toBe(true);
  });

  test('one flipped bit of message or signature', () => {
    for (const [of, method, bytes] of [
      [key('ecdsa', ECDSA), 'ecdsa', ECDSA_SIGNATURE],
      [key('ed25519', ED25519), 'eddsa', ED25519_SIGNATURE],
    ] as const) {
      const flipped = Buffer.from(bytes);
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      const other = Buffer.from(MESSAGE);
      other[3] = (other[3] ?? 0) ^ 1;
      expect(isValidSignature(of, signature(of, method, flipped), MESSAGE)).toBe(false);
      expect(isValidSignature(of, signature(of, method, bytes), other)).toBe(false);
    }
  });
});

describe('the algorithm comes from the key; the method must agree (CVE-2015-9258, NCC-1)', () => {
  const ecdsa = key('ecdsa', ECDSA);

  test.each(['eddsa', 'rsapss', 'rsapkcs1v15', 'pycrypto-pkcs#1 pss', 'ECDSA', '', '__proto__', 'none'])(
    'an ecdsa key does not verify by method %s',
    (method) => {
      expect(isValidSignature(ecdsa, signature(ecdsa, method, ECDSA_SIGNATURE), MESSAGE)).toBe(false);
    },
  );

  test('a key whose bytes are of another kind than its type never verifies', () => {
    for (const keytype of ['rsa', 'ed25519', 'ecdsa-x509', 'rsa-x509', 'unheard-of', '__proto__']) {
      const confused = key(keytype, ECDSA);
      expect(confused.algorithm).toBe('unknown');
      expect(isValidSignature(confused, signature(confused, 'ecdsa', ECDSA_SIGNATURE), MESSAGE)).toBe(false);
    }
  });

  test('an ASN.1 signature is not raw r||s', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const of = toPublicKey('ecdsa', publicKey.export({ format: 'der', type: 'spki' }));
    expect(isValidSignature(of, signature(of, 'ecdsa', sign('sha256', MESSAGE, privateKey)), MESSAGE)).toBe(
      false,
    );
    const raw = sign('sha256', MESSAGE, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    expect(isValidSignature(of, signature(of, 'ecdsa', raw), MESSAGE)).toBe(true);
  });

  test('an ed25519 key or signature of the wrong length', () => {
    const short = key('ed25519', encodeBase64(Buffer.alloc(31)));
    expect(short.algorithm).toBe('unknown');
    expect(isValidSignature(short, signature(short, 'eddsa', ED25519_SIGNATURE), MESSAGE)).toBe(false);
    const good = key('ed25519', ED25519);
    expect(isValidSignature(good, signature(good, 'eddsa', ED25519_SIGNATURE.subarray(1)), MESSAGE)).toBe(
      false,
    );
  });
});

describe('counting of thresholds (notary-semantics.md §5.3)', () => {
  const ecdsa = key('ecdsa', ECDSA);
  const ed25519 = key('ed25519', ED25519);
  const both = [signature(ecdsa, 'ecdsa', ECDSA_SIGNATURE), signature(ed25519, 'eddsa', ED25519_SIGNATURE)];

  test('two different keys reach two', () => {
    expect(verifyThreshold({ keys: [ecdsa, ed25519], threshold: 2 }, both, MESSAGE, 'targets')).toHaveLength(
      2,
    );
  });

  test('one key twice does not', () => {
    const twice = [both[0], both[0]].flatMap((item) => (item === undefined ? [] : [item]));
    expect(() =>
      verifyThreshold({ keys: [ecdsa, ed25519], threshold: 2 }, twice, MESSAGE, 'targets'),
    ).toThrow(expect.objectContaining({ fault: 'threshold' }));
  });

  test('a signature by a key outside the role counts for nothing', () => {
    expect(() =>
      verifyThreshold({ keys: [ed25519], threshold: 1 }, both.slice(0, 1), MESSAGE, 'targets'),
    ).toThrow(expect.objectContaining({ fault: 'threshold' }));
  });

  test('no signatures at all', () => {
    expect(() => verifyThreshold({ keys: [ecdsa], threshold: 1 }, [], MESSAGE, 'targets')).toThrow(
      expect.objectContaining({ fault: 'signature' }),
    );
  });

  test.each([0, -1, Number.NaN, 1.5])('a threshold of %s is refused (go-tuf CVE-2026-23992)', (threshold) => {
    expect(() => verifyThreshold({ keys: [ecdsa], threshold }, both, MESSAGE, 'targets')).toThrow(
      expect.objectContaining({ fault: 'threshold' }),
    );
  });
});

test('base64 is read strictly: one spelling a key', () => {
  for (const text of [
    ED25519.slice(0, -1),
    `${ED25519}=`,
    ` ${ED25519}`,
    ED25519.replaceAll('+', '-'),
    'BvaqvU',
  ]) {
    expect([text, parsePublicKey('ed25519', text)?.id === key('ed25519', ED25519).id]).toEqual([
      text,
      text === ED25519,
    ]);
  }
});

test.each(['\n', '\r', '\r\n'])('base64 in lines that end with %j is the same key, as for Go', (end) => {
  const lines = `${ED25519.slice(0, 8)}${end}${ED25519.slice(8)}${end}`;
  expect(parsePublicKey('ed25519', lines)?.id).toBe(key('ed25519', ED25519).id);
});

describe('what a key does comes from its type and its bytes', () => {
  const rsa = sharedKeyPair('rsa2048');
  const ec = createKeyPair();
  const spki = ({ publicKey }: KeyPair) => publicKey.export({ type: 'spki', format: 'der' });
  const certificate = (pair: KeyPair) => Buffer.from(createNotaryCertificate('x', pair));

  test.each([
    ['ecdsa', spki(ec), 'ecdsa'],
    ['ecdsa', spki(rsa), 'unknown'],
    ['rsa', spki(rsa), 'rsa'],
    ['rsa', spki(ec), 'unknown'],
    ['ecdsa-x509', certificate(ec), 'ecdsa'],
    ['ecdsa-x509', certificate(rsa), 'unknown'],
    ['ecdsa-x509', spki(ec), 'unknown'],
    ['rsa-x509', certificate(rsa), 'rsa'],
    ['rsa-x509', certificate(ec), 'unknown'],
    ['rsa-x509', spki(rsa), 'unknown'],
    ['ed25519', Buffer.alloc(32, 1), 'ed25519'],
    ['ed25519', Buffer.alloc(33, 1), 'unknown'],
    ['ed25519', certificate(ec), 'unknown'],
    ['ed25519-x509', certificate(ec), 'unknown'],
    ['ed25519-x509', Buffer.alloc(32, 1), 'unknown'],
    ['Ed25519', Buffer.alloc(32, 1), 'unknown'],
    ['ECDSA', spki(ec), 'unknown'],
    ['', spki(ec), 'unknown'],
    ['__proto__', spki(ec), 'unknown'],
  ])('%s %#: %s', (keytype, bytes, algorithm) => {
    expect(toPublicKey(keytype, bytes)).toMatchObject({ keytype, algorithm });
  });

  test('a certificate is the key inside it, by its canonical ID (notary-semantics.md §4.2)', () => {
    for (const [keytype, pair] of [
      ['ecdsa', ec],
      ['rsa', rsa],
    ] as const) {
      const bare = toPublicKey(keytype, spki(pair));
      const certified = toPublicKey(`${keytype}-x509`, certificate(pair));
      expect(bare.canonicalId).toBe(bare.id);
      expect(certified.canonicalId).toBe(bare.id);
      expect(certified.id).not.toBe(bare.id);
      expect(isSameKey(certified, bare)).toBe(true);
    }
  });

  test('keys that OpenSSL does not read are the same by their bytes alone', () => {
    const ed25519 = toPublicKey('ed25519', Buffer.alloc(32, 1));
    const other = toPublicKey('ed25519', Buffer.alloc(32, 2));
    const ecdsa = toPublicKey('ecdsa', spki(ec));
    expect(isSameKey(ed25519, toPublicKey('ed25519', Buffer.alloc(32, 1)))).toBe(true);
    expect(isSameKey(ed25519, other)).toBe(false);
    expect(isSameKey(ed25519, ecdsa)).toBe(false);
    expect(isSameKey(ecdsa, ed25519)).toBe(false);
  });
});

describe('P-224, which JWK has no name for', () => {
  const spkiOf = (paramEncoding: 'named' | 'explicit' = 'named') =>
    generateKeyPairSync('ec', { namedCurve: 'secp224r1', paramEncoding }).publicKey.export({
      type: 'spki',
      format: 'der',
    });
  /** The same point in its short spelling: 28 bytes less, in both lengths and the bit string. */
  const compressed = (spki: Buffer) => {
    const point = ECDH.convertKey(
      spki.subarray(23),
      'secp224r1',
      undefined,
      undefined,
      'compressed',
    ) as Buffer;
    const head = Buffer.from(spki.subarray(0, 23));
    head.writeUInt8(head.readUInt8(1) - 28, 1);
    head.writeUInt8(head.readUInt8(21) - 28, 21);
    return Buffer.concat([head, point]);
  };

  test('a point is one key in either spelling', () => {
    const spki = spkiOf();
    const short = toPublicKey('ecdsa', compressed(spki));
    expect(short.algorithm).toBe('ecdsa');
    expect(short.id).not.toBe(toPublicKey('ecdsa', spki).id);
    expect(isSameKey(short, toPublicKey('ecdsa', spki))).toBe(true);
  });

  test('two keys are two', () => {
    expect(isSameKey(toPublicKey('ecdsa', spkiOf()), toPublicKey('ecdsa', spkiOf()))).toBe(false);
  });

  test('a key that spells the parameters of the curve out verifies nothing', () => {
    expect(toPublicKey('ecdsa', spkiOf('explicit')).algorithm).toBe('unknown');
  });
});

describe('what OpenSSL made of a key that came from another thread', () => {
  const spki = createKeyPair().publicKey.export({ type: 'spki', format: 'der' });

  test('is read there, and once', () => {
    const sent = structuredClone(toPublicKey('ecdsa', spki));
    const read = keyObjectOf(sent);
    expect(read?.export({ type: 'spki', format: 'der' })).toEqual(spki);
    expect(keyObjectOf(sent)).toBe(read);
  });

  test('is nothing for a type that OpenSSL does not read, whatever its bytes are', () => {
    expect(keyObjectOf({ ...toPublicKey('ecdsa', spki), keytype: 'ed25519' })).toBeUndefined();
  });
});
