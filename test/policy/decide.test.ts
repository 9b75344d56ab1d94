import { describe, expect, test } from '@jest/globals';
import type { ImageReference } from '../../proxy/names/reference.ts';
import { type DecideInput, decide } from '../../proxy/policy/decide.ts';
import { needsTrust, selectRule } from '../../proxy/policy/rule.ts';
import { meets, missingSigners } from '../../proxy/policy/signers.ts';
import { signedNear } from '../../proxy/policy/suggest.ts';
import type { RuleMode, TrustOutcome } from '../../proxy/policy/types.ts';
import { TRUST_REASONS } from '../../proxy/reason.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { type Denied, sayDenied } from '../../proxy/words.ts';
import { CANARY, DIGEST, input, NOW, rule, say, target, trust, verified } from './kit.ts';

const BY_DIGEST: ImageReference = { kind: 'digest', repository: 'library/alpine', digest: DIGEST };
const MODES: readonly RuleMode[] = ['enforce', 'audit', 'off', 'deny'];

function failed(code: (typeof TRUST_REASONS)[number]): TrustOutcome {
  return {
    kind: 'failed',
    error: new TrustError(code, 'format', 'detail \u202e of an attacker'),
    path: 'cold',
  };
}

const sayAsked = ({ reference, registry }: DecideInput, denied: Denied): string => {
  const gun = `${registry}/${reference.repository}`;
  const image = reference.kind === 'tag' ? `${gun}:${reference.tag}` : `${gun}@${reference.digest}`;
  return sayDenied(denied, { image, gun });
};

const messageOf = (changes: Parameters<typeof input>[0]) => {
  const asked = input(changes);
  const decision = decide(asked);
  return decision.kind === 'deny' ? `${decision.reason}: ${sayAsked(asked, decision)}` : decision.kind;
};

describe('a tag under enforce', () => {
  test('signed: pinned to exactly the signed target', () => {
    expect(decide(input())).toEqual({ kind: 'pin', rule: 'base', mode: 'enforce', target: target() });
  });

  test('not signed', () => {
    expect(messageOf({ outcome: verified([]) })).toBe(
      'unsigned_tag: docker.io/library/alpine:3.20 is not signed: no valid signature in targets/releases or targets; sign it with "docker trust sign docker.io/library/alpine:3.20" or pull a signed tag',
    );
  });

  test('not signed, asked by somebody who may read the repository: signed tags are named', () => {
    const outcome = verified([target({ name: '3.18' }), target({ name: '3.19' })]);
    const decision = decide(input({ outcome }));
    if (decision.kind !== 'deny' || outcome?.kind !== 'verified') throw new Error('3.20 is not signed');
    const others = signedNear(outcome.trust, '3.20', NOW);
    expect(say(decision, others)).toMatch(/ or pull a signed tag: 3\.19, 3\.18$/);
    expect(say(decision)).toMatch(/ or pull a signed tag$/);
  });

  test('not in what was verified before an outage: nobody knows whether it was signed since', () => {
    const signed = { kind: 'verified', trust: trust([target()]), path: 'stale' } as const;
    expect(decide(input({ outcome: signed })).kind).toBe('pin');
    const unseen = { kind: 'verified', trust: trust([]), path: 'stale' } as const;
    expect(messageOf({ outcome: unseen })).toBe(
      "trust_unreachable: docker.io/library/alpine:3.20 cannot be verified: the trust server for docker.io/library/alpine cannot be reached; try again later or ask this proxy's operator to check the trust server",
    );
  });

  test.each(TRUST_REASONS)(
    'trust failed with %s: that reason, one ASCII sentence, nothing of the error',
    (code) => {
      const decision = decide(input({ outcome: failed(code) }));
      expect(decision).toMatchObject({ kind: 'deny', reason: code, rule: 'base', mode: 'enforce' });
      const message = decision.kind === 'deny' ? say(decision) : '';
      expect(message).toMatch(/^docker\.io\/library\/alpine:3\.20 [\x20-\x7e]+; [\x20-\x7e]+$/);
      expect(message).not.toContain('attacker');
    },
  );

  test('no outcome at all refuses, and sends the person to the operator', () => {
    expect(messageOf({ outcome: undefined })).toBe(
      "internal: docker.io/library/alpine:3.20 cannot be verified: internal error, trust data was not loaded; ask this proxy's operator to read its log",
    );
  });

  test('expired trust data of no known role', () => {
    expect(messageOf({ outcome: failed('metadata_expired') })).toBe(
      'metadata_expired: docker.io/library/alpine:3.20 is refused: the trust data of docker.io/library/alpine has expired; ask its publisher to sign again',
    );
  });

  test.each([
    [
      'timestamp',
      "the timestamp metadata of docker.io/library/alpine has expired; ask this proxy's operator",
    ],
    ['snapshot', "the snapshot metadata of docker.io/library/alpine has expired; ask this proxy's operator"],
    ['targets', 'the targets metadata of docker.io/library/alpine has expired; ask its publisher'],
    ['root', 'the root metadata of docker.io/library/alpine has expired; ask its publisher'],
  ])('verified earlier, its %s expired since', (firstToExpire, expected) => {
    const outcome = verified([target()], { expires: NOW, firstToExpire });
    expect(messageOf({ outcome })).toContain(
      `metadata_expired: docker.io/library/alpine:3.20 is refused: ${expected}`,
    );
  });

  test('one millisecond before the expiry it is still served', () => {
    const expires = new Date(NOW.getTime() + 1);
    expect(decide(input({ outcome: verified([target({ expires })], { expires }) })).kind).toBe('pin');
  });

  test('a delegation that vouches for the tag expired', () => {
    expect(messageOf({ outcome: verified([target({ expires: NOW })]) })).toMatch(/^metadata_expired: /);
  });

  test('a date that is none has expired', () => {
    const expires = new Date(Number.NaN);
    expect(messageOf({ outcome: verified([target()], { expires }) })).toMatch(/^metadata_expired: /);
    expect(messageOf({ outcome: verified([target({ expires })]) })).toMatch(/^metadata_expired: /);
  });
});

