import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { isPublicAddress, publicOnly } from '../../proxy/names/public-address.ts';

test.each(['1.1.1.1', '172.15.0.1', '172.32.0.1', '192.167.1.1', '223.255.255.1', '2606:4700::1'])(
  '%s is public',
  (address) => expect(isPublicAddress(address)).toBe(true),
);

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '198.19.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '::10.0.0.1',
  '::ffff:0:10.0.0.1',
  '168.63.129.16',
  '::7f00:1',
  '2002:a00:1::',
  '2001:0:a00:1::',
  '2001:db8::1',
  '100::1',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '64:ff9b::a00:1',
  'fd00::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  'localhost',
  '',
])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

describe('a lookup for public addresses only', () => {
  const lookUp = (found: readonly LookupAddress[] | Error, options: { all?: boolean } = {}) => {
    const system: LookupFunction = (_host, _options, callback) =>
      found instanceof Error ? callback(found, []) : callback(null, [...found]);
    return new Promise((resolve) =>
      publicOnly(system)('cdn.example', options, (error, address, family) =>
        resolve(error ?? [address, family]),
      ),
    );
  };
  const [near, far] = [
    { address: '10.0.0.1', family: 4 },
    { address: '1.1.1.1', family: 4 },
  ];

  test('leaves the others out', async () => {
    expect(await lookUp([near, far], { all: true })).toEqual([[far], undefined]);
    expect(await lookUp([near, far])).toEqual(['1.1.1.1', 4]);
  });

  test('fails where none is left, and where there was none', async () => {
    expect(await lookUp([near], { all: true })).toEqual(new Error('cdn.example has no public address'));
    expect(await lookUp([])).toEqual(new Error('cdn.example has no public address'));
    expect(await lookUp(new Error('ENOTFOUND'))).toEqual(new Error('ENOTFOUND'));
  });
});
