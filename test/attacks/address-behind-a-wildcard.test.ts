/** `*.` stands for a label of a name. Addresses have labels too, and lead past the check of what a name resolves to. */
import { describe, expect, test } from '@jest/globals';
import { covers, isTunnelPattern, parseTarget } from '../../proxy/listen/targets.ts';

describe('an address is never covered by a wildcard', () => {
  test.each([
    ['*.0.0.1:5000', '127.0.0.1:5000'],
    ['*.1:5000', '127.1:5000'],
    ['*.0x1:443', '0x7f.0x1:443'],
    ['*.0.01:443', '0177.0.01:443'],
  ])('%s', (pattern, target) => {
    expect(isTunnelPattern(pattern)).toBe(false);
    const parsed = parseTarget(target);
    expect(parsed !== undefined && covers(pattern, parsed)).toBe(false);
  });

  test('names with digits are names', () => {
    expect(isTunnelPattern('*.s3.example.com:443')).toBe(true);
    expect(covers('*.1e100.net:443', { host: 'a.1e100.net', port: 443 })).toBe(true);
  });

  test('an address that is written out is what the operator meant', () => {
    expect(isTunnelPattern('127.0.0.1:5000')).toBe(true);
    expect(covers('127.0.0.1:5000', { host: '127.0.0.1', port: 5000 })).toBe(true);
  });
});
