/** The certificate reader on bytes that are no certificate, and on lawful ones that are unusual (RFC 5280 §4.1). */
import { describe, expect, test } from '@jest/globals';
import * as der from '../../proxy/demo/der.ts';
import { createKeyPair } from '../../proxy/demo/signing-key.ts';
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
  const body = der.sequence(der.integer(1n), ALGORITHM, named(), TIMES, subject, SPKI, ...rest);
  return der.sequence(body, ALGORITHM, der.bitString(Buffer.alloc(8)));
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

  test.each(['0.9', '1.2.3', '2.5.29.37.0', '2.999.1', '1.3.6.1.4.1.311.21.7'])('%s', (dotted) => {
    // The writer of the demo has one octet for the first two arcs; 2.999 needs two.
    const value =
      dotted === '2.999.1' ? der.element(0x06, Buffer.from([0x88, 0x37, 1])) : der.objectIdentifier(dotted);
    expect(usages(value)).toEqual([dotted]);
  });

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
    ['no subject', der.sequence(der.sequence(der.integer(1n)), ALGORITHM)],
    ['an indefinite length', Buffer.from([0x30, 0x80, 0, 0])],
    ['a length of five bytes', Buffer.from([0x30, 0x85, 0, 0, 0, 0, 0])],
    ['a length that is cut short', Buffer.from([0x30, 0x82, 1])],
    ['a length beyond the end', Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])],
    ['without its last byte', whole.subarray(0, -1)],
  ])('%s', (_what, bytes) => {
    expect(() => readCertificateFacts(bytes)).toThrow(RangeError);
  });

  test('an empty extension says nothing', () => {
    const odd = certificate(named(), der.explicit(3, der.sequence(der.sequence())));
    expect(readCertificateFacts(odd).isCa).toBe(false);
  });
});
