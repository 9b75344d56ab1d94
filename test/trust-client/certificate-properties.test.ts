/** Properties of the certificate reader that hold for every input: mutated certificates of every kind. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificate, createCertificateDer, toPem } from '../../proxy/demo/notary/x509-writer.ts';
import { commonNameCovers, isStrongCertificate, parseBundle } from '../../proxy/trust-client/certificates.ts';
import { readCertificateFacts } from '../../proxy/trust-client/der.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { DAY_MS, NOW } from './kit.ts';

describe('certificates', () => {
  const pair = createKeyPair();
  const options = {
    commonName: ['first', 'docker.io/library/alpine'],
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: NOW,
    notAfter: new Date(NOW.getTime() + DAY_MS),
    ca: true,
    keyUsage: ['digitalSignature', 'keyCertSign'],
    extendedKeyUsage: ['codeSigning', 'serverAuth', 'any'],
    hosts: ['a.example', '127.0.0.1'],
  } as const;
  const der = createCertificateDer(options);

  const mutated = fc
    .array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const copy = Buffer.from(der);
      for (const [at, byte] of changes) copy[at] = byte;
      return copy;
    });
  const cut = fc.nat(der.length).map((length) => der.subarray(0, length));

  test('the reader throws nothing but RangeError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, cut, fc.uint8Array({ maxLength: 100 })), (bytes) => {
        try {
          readCertificateFacts(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 1500 },
    );
  });

  test('the parser answers or gives undefined, and never asks a question that throws', () => {
    fc.assert(
      fc.property(fc.oneof(mutated, cut), (bytes) => {
        for (const certificate of parseBundle(toPem('CERTIFICATE', bytes)) ?? []) {
          expect(typeof isStrongCertificate(certificate)).toBe('boolean');
          expect(typeof commonNameCovers(certificate.commonName, 'docker.io/library/alpine')).toBe('boolean');
        }
      }),
      { numRuns: 700 },
    );
  });

  test('a key made of a mutated certificate is made without an error', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        expect(toPublicKey('ecdsa-x509', Buffer.from(toPem('CERTIFICATE', bytes))).id).toMatch(
          /^[0-9a-f]{64}$/,
        );
      }),
      { numRuns: 300 },
    );
  });

  test('what OpenSSL reads of a certificate is what we read', () => {
    const names = fc.array(fc.stringMatching(/^[a-z0-9./*-]{1,30}$/), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(names, fc.boolean(), (commonName, ca) => {
        const [read] = parseBundle(createCertificate({ ...options, commonName, ca })) ?? [];
        const openssl = new X509Certificate(createCertificate({ ...options, commonName, ca }));
        expect(read?.commonName).toBe(commonName.at(-1));
        expect(read?.isCa).toBe(ca);
        expect(openssl.ca).toBe(ca);
        expect(read?.extendedKeyUsages).toEqual(openssl.keyUsage);
      }),
      { numRuns: 50 },
    );
  });
});
