/** Whose valid signatures a delegation carries, for rules that name keys (signing-keys.ts). */
import { expect, test } from '@jest/globals';
import { signingKeysOf } from '../../proxy/trust-client/signing-keys.ts';
import type { VerifiedDelegation } from '../../proxy/trust-client/verified.ts';

const key = (id: string, pair = id, canonicalId = `canonical ${id}`) => ({ id, canonicalId, pair });
const file = (role: string, signers: string[], ...keys: object[]) =>
  ({ role, signers, keys: { keys, threshold: 2 } }) as unknown as VerifiedDelegation;

test('are the keys that signed, by every ID, under the delegation’s own name', () => {
  const found = signingKeysOf([
    file('targets/releases', ['a'], key('a'), key('b')),
    file(
      'targets/team/qa',
      ['a', 'c', 'd'],
      key('a', 'one'),
      key('b'),
      key('c', 'one', 'canonical a'),
      key('d'),
    ),
    file('targets/nobody', [], key('a')),
  ]);
  expect([...found]).toEqual([
    ['releases', { threshold: 2, keys: [['a', 'canonical a']] }],
    [
      'team/qa',
      {
        threshold: 2,
        keys: [
          ['a', 'canonical a', 'c'],
          ['d', 'canonical d'],
        ],
      },
    ],
    ['nobody', { threshold: 2, keys: [] }],
  ]);
});
