/**
 * Metadata full of keys that are bundles of small certificates: 4 KiB of text are thirteen of them, and more than 100 KiB
 * of memory once they are read. Nothing of it needs to verify to be read, and what was read is remembered.
 */
import { expect, test } from '@jest/globals';
import { sharedKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';

const CERTIFICATES = 13;
/** Far fewer than keys of one certificate that are remembered. */
const KEYS = 400;

const SPKI = sharedKeyPair('p256').publicKey.export({ type: 'spki', format: 'der' });
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const COMMON_NAME = Buffer.from('300e310c300a06035504030c03612f62', 'hex');
const NO_NAME = Buffer.from('3000', 'hex');

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

const VALIDITY = der(0x30, der(0x17, Buffer.from('250101000000Z')), der(0x17, Buffer.from('350101000000Z')));
const SIGNATURE = der(3, Buffer.from('00', 'hex'), der(0x30, Buffer.from('020101020101', 'hex')));

/** As short as one can be, and its signature proves nothing. */
function certificate(serial: number): string {
  const number = Buffer.alloc(5, 1);
  number.writeUInt32BE(serial, 1);
  const signed = der(0x30, der(2, number), ECDSA_WITH_SHA256, NO_NAME, VALIDITY, COMMON_NAME, SPKI);
  const bytes = der(0x30, signed, ECDSA_WITH_SHA256, SIGNATURE);
  return `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

function bundle(number: number): Uint8Array {
  const serials = Array.from({ length: CERTIFICATES }, (_, index) => number * CERTIFICATES + index);
  return Uint8Array.from(Buffer.from(serials.map(certificate).join('')));
}

test('few of them are remembered', () => {
  const bundles = Array.from({ length: KEYS }, (_, index) => bundle(index));
  expect(bundles[0]?.length).toBeLessThanOrEqual(LIMITS.knownKeyBytes);
  const keys = bundles.map((bytes) => toPublicKey('ecdsa-x509', bytes));
  expect(keys.every(({ algorithm }) => algorithm === 'ecdsa')).toBe(true);
  // From the newest on, until one is read anew: the ones before it are older.
  let remembered = 0;
  for (let at = KEYS - 1; at >= 0; at -= 1) {
    if (toPublicKey('ecdsa-x509', bundles[at] ?? new Uint8Array()) !== keys[at]) break;
    remembered += 1;
  }
  expect(remembered).toBeGreaterThan(0);
  expect(remembered * CERTIFICATES * 8 * 1024).toBeLessThan(32 * 1024 * 1024);
});
