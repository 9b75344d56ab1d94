/**
 * Keys that sign metadata, in every form Notary publishes them (notary-semantics.md §3.1, §4.1, §5.2).
 *
 * Key IDs are computed from the literal text of notary-semantics.md §4.1, not with the trust client's code: the two check
 * each other.
 */
import {
  constants,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { type CertificateOptions, createCertificate } from './x509-writer.ts';

export type KeyKind = 'ecdsa' | 'ecdsa-x509' | 'rsa' | 'rsa-x509' | 'ed25519';
export type KeyAlgorithm =
  | 'p256'
  | 'p384'
  | 'p521'
  | 'rsa2048'
  | 'rsa3072'
  | 'rsa4096'
  | 'rsa1024'
  | 'ed25519';
export type SignatureMethod = 'ecdsa' | 'rsapss' | 'rsapkcs1v15' | 'pycrypto-pkcs#1 pss' | 'eddsa';

export type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

export type SigningKey = {
  readonly kind: KeyKind;
  readonly method: SignatureMethod;
  readonly privateKey: KeyObject;
  /** What stands, in base64, in `keyval.public`. */
  readonly publicBytes: Uint8Array;
  /** The TUF key ID (notary-semantics.md §4.1). */
  readonly id: string;
  /** The same key without its certificate (notary-semantics.md §4.2); equal to `id` for keys that have none. */
  readonly canonicalId: string;
};

export type SigningKeyOptions = {
  /** Use this pair; RSA pairs are slow to make. */
  readonly pair?: KeyPair;
  /** The pair's algorithm when none is given: P-256 or RSA 2048 when absent. */
  readonly algorithm?: KeyAlgorithm;
  /** RSA keys sign `rsapss` when absent. */
  readonly method?: SignatureMethod;
  /** x509 kinds: the common name of the self-signed certificate made for the key. */
  readonly commonName?: string;
  /** x509 kinds: what the certificate made for the key differs in. */
  readonly certificate?: Partial<CertificateOptions>;
  /** x509 kinds: use this PEM bundle (leaf first) as it is. */
  readonly pem?: string;
  /** The time the certificate starts; now when absent. */
  readonly now?: Date;
};

/** Notary's own root certificates run for ten 365-day years (notary-semantics.md §3, §4.4). */
const CERTIFICATE_LIFETIME_MS = 3650 * 86_400_000;

const CURVES = { p256: 'P-256', p384: 'P-384', p521: 'P-521' } as const;
const DEFAULT_ALGORITHM = {
  ecdsa: 'p256',
  'ecdsa-x509': 'p256',
  rsa: 'rsa2048',
  'rsa-x509': 'rsa2048',
  ed25519: 'ed25519',
} as const satisfies Record<KeyKind, KeyAlgorithm>;
const DEFAULT_METHOD = {
  ecdsa: 'ecdsa',
  'ecdsa-x509': 'ecdsa',
  rsa: 'rsapss',
  'rsa-x509': 'rsapss',
  ed25519: 'eddsa',
} as const satisfies Record<KeyKind, SignatureMethod>;

export function createKeyPair(algorithm: KeyAlgorithm = 'p256'): KeyPair {
  if (algorithm === 'ed25519') return generateKeyPairSync('ed25519');
  if (algorithm === 'p256' || algorithm === 'p384' || algorithm === 'p521') {
    return generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] });
  }
  return generateKeyPairSync('rsa', { modulusLength: Number(algorithm.slice('rsa'.length)) });
}

const sharedPairs = new Map<string, KeyPair>();

/** One pair per algorithm and name for the whole process: for tests that need an RSA pair but not a new one. */
export function sharedKeyPair(algorithm: KeyAlgorithm, name = ''): KeyPair {
  const label = `${algorithm} ${name}`;
  const pair = sharedPairs.get(label) ?? createKeyPair(algorithm);
  sharedPairs.set(label, pair);
  return pair;
}

export function createSigningKey(kind: KeyKind, options: SigningKeyOptions = {}): SigningKey {
  const pair = options.pair ?? createKeyPair(options.algorithm ?? DEFAULT_ALGORITHM[kind]);
  const method = options.method ?? DEFAULT_METHOD[kind];
  const publicBytes = publicBytesOf(kind, method, pair, options);
  const { privateKey } = pair;
  const id = keyId(kind, publicBytes);
  return { kind, method, privateKey, publicBytes, id, canonicalId: canonicalKeyId(kind, publicBytes) };
}

/** The same private key under a new certificate: another key ID, the same canonical ID. */
export function recertify(key: SigningKey, pem: string): SigningKey {
  const publicBytes = Buffer.from(pem, 'ascii');
  return {
    ...key,
    publicBytes,
    id: keyId(key.kind, publicBytes),
    canonicalId: canonicalKeyId(key.kind, publicBytes),
  };
}

/** A certificate as Notary makes it for a root key (notary-semantics.md §4.4), but for what the options change. */
export function createNotaryCertificate(
  commonName: string,
  pair: KeyPair,
  options: SigningKeyOptions = {},
): string {
  const start = options.now ?? new Date();
  return createCertificate({
    commonName,
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: start,
    notAfter: new Date(start.getTime() + CERTIFICATE_LIFETIME_MS),
    ca: false,
    keyUsage: ['digitalSignature', 'keyEncipherment'],
    extendedKeyUsage: ['codeSigning'],
    ...options.certificate,
  });
}

function publicBytesOf(
  kind: KeyKind,
  method: SignatureMethod,
  pair: KeyPair,
  options: SigningKeyOptions,
): Uint8Array {
  if (kind === 'ed25519') return rawEd25519(pair.publicKey);
  if (kind === 'ecdsa-x509' || kind === 'rsa-x509') {
    return Buffer.from(
      options.pem ?? createNotaryCertificate(options.commonName ?? '', pair, options),
      'ascii',
    );
  }
  if (method === 'pycrypto-pkcs#1 pss') {
    return Buffer.from(pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'ascii');
  }
  return pair.publicKey.export({ type: 'spki', format: 'der' });
}

/** The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key itself (RFC 8410 §4). */
function rawEd25519(key: KeyObject): Uint8Array {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32);
}

/** notary-semantics.md §4.1, over the literal text. */
export function keyId(keytype: string, publicBytes: Uint8Array): string {
  const text = `{"keytype":"${keytype}","keyval":{"private":null,"public":"${toBase64(publicBytes)}"}}`;
  return createHash('sha256').update(text).digest('hex');
}

/** notary-semantics.md §4.2: certificates are replaced by the public key of the first one. */
export function canonicalKeyId(kind: KeyKind, publicBytes: Uint8Array): string {
  if (kind !== 'ecdsa-x509' && kind !== 'rsa-x509') return keyId(kind, publicBytes);
  const { publicKey } = new X509Certificate(publicBytes);
  return keyId(kind === 'rsa-x509' ? 'rsa' : 'ecdsa', publicKey.export({ type: 'spki', format: 'der' }));
}

/**
 * Signs as the key's method does (notary-semantics.md §5.2): raw `r‖s` for ECDSA, a salt of exactly 32 bytes for RSA-PSS.
 */
export function signMessage(key: SigningKey, message: Uint8Array): Uint8Array {
  const { privateKey, method } = key;
  if (method === 'eddsa') return sign(null, message, privateKey);
  if (method === 'ecdsa') return sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (method === 'rsapkcs1v15') return sign('sha256', message, privateKey);
  return sign('sha256', message, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 32,
  });
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
