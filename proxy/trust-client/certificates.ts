/**
 * X.509 certificates as Notary uses them: bundles inside a key's public bytes, leaf first. What is and is not
 * checked follows notary-semantics.md §4.4 and §4.5; a certificate's own signature matters only for a CA pin.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { type CertificateFacts, readCertificateFacts } from './der.ts';
import { LIMITS } from './limits.ts';

export type Certificate = CertificateFacts & {
  readonly x509: X509Certificate;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
};

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([^-]*)-----END \1-----/g;
const PEM_HEADER = /^[^:\n]+:.*/m;
/** SHA-1 with RSA (both identifiers), ECDSA and DSA: refused (notary-semantics.md §4.4, §14). */
const SHA1_ALGORITHMS = new Set([
  '1.2.840.113549.1.1.5',
  '1.3.14.3.2.29',
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
]);
const MINIMUM_RSA_BITS = 2048;
const ONE_DAY_MS = 86_400_000;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USAGE = '2.5.29.37.0';
/** Certificates in one chain to a CA pin, the leaf included. */
const MAX_CHAIN = 8;

/**
 * Every certificate of a PEM text, in order.
 *
 * @returns undefined when a block is no certificate, cannot be parsed, or there is none (notary-semantics.md §4.4 step 1).
 */
export function parseBundle(pem: string): readonly Certificate[] | undefined {
  const blocks = [...pem.matchAll(PEM_BLOCK)];
  if (blocks.length === 0 || blocks.length > LIMITS.certificates) return undefined;
  const certificates = blocks.map(([, type, body]) =>
    type === 'CERTIFICATE' ? parseOne(body ?? '') : undefined,
  );
  return certificates.every((certificate) => certificate !== undefined) ? certificates : undefined;
}

const bundles = new WeakMap<Uint8Array, readonly Certificate[] | undefined>();

/** The bundle in a key's own bytes, which are parsed once: several questions are asked of them, and parsing is slow. */
export function bundleIn(bytes: Uint8Array): readonly Certificate[] | undefined {
  if (!bundles.has(bytes)) bundles.set(bytes, parseBundle(Buffer.from(bytes).toString('latin1')));
  return bundles.get(bytes);
}

function parseOne(pemBody: string): Certificate | undefined {
  try {
    const der = Buffer.from(pemBody.replace(PEM_HEADER, ''), 'base64');
    const x509 = new X509Certificate(der);
    return {
      ...readCertificateFacts(x509.raw),
      x509,
      // Read here, where it may throw: OpenSSL decodes the key only when it is asked for.
      publicKey: x509.publicKey,
      notBefore: new Date(x509.validFrom),
      notAfter: new Date(x509.validTo),
    };
  } catch {
    // OpenSSL and our own reader throw for bytes that are no certificate; the caller skips or refuses the key.
    return undefined;
  }
}

/** 64-column PEM with a final newline: the form root key IDs are computed over (notary-semantics.md §4.4 step 6). */
export function encodePem(certificates: readonly Certificate[]): string {
  return certificates
    .map(({ x509 }) => {
      const lines = x509.raw.toString('base64').match(/.{1,64}/g) ?? [];
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
    })
    .join('');
}

/** Algorithms and sizes that are never acceptable; expiry is asked separately (notary-semantics.md §4.4 step 4, §4.5). */
export function isStrongCertificate(certificate: Certificate): boolean {
  const { publicKey } = certificate;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType === 'rsa' && bits < MINIMUM_RSA_BITS) return false;
  // Negated so that an unreadable date (NaN) fails.
  if (!(certificate.notBefore.getTime() <= certificate.notAfter.getTime())) return false;
  return !SHA1_ALGORITHMS.has(certificate.signatureAlgorithm);
}

/** One day of grace for a clock that runs ahead, as Notary gives (notary-semantics.md §4.4 step 4). */
export function isWithinValidity(certificate: Certificate, now: Date): boolean {
  return (
    certificate.notBefore.getTime() <= now.getTime() + ONE_DAY_MS &&
    certificate.notAfter.getTime() >= now.getTime()
  );
}

/**
 * A trailing `*` makes a plain prefix of the rest, not aware of path segments; elsewhere `*` is literal
 * (notary-semantics.md §4.4).
 */
export function commonNameCovers(commonName: string | undefined, gun: string): boolean {
  if (commonName === undefined) return false;
  return commonName.endsWith('*') ? gun.startsWith(commonName.replace(/\*+$/, '')) : commonName === gun;
}

/**
 * Whether `leaf` chains to one of `anchors` through `intermediates`, each link's signature checked. As Go's default
 * verification demands, every certificate below the anchor must allow serverAuth (notary-semantics.md §6.2 step 3); so
 * Notary's own codeSigning certificates never pass.
 *
 * @param now undefined: validity was checked when the chain was first accepted, and is not asked again.
 */
export function chainsTo(
  anchors: readonly Certificate[],
  leaf: Certificate,
  intermediates: readonly Certificate[],
  now: Date | undefined,
): boolean {
  const usable = (certificate: Certificate) =>
    isStrongCertificate(certificate) && (now === undefined || isWithinValidity(certificate, now));
  const visited = new Set<Certificate>();
  const reaches = (certificate: Certificate, depth: number): boolean => {
    if (depth >= MAX_CHAIN || visited.has(certificate)) return false;
    visited.add(certificate);
    if (!usable(certificate) || !allowsServerAuth(certificate)) return false;
    if (
      anchors.some(
        (anchor) =>
          usable(anchor) && (anchor.x509.raw.equals(certificate.x509.raw) || issued(anchor, certificate)),
      )
    ) {
      return true;
    }
    return intermediates.some((next) => next.isCa && issued(next, certificate) && reaches(next, depth + 1));
  };
  return reaches(leaf, 1);
}

function allowsServerAuth({ extendedKeyUsages }: Certificate): boolean {
  return (
    extendedKeyUsages === undefined ||
    extendedKeyUsages.some((usage) => usage === SERVER_AUTH || usage === ANY_USAGE)
  );
}

function issued(issuer: Certificate, subject: Certificate): boolean {
  return issuer.isCa && subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.publicKey);
}