describe('signers', () => {
  const signed = (...signers: readonly string[]) => verified([target({ signers })]);
  const all = rule({ signers: { names: ['qa', 'security'], count: 2 } });
  const two = rule({ signers: { names: ['a', 'b', 'c'], count: 2 } });

  test('all of them signed, others may have too', () => {
    expect(decide(input({ rule: all, outcome: signed('ops', 'qa', 'security') })).kind).toBe('pin');
  });

  test('one of all is missing', () => {
    expect(messageOf({ rule: all, outcome: signed('qa') })).toBe(
      'signer_missing: docker.io/library/alpine:3.20 is signed but not by security, as rule base requires; ask them to sign it with "docker trust sign docker.io/library/alpine:3.20" or pull a tag they signed',
    );
  });

  test('several of all are missing: each is named', () => {
    expect(messageOf({ rule: all, outcome: signed('ops') })).toContain(
      'signed but not by qa, security, as rule base requires; ask them to sign it',
    );
  });

  test('one of several is enough where one is asked for, and signers nobody asked for never count', () => {
    expect(meets({ names: ['a', 'b'], count: 1 }, ['b'])).toBe(true);
    expect(meets({ names: ['a', 'b'], count: 1 }, ['x'])).toBe(false);
    expect(meets({ names: ['a', 'b'], count: 2 }, ['a', 'x', 'y'])).toBe(false);
  });

  test('enough of several', () => {
    expect(decide(input({ rule: two, outcome: signed('a', 'c') })).kind).toBe('pin');
  });

  test('too few of several', () => {
    expect(messageOf({ rule: two, outcome: signed('c') })).toBe(
      'threshold_not_met: docker.io/library/alpine:3.20 is signed by fewer than 2 of a, b, c, as rule base requires; ask a or b to sign it with "docker trust sign docker.io/library/alpine:3.20"',
    );
  });

  test('one signer counts once, however often it is named', () => {
    expect(meets({ names: ['a', 'a'], count: 2 }, ['a', 'a'])).toBe(false);
    expect(missingSigners({ names: ['b', 'a', 'b'], count: 2 }, ['a'])).toEqual(['b']);
  });

  test.each([
    { names: [], count: 0 },
    { names: ['a'], count: 0 },
    { names: ['a'], count: -1 },
    { names: ['a'], count: Number.NaN },
    { names: ['a'], count: 2 },
  ])('a requirement that makes no sense is never met: %j', (signers) => {
    expect(meets(signers, ['a'])).toBe(false);
    expect(decide(input({ rule: rule({ signers }), outcome: signed('a') })).kind).toBe('deny');
  });
});

