/** Each question that is asked of a certificate, by itself and at its bounds (notary-semantics.md §4.4, §4.5, §6.2). */
import { describe, expect, test } from '@jest/globals';
import { createKeyPair, type KeyPair, sharedKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import {
  type CertificateOptions,
  createCertificate,
  createCertificateDer,
  toPem,
} from '../../proxy/demo/notary/x509-writer.ts';
import {
  type Certificate,
  chainsTo,
  commonNameCovers,
  encodePem,
  isStrongCertificate,
  isWithinValidity,
  parseBundle,
} from '../../proxy/trust-client/certificates.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { DAY_MS, GUN, NOW } from './kit.ts';

type Party = { readonly name: string; readonly pair: KeyPair };

function party(name: string): Party {
  return { name, pair: createKeyPair() };
}

const [CA, MIDDLE, LEAF] = [party('CA'), party('Intermediate'), party(GUN)] as const;
const YEAR = later(365 * DAY_MS);

function later(ms: number, than = NOW): Date {
  return new Date(than.getTime() + ms);
}

function optionsOf(subject: Party, issuer: Party, options: Partial<CertificateOptions>): CertificateOptions {
  return {
    commonName: subject.name,
    publicKey: subject.pair.publicKey,
    signer: issuer.pair.privateKey,
    issuer: issuer.name,
    notBefore: NOW,
    notAfter: YEAR,
    ...options,
  };
}

function certify(subject: Party, issuer: Party, options: Partial<CertificateOptions> = {}): Certificate {
  const [read] = parseBundle(createCertificate(optionsOf(subject, issuer, options))) ?? [];
  if (read === undefined) throw new Error('a certificate of our own cannot be read');
  return read;
}

/** A leaf, what issued it, and the CA above: read anew by each test. */
function createChain(): { ca: Certificate; middle: Certificate; leaf: Certificate } {
  return {
    ca: certify(CA, CA, { ca: true }),
    middle: certify(MIDDLE, CA, { ca: true }),
    leaf: certify(LEAF, MIDDLE),
  };
}

describe('a bundle', () => {
  const der = createCertificateDer(optionsOf(LEAF, MIDDLE, {}));
  const pem = toPem('CERTIFICATE', der);

  test('of as many certificates as are looked at, in their order', () => {
    const { ca, middle, leaf } = createChain();
    const names = parseBundle(encodePem([leaf, middle, ca]))?.map(({ commonName }) => commonName);
    expect(names).toEqual([GUN, 'Intermediate', 'CA']);
    expect(parseBundle(pem.repeat(LIMITS.certificates))).toHaveLength(LIMITS.certificates);
    expect(parseBundle(pem.repeat(LIMITS.certificates + 1))).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['text', 'no PEM at all'],
    ['a certificate under another label', toPem('TRUSTED CERTIFICATE', der)],
    ['a certificate, and one under another label', pem + toPem('X509 CRL', der)],
    ['a certificate that is cut short', toPem('CERTIFICATE', der.subarray(0, -1))],
  ])('of %s is none', (_what, text) => {
    expect(parseBundle(text)).toBeUndefined();
  });

  test('with a header line before a certificate is read as OpenSSL does', () => {
    const [first, ...rest] = pem.split('\n');
    for (const end of ['\n', '\r\n']) {
      const withHeader = [first, 'Comment: by hand', '', ...rest].join(end);
      expect(encodePem(parseBundle(withHeader) ?? [])).toBe(pem);
    }
  });
});

describe('a certificate is too weak', () => {
  test.each([
    ['SHA-1 with RSA', '1.2.840.113549.1.1.5'],
    ['SHA-1 with RSA, by its older name', '1.3.14.3.2.29'],
    ['SHA-1 with ECDSA', '1.2.840.10045.4.1'],
    ['SHA-1 with DSA', '1.2.840.10040.4.3'],
  ])('signed by %s', (_what, signatureAlgorithm) => {
    const { leaf } = createChain();
    expect(isStrongCertificate(leaf)).toBe(true);
    expect(isStrongCertificate({ ...leaf, signatureAlgorithm })).toBe(false);
  });

  test('signed by SHA-1, as a real one says it', () => {
    const rsa = { name: 'CA', pair: sharedKeyPair('rsa2048') };
    for (const issuer of [rsa, CA]) {
      expect(isStrongCertificate(certify(LEAF, issuer))).toBe(true);
      expect(isStrongCertificate(certify(LEAF, issuer, { hash: 'sha1' }))).toBe(false);
    }
  });

  test('with an RSA key below 2048 bits', () => {
    for (const [algorithm, expected] of [
      ['rsa2048', true],
      ['rsa1024', false],
    ] as const) {
      const subject = { name: GUN, pair: sharedKeyPair(algorithm) };
      expect(isStrongCertificate(certify(subject, CA))).toBe(expected);
    }
  });

  test('when it ends before it begins, or says neither', () => {
    const { leaf } = createChain();
    expect(isStrongCertificate({ ...leaf, notAfter: NOW })).toBe(true);
    expect(isStrongCertificate({ ...leaf, notAfter: later(-1) })).toBe(false);
    expect(isStrongCertificate({ ...leaf, notAfter: new Date(Number.NaN) })).toBe(false);
    expect(isStrongCertificate({ ...leaf, notBefore: new Date(Number.NaN) })).toBe(false);
  });
});

test('a certificate is valid from a day before its first moment to its last', () => {
  const { leaf } = createChain();
  expect(isWithinValidity(leaf, later(-DAY_MS))).toBe(true);
  expect(isWithinValidity(leaf, later(-DAY_MS - 1))).toBe(false);
  expect(isWithinValidity(leaf, YEAR)).toBe(true);
  expect(isWithinValidity(leaf, later(1, YEAR))).toBe(false);
});

test.each([
  [undefined, 'a/b', false],
  ['', 'a/b', false],
  ['a/b', 'a/b', true],
  ['a/b', 'a/bc', false],
  ['a/b*', 'a/bc', true],
  ['a/b**', 'a/b/c', true],
  ['a/*', 'ab', false],
  ['*', 'a/b', true],
  ['a*b', 'a*b', true],
  ['a*b', 'aab', false],
  ['*/b', 'a/b', false],
  ['a*b*', 'a*bc', true],
  ['a*b*', 'abc', false],
  ['a/B', 'a/b', false],
])('the common name %s and the repository %s: %s', (commonName, gun, expected) => {
  expect(commonNameCovers(commonName, gun)).toBe(expected);
});

describe('a chain to a pinned CA', () => {
  const stranger = party('CA');

  test('through what the bundle holds, to any of the anchors', () => {
    const { ca, middle, leaf } = createChain();
    const other = certify(stranger, stranger, { ca: true });
    expect(chainsTo([ca], leaf, [middle], NOW)).toBe(true);
    expect(chainsTo([other, ca], leaf, [other, middle], NOW)).toBe(true);
    expect(chainsTo([middle], leaf, [], NOW)).toBe(true);
    expect(chainsTo([leaf], leaf, [], NOW)).toBe(true);
  });

  test('not without the link between, by another key of the same name, or to nothing', () => {
    const { ca, middle, leaf } = createChain();
    expect(chainsTo([ca], leaf, [], NOW)).toBe(false);
    expect(chainsTo([certify(stranger, stranger, { ca: true })], leaf, [middle], NOW)).toBe(false);
    expect(chainsTo([], leaf, [middle], NOW)).toBe(false);
  });

  test.each(['ca', 'middle', 'leaf'] as const)(
    'not with a %s that has expired, where that is asked',
    (which) => {
      const expires = { notAfter: later(DAY_MS) };
      const chain = createChain();
      if (which === 'ca') chain.ca = certify(CA, CA, { ca: true, ...expires });
      if (which === 'middle') chain.middle = certify(MIDDLE, CA, { ca: true, ...expires });
      if (which === 'leaf') chain.leaf = certify(LEAF, MIDDLE, expires);
      const { ca, middle, leaf } = chain;
      expect(chainsTo([ca], leaf, [middle], NOW)).toBe(true);
      expect(chainsTo([ca], leaf, [middle], later(DAY_MS + 1))).toBe(false);
      expect(chainsTo([ca], leaf, [middle], undefined)).toBe(true);
    },
  );

  test('not through one that is no CA, or an anchor that is none', () => {
    const { ca, middle, leaf } = createChain();
    expect(chainsTo([ca], leaf, [certify(MIDDLE, CA, { ca: false })], NOW)).toBe(false);
    expect(chainsTo([certify(CA, CA)], middle, [], NOW)).toBe(false);
  });

  test.each([
    [['serverAuth'], true],
    [['any'], true],
    [['codeSigning', 'serverAuth'], true],
    [['any', 'clientAuth'], true],
    [['codeSigning'], false],
    [['clientAuth', 'codeSigning'], false],
  ] as const)('a leaf or a certificate between for %j: %s', (extendedKeyUsage, expected) => {
    const { ca, middle, leaf } = createChain();
    expect(chainsTo([middle], certify(LEAF, MIDDLE, { extendedKeyUsage }), [], NOW)).toBe(expected);
    const between = certify(MIDDLE, CA, { ca: true, extendedKeyUsage });
    expect(chainsTo([ca], leaf, [between], NOW)).toBe(expected);
  });

  test('has at most eight certificates, the anchor among them, whatever their order', () => {
    const { ca } = createChain();
    const steps = Array.from({ length: 7 }, (_, index) => party(`Step ${index}`));
    const chain = steps.map((step, index) => certify(step, steps[index + 1] ?? CA, { ca: true })).reverse();
    const leafOf = (issuer: Party | undefined) => certify(LEAF, issuer ?? CA);
    expect(chainsTo([ca], leafOf(steps[1]), chain, NOW)).toBe(true);
    expect(chainsTo([ca], leafOf(steps[0]), chain, NOW)).toBe(false);
  });

  test('in a circle ends', () => {
    const [a, b] = [party('A'), party('B')];
    const circle = [certify(a, b, { ca: true }), certify(b, a, { ca: true })];
    expect(chainsTo([createChain().ca], certify(LEAF, a), circle, NOW)).toBe(false);
  });
});
