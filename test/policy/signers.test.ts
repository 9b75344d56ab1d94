/** Signers a rule names with their keys. */
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../proxy/policy/decide.ts';
import { meets, missingSigners } from '../../proxy/policy/signers.ts';
import type { SigningKeys } from '../../proxy/trust-client/types.ts';
import { input, rule, say, target, verified } from './kit.ts';

const known = (threshold: number, ...keys: string[][]) =>
  new Map<string, SigningKeys>([['qa', { threshold, keys }]]);
const pinned = (...keys: string[]) => ({ names: ['qa'], count: 1, pins: [{ name: 'qa', keys }] });

describe('a name with keys is met', () => {
  test.each([
    ['by a pinned key that signed', pinned('a'), known(1, ['a']), true],
    ['by one of its IDs, TUF or canonical', pinned('canonical'), known(1, ['tuf', 'canonical']), true],
    ['by one of several', pinned('a', 'b'), known(1, ['b']), true],
    ['beside keys that are not pinned', pinned('a'), known(1, ['x'], ['a']), true],
    ['by as many as the threshold asks', pinned('a', 'b'), known(2, ['a'], ['b']), true],
    ['not by another key', pinned('a'), known(1, ['x']), false],
    ['not by two IDs of one key where two keys are asked', pinned('a', 'b'), known(2, ['a', 'b']), false],
    ['not by a pinned and another where two are asked', pinned('a'), known(2, ['a'], ['x']), false],
    ['not by nobody, whatever threshold was declared', pinned('a'), known(0), false],
    ['not at a threshold that is no number', pinned('a'), known(Number.NaN, ['a']), false],
    ['not without keys', pinned(), known(1, ['a']), false],
    ['not where it is not known who signed', pinned('a'), undefined, false],
    [
      'not by the signatures of another delegation',
      pinned('a'),
      new Map([['qa/sub', { threshold: 1, keys: [['a']] }]]),
      false,
    ],
  ] as const)('%s', (_, required, signed, isMet) => {
    expect(meets(required, ['qa', 'qa/sub'], signed)).toBe(isMet);
    expect(missingSigners(required, ['qa', 'qa/sub'], signed)).toEqual(isMet ? [] : ['qa']);
  });

  test('only where it holds the digest too', () => {
    expect(meets(pinned('a'), [], known(1, ['a']))).toBe(false);
  });

  test('and a name without keys beside it as before', () => {
    const mixed = { names: ['qa', 'ops'], count: 1, pins: [{ name: 'qa', keys: ['a'] }] };
    expect(meets(mixed, ['qa', 'ops'], known(1, ['x']))).toBe(true);
    expect(meets({ ...mixed, count: 2 }, ['qa', 'ops'], known(1, ['x']))).toBe(false);
    expect(meets({ ...mixed, count: 2 }, ['qa', 'ops'], known(1, ['a']))).toBe(true);
  });
});

describe('the refusal names the delegation that another key signed', () => {
  const refuse = (count: number) => {
    const signers = { names: ['qa', 'ops'], count, pins: [{ name: 'qa', keys: ['a'] }] };
    const outcome = verified([target({ signers: ['qa'] })], { signingKeys: known(1, ['x']) });
    const decision = decide(input({ rule: rule({ signers }), outcome }));
    return decision.kind === 'deny' ? `${decision.reason}: ${say(decision)}` : decision.kind;
  };

  test('where all are asked for', () => {
    expect(refuse(2)).toBe(
      'signer_missing: docker.io/library/alpine:3.20 is signed but not by qa, ops, as rule base requires, targets/qa is signed by another key than the one the rule names; ask them to sign it with "docker trust sign docker.io/library/alpine:3.20" or pull a tag they signed',
    );
  });

  test('where some are', () => {
    expect(refuse(1)).toBe(
      'threshold_not_met: docker.io/library/alpine:3.20 is signed by fewer than 1 of qa, ops, as rule base requires, targets/qa is signed by another key than the one the rule names; ask qa or ops to sign it with "docker trust sign docker.io/library/alpine:3.20"',
    );
  });
});
