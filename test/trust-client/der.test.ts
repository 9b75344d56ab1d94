/** The certificate reader on bytes that are no certificate, and on lawful ones that are unusual (RFC 5280 §4.1). */
import { describe, expect, test } from '@jest/globals';
import * as der from '../../proxy/demo/notary/der.ts';
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { readCertificateFacts } from '../../proxy/trust-client/der.ts';

const SPKI = createKeyPair().publicKey.export({ type: 'spki', format: 'der' });
const ALGORITHM = der.sequence(der.objectIdentifier('1.2.840.10045.4.3.2'));
const TIMES = der.sequence(der.time(new Date(0)), der.time(new Date(0)));

function named(...attributes: readonly Buffer[]): Buffer {
  return der.sequence(...attributes.map((attribute) => der.set(attribute)));
}

function commonName(value: Buffer): Buffer {
  return der.sequence(der.objectIdentifier('2.5.4.3'), value);
}

function certificate(subject: Buffer, ...rest: readonly Buffer[]): Buffer {
  return der.sequence(bodyOf(subject, ...rest), ALGORITHM, der.bitString(Buffer.alloc(8)));
}

function bodyOf(subject: Buffer, ...rest: readonly Buffer[]): Buffer {
  return der.sequence(der.integer(1n), ALGORITHM, named(), TIMES, subject, SPKI, ...rest);
}

function withExtension(identifier: string, value: Buffer): Buffer {
  const extension = der.sequence(der.objectIdentifier(identifier), der.octetString(value));
  return certificate(named(), der.explicit(3, der.sequence(extension)));
}

describe('the common name', () => {
  test.each([
    ['UTF-8', 0x0c, 'é'],
    ['printable', 0x13, 'a'],
    ['teletex', 0x14, 'a'],
    ['IA5', 0x16, 'a'],
  ])('as %s', (_what, tag, text) => {
    const value = der.element(tag, Buffer.from(text, tag === 0x0c ? 'utf8' : 'latin1'));
    expect(readCertificateFacts(certificate(named(commonName(value)))).commonName).toBe(text);
  });

  test('in a string type that nobody reads, or absent, is none', () => {
    const universal = der.element(0x1c, Buffer.from([0, 0, 0, 0x61]));
    expect(readCertificateFacts(certificate(named(commonName(universal)))).commonName).toBeUndefined();
    expect(readCertificateFacts(certificate(named())).commonName).toBeUndefined();
  });

  const X = commonName(der.utf8String('x'));
  const organization = der.sequence(
    der.objectIdentifier('2.5.4.10'),
    der.utf8String('docker.io/library/evil'),
  );

  test.each([
    ['another attribute after it', named(X, organization)],
    ['another attribute before it', named(organization, X)],
    ['another attribute in its set', der.sequence(der.set(X, organization))],
    ['an empty attribute after it', named(X, der.sequence())],
    [
      'an attribute whose type is no identifier',
      named(X, der.sequence(der.integer(3n), der.utf8String('y'))),
    ],
  ])('%s is not taken for it', (_what, subject) => {
    expect(readCertificateFacts(certificate(subject)).commonName).toBe('x');
  });

  test('of several the last counts, also where it has no value', () => {
    const last = commonName(der.utf8String('last'));
    const empty = der.sequence(der.objectIdentifier('2.5.4.3'));
    expect(readCertificateFacts(certificate(named(X, last))).commonName).toBe('last');
    expect(readCertificateFacts(certificate(named(X, empty))).commonName).toBeUndefined();
  });

  test('a version 1 certificate, without a version or extensions, is read all the same', () => {
    const facts = readCertificateFacts(certificate(named(commonName(der.utf8String('x')))));
    expect(facts).toEqual({
      signatureAlgorithm: '1.2.840.10045.4.3.2',
      commonName: 'x',
      isCa: false,
      extendedKeyUsages: undefined,
    });
  });
});

