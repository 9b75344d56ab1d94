import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { createKeyPair, type KeyAlgorithm, sharedKeyPair } from '../../../proxy/demo/notary/signing-key.ts';
import { type CertificateOptions, createCertificate } from '../../../proxy/demo/notary/x509-writer.ts';

const NOT_BEFORE = new Date('2026-11-21T10:00:00Z');
const NOT_AFTER = new Date('2036-11-19T10:00:00Z');

function certify(options: Partial<CertificateOptions> = {}, pair = sharedKeyPair('p256')): X509Certificate {
  const base = {
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
  };
  return new X509Certificate(
    createCertificate({ commonName: 'docker.io/library/alpine', ...base, ...options }),
  );
}

describe('certificates Node and OpenSSL can read', () => {
  const algorithms: KeyAlgorithm[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072'];
  test.each(algorithms)('self-signed with %s', (algorithm) => {
    const pair = sharedKeyPair(algorithm);
    const certificate = certify({}, pair);
    expect(certificate.verify(pair.publicKey)).toBe(true);
    expect(certificate.publicKey.equals(pair.publicKey)).toBe(true);
    expect(certificate.subject).toBe('CN=docker.io/library/alpine');
    expect(certificate.issuer).toBe(certificate.subject);
  });

  test('validity is kept to the second, beyond 2049 too', () => {
    const certificate = certify({ notAfter: new Date('2076-01-02T03:04:05Z') });
    expect(new Date(certificate.validFrom)).toEqual(NOT_BEFORE);
    expect(new Date(certificate.validTo)).toEqual(new Date('2076-01-02T03:04:05Z'));
  });

  test('several common names stand in the given order', () => {
    expect(certify({ commonName: ['first', 'last'] }).subject).toBe('CN=first\nCN=last');
  });

  test('an empty list of names makes an empty subject', () => {
    expect(certify({ commonName: [] }).subject).toBeUndefined();
  });

  test('issued by a CA', () => {
    const authority = createKeyPair('p384');
    const ca = certify({ commonName: 'Test CA', ca: true, keyUsage: ['keyCertSign', 'crlSign'] }, authority);
    const leaf = certify({ issuer: 'Test CA', signer: authority.privateKey, ca: false });
    expect(leaf.checkIssued(ca)).toBe(true);
    expect(leaf.verify(authority.publicKey)).toBe(true);
    expect([ca.ca, leaf.ca]).toEqual([true, false]);
  });

  test('a certificate signed by another key than its issuer does not verify', () => {
    const certificate = certify({ signer: createKeyPair('p256').privateKey });
    expect(certificate.verify(certificate.publicKey)).toBe(false);
  });

  test('extended key usage', () => {
    expect(certify({ extendedKeyUsage: ['codeSigning'] }).keyUsage).toEqual(['1.3.6.1.5.5.7.3.3']);
    expect(certify({ extendedKeyUsage: ['serverAuth', 'any'] }).keyUsage).toEqual([
      '1.3.6.1.5.5.7.3.1',
      '2.5.29.37.0',
    ]);
    expect(certify().keyUsage).toBeUndefined();
  });

  test('subject alternative names of hosts and addresses', () => {
    expect(certify({ hosts: ['localhost', '127.0.0.1'] }).subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1',
    );
  });

  test.each([
    ['p256', 'ecdsa-with-SHA1', '2a8648ce3d0401'],
    ['rsa2048', 'sha1WithRSAEncryption', '2a864886f70d010105'],
  ] as const)('SHA-1 on request: %s signs %s', (algorithm, _name, identifier) => {
    const pair = sharedKeyPair(algorithm);
    const certificate = certify({ hash: 'sha1' }, pair);
    expect(certificate.raw.toString('hex')).toContain(
      `06${(identifier.length / 2).toString(16).padStart(2, '0')}${identifier}`,
    );
    expect(certificate.verify(pair.publicKey)).toBe(true);
  });

  test('PEM comes in lines of 64 characters with a newline at the end', () => {
    const pair = sharedKeyPair('p256');
    const base = {
      publicKey: pair.publicKey,
      signer: pair.privateKey,
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
    };
    const pem = createCertificate({ commonName: 'x', ...base });
    expect(pem).toMatch(
      /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/]{64}\n)+[A-Za-z0-9+/=]{1,64}\n-----END CERTIFICATE-----\n$/,
    );
    expect(new X509Certificate(pem).toString()).toBe(pem);
  });

  test('a serial number with its top bit set stays positive', () => {
    expect(certify({ serial: 0xf0n }).serialNumber).toBe('F0');
    expect(certify({ serial: 1n << 127n }).serialNumber).toBe('80000000000000000000000000000000');
  });

  test('an Ed25519 key cannot sign a certificate', () => {
    expect(() => certify({}, createKeyPair('ed25519'))).toThrow(TypeError);
  });
});
