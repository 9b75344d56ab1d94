/** One client, whichever of its addresses it uses and however the address is written. */
import { expect, test } from '@jest/globals';
import { toClientKey } from '../../proxy/names/client-key.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:c000:0207', '192.0.2.7'],
  ['64:ff9b::192.0.2.7', '192.0.2.7'],
  ['64:ff9b::c000:207', '192.0.2.7'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
  ['2001:DB8:0:1:ffff:ffff:ffff:ffff', '2001:db8:0:1::/64'],
  ['2001:0db8:0000:0001::', '2001:db8:0:1::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:1::192.0.2.7', '2001:db8:1:0::/64'],
  ['2001:db8:1:2:3:4:192.0.2.7', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
  [undefined, ''],
])('%s is %s', (address, key) => {
  expect(toClientKey(address)).toBe(key);
});

test('neighbours in IPv4 are two clients, two networks of IPv6 are too', () => {
  expect(toClientKey('192.0.2.7')).not.toBe(toClientKey('192.0.2.8'));
  expect(toClientKey('2001:db8:0:1::1')).not.toBe(toClientKey('2001:db8:0:2::1'));
});
