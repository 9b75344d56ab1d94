/** The forms of metadata files that nothing else tests: notary-semantics.md §3. */
import { describe, expect, test } from '@jest/globals';
import { createKeyPair, createSigningKey, sharedKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { parseRfc3339 } from '../../proxy/trust-client/encoding.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { countSigners } from '../../proxy/trust-client/signatures.ts';
import { createWorld, digestIn, digestOf, refusal } from './kit.ts';

describe('times', () => {
  test.each([
    ['2026-11-21T10:00:00Z', '2026-11-21T10:00:00.000Z'],
    ['2026-11-21T10:00:00.123456789+02:00', '2026-11-21T08:00:00.123Z'],
    ['2026-11-21T10:00:00.9-05:30', '2026-11-21T15:30:00.900Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s', (text, iso) => {
    expect(parseRfc3339(text)?.toISOString()).toBe(iso);
  });

  test.each([
    '',
    'now',
    '2026-11-21',
    '2026-11-21 10:00:00Z',
    '2026-11-21t10:00:00z',
    '2026-11-21T10:00Z',
    '2026-11-21T10:00:00',
    '2026-11-21T10:00:00.Z',
    '2026-11-21T10:00:00.1234567890Z',
    '2026-11-21T10:00:00+0200',
    '2026-11-21T10:00:00+24:00',
    '2026-11-21T10:00:00+02:60',
    '2026-11-21T24:00:00Z',
    '2026-11-21T10:60:00Z',
    '2026-11-21T10:00:60Z',
    '2026-02-29T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-00-01T10:00:00Z',
    '2026-11-00T10:00:00Z',
    '12026-11-21T10:00:00Z',
    '2026-11-21T10:00:00Z\n',
    '٢٠٢٦-11-21T10:00:00Z',
  ])('%j is none', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });
});

describe('one key in many forms is one signer (notary-semantics.md §13: thresholds by unique public key)', () => {
  const pair = createKeyPair();
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  const certified = () => createSigningKey('ecdsa-x509', { pair, commonName: 'x' }).publicBytes;
  // The point of a P-256 key: 4, x, y; compressed it is 2 or 3, x.
  const [x, y] = [spki.subarray(-64, -32), spki.subarray(-32)];
  const compressed = Buffer.concat([
    Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
    Buffer.from([((y.at(-1) ?? 0) & 1) + 2]),
    x,
  ]);

  test('bare, in two certificates, and with its point compressed', () => {
    const keys = [
      toPublicKey('ecdsa', spki),
      toPublicKey('ecdsa', compressed),
      toPublicKey('ecdsa-x509', certified()),
      toPublicKey('ecdsa-x509', certified()),
    ];
    expect(keys.map(({ algorithm }) => algorithm)).toEqual(['ecdsa', 'ecdsa', 'ecdsa', 'ecdsa']);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(4);
    expect(countSigners(keys)).toBe(1);
    expect(countSigners([...keys, toPublicKey('ed25519', Buffer.alloc(32, 1))])).toBe(2);
  });

  test('an RSA key as PEM and as DER', () => {
    const rsa = sharedKeyPair('rsa2048');
    const pem = createSigningKey('rsa', { pair: rsa, method: 'pycrypto-pkcs#1 pss' });
    const der = createSigningKey('rsa', { pair: rsa });
    expect(countSigners([pem, der].map((key) => toPublicKey('rsa', key.publicBytes)))).toBe(1);
  });
});

describe('what is not read strictly', () => {
  test('custom data of a target, whatever it is, as long as it can be signed', async () => {
    const world = createWorld();
    world.repository.addTag('4.0', digestOf('c'), 7, { custom: { '<b>': ['&', null, -1, true], a: {} } });
    world.repository.publish();
    expect(digestIn(await world.resolve(), '4.0')).toBe(digestOf('c'));
  });

  test('extra roles and keys of an old root (notary-semantics.md §3.2)', async () => {
    const world = createWorld();
    world.repository.resign('root', (signed) => {
      signed.roles['root.1'] = { keyids: ['f'.repeat(64)], threshold: 1 };
      signed.keys['unused'] = { keytype: 'unheard-of', keyval: { private: null, public: 'AAAA' } };
    });
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('a private part that is not null is part of what is signed, and of no ID (notary-semantics.md §3.1)', async () => {
    const world = createWorld();
    world.repository.resign('root', (signed) => {
      for (const key of Object.values(signed.keys)) key.keyval.private = 'x';
    });
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });
});

test.each([
  ['a public key that is not base64', { keytype: 'ecdsa', keyval: { private: null, public: '*' } }],
  ['a key without a type', { keyval: { private: null, public: 'AAAA' } }],
  ['a key without a value', { keytype: 'ecdsa' }],
])('%s is refused', async (_what, key) => {
  const world = createWorld();
  world.repository.resign('root', (signed) => {
    Object.assign(signed.keys, { x: key });
  });
  await refusal(world.resolve(), 'metadata_invalid', 'format');
});