describe('the other modes', () => {
  test.each([
    ['a signed tag', verified([target()]), 'signed'],
    ['an unsigned tag', verified([]), 'unsigned_tag'],
    ['an unreachable trust server', failed('trust_unreachable'), 'trust_unreachable'],
  ] as const)('audit lets %s through and says what enforcement would have', (_, outcome, would) => {
    expect(decide(input({ rule: rule({ mode: 'audit' }), outcome }))).toEqual({
      kind: 'pass',
      rule: 'base',
      mode: 'audit',
      why: 'audit',
      would,
    });
  });

  test('off lets through', () => {
    const expected = { kind: 'pass', rule: 'base', mode: 'off', why: 'mode_off' };
    expect(decide(input({ rule: rule({ mode: 'off' }), outcome: undefined }))).toEqual(expected);
  });

  test.each(['tag', 'digest'] as const)('deny refuses a %s, signed or not', (kind) => {
    const reference = kind === 'tag' ? input().reference : BY_DIGEST;
    const image = kind === 'tag' ? 'docker.io/library/alpine:3.20' : `docker.io/library/alpine@${DIGEST}`;
    expect(messageOf({ rule: rule({ mode: 'deny' }), reference })).toBe(
      `denied_by_rule: ${image} is refused: rule base lets nothing through; pull another repository or ask this proxy's operator to change the rule`,
    );
  });
});

describe('the canary', () => {
  const reference = { kind: 'tag', repository: CANARY.repository, tag: CANARY.tag } as const;

  test.each(MODES)('is refused under %s, though it is signed', (mode) => {
    expect(decide(input({ rule: rule({ mode }), reference }))).toMatchObject({
      kind: 'deny',
      rule: '(canary)',
      mode: 'deny',
      reason: 'denied_by_rule',
    });
  });

  test('is refused without a rule, and its digest is not', () => {
    const open = { rule: undefined, unmatched: 'pass' } as const;
    expect(decide(input({ ...open, reference })).kind).toBe('deny');
    expect(decide(input({ ...open, reference: { ...BY_DIGEST, repository: CANARY.repository } })).kind).toBe(
      'pass',
    );
  });
});

describe('digests', () => {
  test.each(['enforce', 'audit', 'off'] as const)('pass under %s', (mode) => {
    const expected = { kind: 'pass', rule: 'base', mode, why: 'digest' };
    expect(decide(input({ rule: rule({ mode }), reference: BY_DIGEST, outcome: undefined }))).toEqual(
      expected,
    );
  });
});

describe('no rule', () => {
  test.each([input().reference, BY_DIGEST])('unmatched: deny refuses', (reference) => {
    const decision = decide(input({ rule: undefined, reference, outcome: undefined }));
    expect(decision).toMatchObject({ kind: 'deny', rule: '(none)', mode: 'deny', reason: 'no_rule' });
    expect(messageOf({ rule: undefined, reference })).toContain(
      'no rule matches docker.io/library/alpine; ask',
    );
  });

  test.each([input().reference, BY_DIGEST])('unmatched: pass lets through', (reference) => {
    expect(decide(input({ rule: undefined, unmatched: 'pass', reference, outcome: undefined }))).toEqual({
      kind: 'pass',
      rule: '(none)',
      mode: 'off',
      why: 'unmatched',
    });
  });
});

test('trust is asked for tags under enforce and audit, and for nothing else', () => {
  expect(MODES.filter((mode) => needsTrust(rule({ mode }), input().reference))).toEqual(['enforce', 'audit']);
  expect(MODES.filter((mode) => needsTrust(rule({ mode }), BY_DIGEST))).toEqual([]);
  expect(needsTrust(undefined, input().reference)).toBe(false);
});

test('the most specific rule speaks for a repository', () => {
  const rules = [rule(), rule({ name: 'library', match: 'docker.io/library/*' })];
  expect(selectRule({ unmatched: 'deny', rules, canary: CANARY }, 'docker.io/library/alpine')?.name).toBe(
    'library',
  );
  expect(selectRule({ unmatched: 'deny', rules, canary: CANARY }, 'docker.io/team/app')?.name).toBe('base');
  expect(selectRule({ unmatched: 'deny', rules, canary: CANARY }, 'quay.io/team/app')).toBeUndefined();
});
