/**
 * Makes X.509 v3 certificates (RFC 5280), which Node can read but not write: root certificates as Notary makes
 * them, TLS certificates for the simulators, and the odd ones hostile tests need.
 */
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import * as der from './der.ts';

export type KeyUsage = 'digitalSignature' | 'keyEncipherment' | 'keyAgreement' | 'keyCertSign' | 'crlSign';
export type ExtendedKeyUsage = 'codeSigning' | 'serverAuth' | 'clientAuth' | 'any';

export type CertificateOptions = {
  /** Several names become several CN attributes in this order; Notary readers keep the last. */
  readonly commonName: string | readonly string[];
  readonly publicKey: KeyObject;
  /** The private key that signs: the subject's own for a self-signed certificate, else the issuer's. */
  readonly signer: KeyObject;
  /** The issuer's common name or names; the subject's own when absent. */
  readonly issuer?: string | readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** basicConstraints cA; no such extension when absent. */
  readonly ca?: boolean;
  /** No such extension when absent or empty. */
  readonly keyUsage?: readonly KeyUsage[];
  /** No such extension when absent or empty. */
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[];
  /** subjectAltName: host names and IP addresses. */
  readonly hosts?: readonly string[];
  /** SHA-1 only for tests that want it refused. */
  readonly hash?: 'sha256' | 'sha1';
  /** 128 random bits when absent. */
  readonly serial?: bigint;
};

const KEY_USAGE_BITS: Record<KeyUsage, number> = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyAgreement: 4,
  keyCertSign: 5,
  crlSign: 6,
};

const EXTENDED_KEY_USAGES: Record<ExtendedKeyUsage, string> = {
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  any: '2.5.29.37.0',
};

const SIGNATURE_ALGORITHMS = {
  ec: { sha256: '1.2.840.10045.4.3.2', sha1: '1.2.840.10045.4.1' },
  rsa: { sha256: '1.2.840.113549.1.1.11', sha1: '1.2.840.113549.1.1.5' },
} as const;

/** @returns one PEM block: 64-column lines, a newline at the end. */
export function createCertificate(options: CertificateOptions): string {
  return toPem('CERTIFICATE', createCertificateDer(options));
}

export function createCertificateDer(options: CertificateOptions): Buffer {
  const hash = options.hash ?? 'sha256';
  const algorithm = signatureAlgorithm(options.signer, hash);
  const body = certificateBody(options, algorithm);
  return der.sequence(body, algorithm, der.bitString(sign(hash, body, options.signer)));
}

export function toPem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function signatureAlgorithm(key: KeyObject, hash: 'sha256' | 'sha1'): Buffer {
  // RSA identifiers carry an explicit NULL, ECDSA identifiers none (RFC 3279 §2.2).
  if (key.asymmetricKeyType === 'rsa') {
    return der.sequence(der.objectIdentifier(SIGNATURE_ALGORITHMS.rsa[hash]), der.nothing());
  }
  if (key.asymmetricKeyType === 'ec')
    return der.sequence(der.objectIdentifier(SIGNATURE_ALGORITHMS.ec[hash]));
  throw new TypeError(`A certificate cannot be signed with a key of type ${key.asymmetricKeyType}.`);
}

function certificateBody(options: CertificateOptions, algorithm: Buffer): Buffer {
  const version3 = der.explicit(0, der.integer(2n));
  return der.sequence(
    version3,
    der.integer(options.serial ?? BigInt(`0x${randomBytes(16).toString('hex')}`)),
    algorithm,
    distinguishedName(options.issuer ?? options.commonName),
    der.sequence(der.time(options.notBefore), der.time(options.notAfter)),
    distinguishedName(options.commonName),
    options.publicKey.export({ type: 'spki', format: 'der' }),
    ...extensions(options),
  );
}

function distinguishedName(names: string | readonly string[]): Buffer {
  const list = typeof names === 'string' ? [names] : names;
  const commonName = der.objectIdentifier('2.5.4.3');
  return der.sequence(...list.map((name) => der.set(der.sequence(commonName, der.utf8String(name)))));
}

/** The optional `[3]` element: none at all when no extension was asked for. */
function extensions(options: CertificateOptions): Buffer[] {
  const { ca, keyUsage = [], extendedKeyUsage = [], hosts = [] } = options;
  const list: Buffer[] = [];
  if (ca !== undefined) list.push(basicConstraints(ca));
  if (keyUsage.length > 0)
    list.push(critical('2.5.29.15', der.namedBits(keyUsage.map((use) => KEY_USAGE_BITS[use]))));
  if (extendedKeyUsage.length > 0) {
    const uses = extendedKeyUsage.map((use) => der.objectIdentifier(EXTENDED_KEY_USAGES[use]));
    list.push(extension('2.5.29.37', der.sequence(...uses)));
  }
  if (hosts.length > 0) list.push(extension('2.5.29.17', der.sequence(...hosts.map(generalName))));
  return list.length === 0 ? [] : [der.explicit(3, der.sequence(...list))];
}

function basicConstraints(ca: boolean): Buffer {
  // DER leaves a default value out, so "not a CA" is an empty sequence.
  return critical('2.5.29.19', ca ? der.sequence(der.boolean(true)) : der.sequence());
}

function extension(identifier: string, value: Buffer): Buffer {
  return der.sequence(der.objectIdentifier(identifier), der.octetString(value));
}

function critical(identifier: string, value: Buffer): Buffer {
  return der.sequence(der.objectIdentifier(identifier), der.boolean(true), der.octetString(value));
}

function generalName(host: string): Buffer {
  if (isIP(host) === 4) return der.element(0x87, Buffer.from(host.split('.').map(Number)));
  return der.element(0x82, Buffer.from(host, 'ascii'));
}
