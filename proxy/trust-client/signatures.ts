/**
 * Signature checks and the counting of thresholds (notary-semantics.md §5.2, §5.3).
 *
 * The algorithm comes from the trusted key; the file's `method` must agree with it (NCC-1, CVE-2015-9258).
 */
import { constants, type KeyObject, verify as verifyWithNode } from 'node:crypto';
import * as ed25519 from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { invalid, TrustError } from './errors.ts';
import { type KeyAlgorithm, keyObjectOf, type PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import { atOnce, type Steps } from './steps.ts';

// The library's synchronous calls need their hash given once.
ed25519.hashes.sha512 = sha512;

export type Signature = {
  readonly keyId: string;
  /** Lower-case. */
  readonly method: string;
  readonly bytes: Uint8Array;
};

/** A set of keys of which `threshold` must sign. */
export type Role = { readonly keys: readonly PublicKey[]; readonly threshold: number };

type Method = {
  readonly algorithm: KeyAlgorithm;
  readonly verify: (key: PublicKey, message: Uint8Array, signature: Uint8Array) => boolean;
};

const MINIMUM_RSA_BITS = 2048;
/** Go's own limit: no Notary client takes a larger one. */
const MAXIMUM_RSA_EXPONENT = 2n ** 31n - 1n;
const PSS_SALT_BYTES = 32;

/** A Map: the method is a string from outside and must not find something inherited. */
const METHODS = new Map<string, Method>([
  ['ecdsa', { algorithm: 'ecdsa', verify: verifyEcdsa }],
  ['rsapss', { algorithm: 'rsa', verify: verifyRsa(constants.RSA_PKCS1_PSS_PADDING) }],
  ['pycrypto-pkcs#1 pss', { algorithm: 'rsa', verify: verifyRsa(constants.RSA_PKCS1_PSS_PADDING) }],
  ['rsapkcs1v15', { algorithm: 'rsa', verify: verifyRsa(constants.RSA_PKCS1_PADDING) }],
  ['eddsa', { algorithm: 'ed25519', verify: verifyEd25519 }],
]);

/** Never throws: bytes no library can read are an invalid signature. */
export function isValidSignature(key: PublicKey, signature: Signature, message: Uint8Array): boolean {
  const method = METHODS.get(signature.method);
  if (method === undefined || method.algorithm !== key.algorithm) return false;
  try {
    return method.verify(key, message, signature.bytes);
  } catch {
    return false;
  }
}

/**
 * Proves that `threshold` different keys of the role signed `message`.
 *
 * @returns the IDs of the keys whose signatures are valid.
 * @throws TrustError `metadata_invalid`: `threshold` when too few did, `signature` when there are none at all.
 */
export function verifyThreshold(
  role: Role,
  signatures: readonly Signature[],
  message: Uint8Array,
  roleName: string,
): readonly string[] {
  return atOnce(thresholdSteps(role, signatures, message, roleName));
}

/** The same, with a pause after each signature. */
export function* thresholdSteps(
  role: Role,
  signatures: readonly Signature[],
  message: Uint8Array,
  roleName: string,
): Steps<readonly string[]> {
  if (signatures.length === 0) throw invalid('signature', roleName, `${roleName} carries no signature`);
  // A threshold below one would make "no signature" enough (go-tuf CVE-2026-23992).
  if (!Number.isSafeInteger(role.threshold) || role.threshold < 1) {
    throw invalid('threshold', roleName, `the threshold of ${roleName} is not a positive number`);
  }
  // Every try reads the whole message, so both count: 128 signatures on 32 MiB would be 4 GiB.
  if (countTries(role, signatures) * message.length > LIMITS.signedBytes) {
    throw invalid(
      'size',
      roleName,
      `${roleName} carries more signatures than are checked on a file so large`,
    );
  }
  const valid = yield* validSigners(role.keys, signatures, message);
  const signers = countSigners(valid);
  if (signers < role.threshold) {
    throw new TrustError(
      'metadata_invalid',
      'threshold',
      `${roleName} has ${signers} valid signatures of the ${role.threshold} its keys must give`,
      { role: roleName },
    );
  }
  return valid.map((key) => key.id);
}

/** How many signatures name a key of the role, and so may have to be checked before the threshold is counted. */
export function countTries(role: Role, signatures: readonly Signature[]): number {
  const ids = new Set(role.keys.map((key) => key.id));
  return signatures.filter(({ keyId }) => ids.has(keyId)).length;
}

/**
 * How many different keys these are. Two certificates around one key, or two encodings of it, have two IDs and are
 * still one signer (notary-semantics.md §5.3; TUF §4 counts unique keys).
 */
export function countSigners(keys: readonly PublicKey[]): number {
  return new Set(keys.map((key) => key.pair)).size;
}

function* validSigners(
  keys: readonly PublicKey[],
  signatures: readonly Signature[],
  message: Uint8Array,
): Steps<PublicKey[]> {
  // One try a signature, however often a hostile root lists the same key: verifying is what costs.
  const byId = new Map(keys.map((key) => [key.id, key]));
  const valid = new Set<PublicKey>();
  for (const signature of signatures) {
    const key = byId.get(signature.keyId);
    if (key === undefined || valid.has(key)) continue;
    if (isValidSignature(key, signature, message)) valid.add(key);
    yield;
  }
  return [...byId.values()].filter((key) => valid.has(key));
}

/** SHA-256 for every curve; raw r‖s of fixed width, not ASN.1 (notary-semantics.md §5.2). */
function verifyEcdsa(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const keyObject = keyObjectOf(key);
  const curve = keyObject?.asymmetricKeyDetails?.namedCurve ?? '';
  if (keyObject === undefined || signature.length !== SIGNATURE_BYTES.get(curve)) return false;
  return verifyWithNode('sha256', message, { key: keyObject, dsaEncoding: 'ieee-p1363' }, signature);
}

/** Bytes of r‖s by OpenSSL's name of the curve. A key on any other curve signs nothing. */
const SIGNATURE_BYTES = new Map([
  ['secp224r1', 2 * 28],
  ['prime256v1', 2 * 32],
  ['secp384r1', 2 * 48],
  ['secp521r1', 2 * 66],
]);

function verifyRsa(padding: number): Method['verify'] {
  return (key, message, signature) => {
    const keyObject = keyObjectOf(key);
    if (keyObject === undefined || !isUsableRsa(keyObject)) return false;
    // The length of the salt means something to PSS only.
    const options = { key: keyObject, padding, saltLength: PSS_SALT_BYTES };
    return verifyWithNode('sha256', message, options, signature);
  };
}

/** What one check costs grows with the square of the modulus and with the exponent, which the publisher chooses. */
function isUsableRsa({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const bits = details?.modulusLength ?? 0;
  const exponent = details?.publicExponent ?? 0n;
  return bits >= MINIMUM_RSA_BITS && bits <= LIMITS.rsaBits && exponent <= MAXIMUM_RSA_EXPONENT;
}

/** RFC 8032 as Go reads it, not the lenient ZIP-215 the library defaults to. */
function verifyEd25519(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519.verify(signature, message, key.bytes, { zip215: false });
}
