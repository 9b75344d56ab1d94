/** Plain data for the tests of policy/: rules, verified trust, targets. */
import type { DecideInput } from '../../proxy/policy/decide.ts';
import type { Rule } from '../../proxy/policy/types.ts';
import type { TrustedTarget, VerifiedTrust } from '../../proxy/trust-client/types.ts';
import { type Denied, sayDenied } from '../../proxy/words.ts';

export const NOW = new Date('2026-11-21T12:00:00Z');
export const LATER = new Date('2026-12-01T00:00:00Z');
export const CANARY = { registry: 'docker.io', repository: 'library/canary', tag: 'never' } as const;
export const DIGEST = `sha256:${'a'.repeat(64)}` as const;

export function rule(changes: Partial<Rule> = {}): Rule {
  const fixed = {
    name: 'base',
    match: 'docker.io/**',
    mode: 'enforce',
    signers: undefined,
    tagList: 'signed',
  } as const;
  return { ...fixed, ...changes };
}

export function target(changes: Partial<TrustedTarget> = {}): TrustedTarget {
  const fixed = {
    name: '3.20',
    digest: DIGEST,
    length: 528,
    role: 'targets/releases',
    signers: [],
    expires: LATER,
  };
  return { ...fixed, ...changes };
}

/** Trust in a repository where exactly these tags are signed. */
export function trust(
  targets: readonly TrustedTarget[],
  changes: Partial<VerifiedTrust> = {},
): VerifiedTrust {
  return {
    gun: 'docker.io/library/alpine',
    roles: [],
    expires: LATER,
    firstToExpire: 'timestamp',
    target: (tag) => targets.find(({ name }) => name === tag),
    tags: () => targets.map(({ name }) => name).sort(),
    tagsNear: () => targets.map(({ name }) => name).sort(),
    ...changes,
  };
}

export function verified(
  targets: readonly TrustedTarget[],
  changes: Partial<VerifiedTrust> = {},
): DecideInput['outcome'] {
  return { kind: 'verified', trust: trust(targets, changes), path: 'cold' };
}

/** A pull of `docker.io/library/alpine:3.20`, signed, under a rule that enforces. */
export function input(changes: Partial<DecideInput> = {}): DecideInput {
  return {
    rule: rule(),
    unmatched: 'deny',
    canary: CANARY,
    registry: 'docker.io',
    reference: { kind: 'tag', repository: 'library/alpine', tag: '3.20' },
    outcome: verified([target()]),
    now: NOW,
    ...changes,
  };
}

/** The sentence for a person who pulls what `input` asks for. */
export function say(denied: Denied, others: readonly string[] = []): string {
  const gun = 'docker.io/library/alpine';
  return sayDenied(denied, { image: `${gun}:3.20`, gun }, others);
}
