/** Text that overflows a reader's stack must be a refusal like any other, never an exception of the engine. */
import { expect, test } from '@jest/globals';
import { decodeBase64 } from '../../proxy/trust-client/encoding.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { parseStrictJson } from '../../proxy/trust-client/strict-json.ts';

const LENGTH = 12 * 1024 * 1024;

test('12 MiB of base64 are read, and with one wrong character refused', () => {
  expect(decodeBase64('A'.repeat(LENGTH))?.length).toBe((LENGTH / 4) * 3);
  expect(decodeBase64(`${'A'.repeat(LENGTH - 1)}!`)).toBeUndefined();
});

test.each([
  ['digits', '1'.repeat(LENGTH)],
  ['a fraction', `1.${'0'.repeat(LENGTH)}`],
  ['more values than are read', `[${'0,'.repeat(LENGTH / 4)}0]`],
])('%s without end are a TrustError', (_name, text) => {
  expect(() => parseStrictJson(Buffer.from(text), 'targets')).toThrow(TrustError);
});
