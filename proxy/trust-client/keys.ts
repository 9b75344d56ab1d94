/**
 * Public keys of Notary metadata, their two kinds of ID, and nothing about what they may sign.
 *
 * A key's ID is computed from its content, never taken from the file: names in `keys` are chosen by whoever wrote
 * it (notary-semantics.md §4.3).
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { bundleIn } from './certificates.ts';
import { decodeBase64, encodeBase64, sha256Hex } from './encoding.ts';

/** What a key does, whatever form it came in; `unknown` can never verify (§3.1). */
export type KeyAlgorithm = 'ecdsa' | 'rsa' | 'ed25519' | 'unknown';

export type PublicKey = {
  /** TUF key ID: SHA-256 over the canonical key object, hex (§4.1). */
  readonly id: string;
  /** The same for the bare key inside a certificate (§4.2): one per key pair, so thresholds count these. */
  readonly canonicalId: string;
  readonly keytype: string;
  readonly algorithm: KeyAlgorithm;
  /** Raw 32 bytes for ed25519, DER or PEM as published otherwise. */
  readonly bytes: Uint8Array;
  /** For ecdsa and rsa; undefined for ed25519, and for bytes that hold no such key: it can never verify. */
  readonly keyObject: KeyObject | undefined;
};

const ED25519_BYTES = 32;

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
  return bytes && toPublicKey(keytype, bytes);
}

export function toPublicKey(keytype: string, bytes: Uint8Array): PublicKey {
  const id = toKeyId(keytype, bytes);
  const type = KEY_TYPES.get(keytype);
  if (type === undefined) {
    const isEd25519 = keytype === 'ed25519' && bytes.length === ED25519_BYTES;
    const algorithm = isEd25519 ? 'ed25519' : 'unknown';
    return { id, canonicalId: id, keytype, algorithm, bytes, keyObject: undefined };
  }
  const keyObject = type.x509 ? keyOfCertificate(bytes) : toKeyObject(bytes);
  // A certificate or key of another kind than its type says can never verify (CVE-2015-9258, §5.2).
  const fits = keyObject?.asymmetricKeyType === type.nodeType;
  const canonicalId = type.x509 && keyObject ? toKeyId(type.algorithm, exportSpki(keyObject)) : id;
  return { id, canonicalId, keytype, algorithm: fits ? type.algorithm : 'unknown', bytes, keyObject };
}

/** The same key pair, in whatever certificate or encoding. */
export function isSameKey(a: PublicKey, b: PublicKey): boolean {
  if (a.canonicalId === b.canonicalId) return true;
  return a.keyObject !== undefined && b.keyObject !== undefined && a.keyObject.equals(b.keyObject);
}

/** One name for a key pair, the same in every certificate and encoding; lower-case hex. */
export function identityOf({ id, keyObject }: PublicKey): string {
  if (keyObject === undefined) return id;
  try {
    const { kty, crv, x, y, n, e } = keyObject.export({ format: 'jwk' });
    return sha256Hex(new TextEncoder().encode(JSON.stringify([kty, crv, x, y, n, e])));
  } catch {
    // A curve that has no name in JWK.
    return sha256Hex(exportSpki(keyObject));
  }
}

/** The literal text of §4.1; base64 is re-encoded, so one key has one ID however it was spelled. */
export function toKeyId(keytype: string, bytes: Uint8Array): string {
  const quoted = keytype.replace(/[\\"]/g, '\\$&');
  const text = `{"keytype":"${quoted}","keyval":{"private":null,"public":"${encodeBase64(bytes)}"}}`;
  return sha256Hex(new TextEncoder().encode(text));
}

function keyOfCertificate(bytes: Uint8Array): KeyObject | undefined {
  // The first certificate of the bundle is the leaf (§4.5); no further check of it here.
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
