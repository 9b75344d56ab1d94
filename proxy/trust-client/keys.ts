/**
 * Public keys of Notary metadata, their two kinds of ID, and nothing about what they may sign.
 *
 * A key's ID is computed from its content, never taken from the file: names in `keys` are chosen by whoever wrote
 * it (notary-semantics.md §4.3).
 */
import { createPublicKey, ECDH, type KeyObject } from 'node:crypto';
import { bundleIn } from './certificates.ts';
import { decodeBase64, encodeBase64, sha256Hex } from './encoding.ts';
import { createKnownKeys } from './known-keys.ts';

/** The signature algorithm of a key, in whatever encoding it came; `unknown` never verifies (notary-semantics.md §3.1). */
export type KeyAlgorithm = 'ecdsa' | 'rsa' | 'ed25519' | 'unknown';

export type PublicKey = {
  /** TUF key ID: SHA-256 over the canonical key object, hex (notary-semantics.md §4.1). */
  readonly id: string;
  /**
   * The same for the bare key inside a certificate (notary-semantics.md §4.2): one per key pair, so thresholds count these.
   */
  readonly canonicalId: string;
  readonly keytype: string;
  readonly algorithm: KeyAlgorithm;
  /** Raw 32 bytes for ed25519, DER or PEM as published otherwise. */
  readonly bytes: Uint8Array;
  /**
   * Names the key pair itself, whatever certificate or encoding it came in: equal for equal pairs. The canonical ID
   * where the bytes hold no key.
   */
  readonly pair: string;
};

const ED25519_BYTES = 32;

/** What node:crypto made of a key's bytes; beside the key, which stays plain data that another thread can be sent. */
const keyObjects = new WeakMap<PublicKey, KeyObject | undefined>();

/** For ecdsa and rsa; undefined for ed25519, and for bytes that hold no such key: it can never verify. */
export function keyObjectOf(key: PublicKey): KeyObject | undefined {
  if (!keyObjects.has(key)) keyObjects.set(key, readKeyObject(key.keytype, key.bytes));
  return keyObjects.get(key);
}

type KeyType = {
  readonly algorithm: 'ecdsa' | 'rsa';
  /** What node:crypto calls a key of this algorithm. */
  readonly nodeType: string;
  readonly x509: boolean;
};

/** Each key type that OpenSSL reads. A Map: the type is a string from outside and must not find something inherited. */
const KEY_TYPES = new Map<string, KeyType>([
  ['ecdsa', { algorithm: 'ecdsa', nodeType: 'ec', x509: false }],
  ['ecdsa-x509', { algorithm: 'ecdsa', nodeType: 'ec', x509: true }],
  ['rsa', { algorithm: 'rsa', nodeType: 'rsa', x509: false }],
  ['rsa-x509', { algorithm: 'rsa', nodeType: 'rsa', x509: true }],
]);

/** @returns undefined when `publicBase64` is not strict base64. */
export function parsePublicKey(keytype: string, publicBase64: string): PublicKey | undefined {
  const bytes = decodeBase64(publicBase64);
  // A copy of its own: what Node decodes may share memory with other buffers, which would all travel with it.
  return bytes && toPublicKey(keytype, Uint8Array.from(bytes));
}

/** @param bytes become part of the key, also of later ones with the same ID: they must not change. */
export function toPublicKey(keytype: string, bytes: Uint8Array): PublicKey {
  const id = toKeyId(keytype, bytes);
  const type = KEY_TYPES.get(keytype);
  if (type === undefined) {
    const isEd25519 = keytype === 'ed25519' && bytes.length === ED25519_BYTES;
    const algorithm = isEd25519 ? 'ed25519' : 'unknown';
    return { id, canonicalId: id, keytype, algorithm, bytes, pair: id };
  }
  const known = knownKeys.get(id);
  if (known !== undefined) return known;
  const keyObject = readKeyObject(keytype, bytes);
  // A certificate or key of another kind than its type says can never verify (CVE-2015-9258, notary-semantics.md §5.2).
  const pair = keyObject && pairOf(keyObject);
  const fits = keyObject?.asymmetricKeyType === type.nodeType && pair !== undefined;
  const canonicalId = type.x509 && keyObject ? toKeyId(type.algorithm, exportSpki(keyObject)) : id;
  const algorithm = fits ? type.algorithm : 'unknown';
  const key: PublicKey = { id, canonicalId, keytype, algorithm, bytes, pair: pair ?? canonicalId };
  keyObjects.set(key, keyObject);
  // What was parsed of a bundle stays as long as its bytes do.
  knownKeys.remember(key, type.x509 ? (bundleIn(bytes)?.length ?? 1) : 1);
  return key;
}

/** The ID is made of type and bytes, and all that is known of a key too: what was found for one holds for the other. */
const knownKeys = createKnownKeys<PublicKey>();

/** The same key pair, in whatever certificate or encoding. */
export function isSameKey(a: PublicKey, b: PublicKey): boolean {
  return a.pair === b.pair;
}

/**
 * The numbers a key consists of, as text: DER may write one point of a curve in several ways. Undefined for what may not
 * verify.
 */
function pairOf(key: KeyObject): string | undefined {
  try {
    const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' });
    return [kty, crv, x, y, n, e].join(' ');
  } catch {
    const spki = exportSpki(key);
    const isP224 = key.asymmetricKeyDetails?.namedCurve === 'secp224r1';
    return isP224 ? pairOnP224(spki) : Buffer.from(spki).toString('hex');
  }
}

/** Bytes of an SPKI that names P-224 before its point, and of the point: a sign and one coordinate, or both. */
const P224_HEAD = 23;
const P224_POINTS = [1 + 28, 1 + 2 * 28];

/** JWK has no name for this curve. A key that spells the curve's parameters out instead is not taken. */
function pairOnP224(spki: Uint8Array): string | undefined {
  const point = spki.subarray(P224_HEAD);
  if (!P224_POINTS.includes(point.length)) return undefined;
  return `P-224 ${ECDH.convertKey(point, 'secp224r1', undefined, 'hex', 'uncompressed')}`;
}

/** `pair` as one short name, for what is remembered: lower-case hex. */
export function identityOf({ pair }: Pick<PublicKey, 'pair'>): string {
  return sha256Hex(new TextEncoder().encode(pair));
}

/** The literal text of notary-semantics.md §4.1; base64 is re-encoded, so one key has one ID however it was spelled. */
export function toKeyId(keytype: string, bytes: Uint8Array): string {
  const quoted = keytype.replace(/[\\"]/g, '\\$&');
  const text = `{"keytype":"${quoted}","keyval":{"private":null,"public":"${encodeBase64(bytes)}"}}`;
  return sha256Hex(new TextEncoder().encode(text));
}

function readKeyObject(keytype: string, bytes: Uint8Array): KeyObject | undefined {
  const type = KEY_TYPES.get(keytype);
  if (type === undefined) return undefined;
  return type.x509 ? keyOfCertificate(bytes) : toKeyObject(bytes);
}

function keyOfCertificate(bytes: Uint8Array): KeyObject | undefined {
  // The first certificate of the bundle is the leaf (notary-semantics.md §4.5); no further check of it here.
  return bundleIn(bytes)?.[0]?.publicKey;
}

function toKeyObject(bytes: Uint8Array): KeyObject | undefined {
  const isPem = bytes[0] === 0x2d;
  try {
    if (isPem) return createPublicKey({ key: Buffer.from(bytes), format: 'pem' });
    return createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' });
  } catch {
    // Bytes that hold no key: the key stays known, and never verifies.
    return undefined;
  }
}

function exportSpki(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' });
}