describe('basicConstraints', () => {
  const isCa = (value: Buffer) => readCertificateFacts(withExtension('2.5.29.19', value)).isCa;

  test('cA TRUE, with or without a path length', () => {
    expect(isCa(der.sequence(der.boolean(true)))).toBe(true);
    expect(isCa(der.sequence(der.boolean(true), der.integer(0n)))).toBe(true);
  });

  test.each([
    ['an empty sequence', der.sequence()],
    ['cA FALSE, written out', der.sequence(der.boolean(false))],
    ['a TRUE that is not DER', der.sequence(der.element(0x01, Buffer.from([1])))],
    ['an empty boolean', der.sequence(der.element(0x01))],
    ['a path length alone', der.sequence(der.integer(0n))],
  ])('%s is no CA', (_what, value) => {
    expect(isCa(value)).toBe(false);
  });
});

describe('object identifiers', () => {
  const usages = (...values: readonly Buffer[]) =>
    readCertificateFacts(withExtension('2.5.29.37', der.sequence(...values))).extendedKeyUsages;

  test.each(['0.9', '1.2.3', '1.2.16384', '2.5.29.37.0', '2.999.1', '1.3.6.1.4.1.311.21.7'])(
    '%s',
    (dotted) => {
      // The writer of the demo has one octet for the first two arcs; 2.999 needs two.
      const value =
        dotted === '2.999.1' ? der.element(0x06, Buffer.from([0x88, 0x37, 1])) : der.objectIdentifier(dotted);
      expect(usages(value)).toEqual([dotted]);
    },
  );

  test.each([
    ['empty', der.element(0x06)],
    ['of another type', der.integer(1n)],
    ['with an arc beyond 53 bits', der.element(0x06, Buffer.from([0x2a, ...Buffer.alloc(9, 0xff), 0x7f]))],
  ])('%s', (_what, value) => {
    expect(() => usages(value)).toThrow(RangeError);
  });
});

describe('no certificate', () => {
  const whole = certificate(named());

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from([0x30])],
    ['another type', der.set(whole)],
    ['an empty sequence', der.sequence()],
    ['one part', der.sequence(der.sequence())],
    ['one part, which is whole', der.sequence(bodyOf(named()))],
    ['parts that are empty', der.sequence(der.sequence(), der.sequence())],
    ['without an algorithm', der.sequence(bodyOf(named()), der.sequence())],
    ['the parts of one in a set', der.set(bodyOf(named()), ALGORITHM)],
    ['no subject', der.sequence(der.sequence(der.integer(1n)), ALGORITHM)],
    ['an indefinite length', Buffer.from([0x30, 0x80, 0, 0])],
    ['a length of five bytes', Buffer.from([0x30, 0x85, 0, 0, 0, 0, 0])],
    ['a length that is cut short', Buffer.from([0x30, 0x82, 1])],
    ['a length beyond the end', Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])],
    ['without its last byte', whole.subarray(0, -1)],
  ])('%s', (_what, bytes) => {
    expect(() => readCertificateFacts(bytes)).toThrow(RangeError);
  });

  test.each([
    ['the short form', [0x30, 0], true],
    ['one byte', [0x30, 0x81, 0], true],
    ['four bytes', [0x30, 0x84, 0, 0, 0, 0], true],
    ['five bytes', [0x30, 0x85, 0, 0, 0, 0, 0], false],
    ['no bytes: the indefinite form', [0x30, 0x80], false],
  ])('a length in %s inside one', (_what, element, isRead) => {
    const odd = der.sequence(
      der.sequence(der.integer(1n), ALGORITHM, named(), Buffer.from(element), named(), SPKI),
      ALGORITHM,
    );
    if (isRead) expect(readCertificateFacts(odd).signatureAlgorithm).toBe('1.2.840.10045.4.3.2');
    else expect(() => readCertificateFacts(odd)).toThrow(RangeError);
  });

  test('an indefinite length is not a length of 128', () => {
    const parts = [der.sequence(der.integer(1n), ALGORITHM, named(), TIMES, named()), ALGORITHM];
    const filled = Buffer.concat([
      ...parts,
      der.octetString(Buffer.alloc(128 - Buffer.concat(parts).length - 2)),
    ]);
    expect(filled).toHaveLength(128);
    expect(readCertificateFacts(der.sequence(filled)).isCa).toBe(false);
    expect(() => readCertificateFacts(Buffer.concat([Buffer.from([0x30, 0x80]), filled]))).toThrow(
      RangeError,
    );
  });

  test('an empty extension says nothing', () => {
    const odd = certificate(named(), der.explicit(3, der.sequence(der.sequence())));
    expect(readCertificateFacts(odd).isCa).toBe(false);
  });
});
