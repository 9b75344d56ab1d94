/**
 * The decision on one request: a rule, a reference, what trust data says, and a time go in, and one of three
 * answers comes out. Pure, and closed by shape: a tag under `enforce` is pinned on one line alone, and each way to
 * that line passes every check.
 */

import type { ImageReference } from '../names/reference.ts';
import type { DenyReason } from '../reason.ts';
import type { TrustedTarget, VerifiedTrust } from '../trust-client/types.ts';
import type { Denied } from '../words.ts';
import { isCanary } from './canary.ts';
import { meets, missingSigners, signedByOtherKeys } from './signers.ts';
import { CANARY_RULE, type Decision, NO_RULE, type Policy, type Rule, type TrustOutcome } from './types.ts';

export type DecideInput = {
  /** The rule `selectRule` found; undefined when none matches. */
  readonly rule: Rule | undefined;
  readonly unmatched: Policy['unmatched'];
  readonly canary: Policy['canary'];
  /** Canonical name of the registry. */
  readonly registry: string;
  readonly reference: ImageReference;
  /** Needed when `needsTrust` says so. A missing one refuses. */
  readonly outcome: TrustOutcome | undefined;
  readonly now: Date;
};

type TagReference = Extract<ImageReference, { kind: 'tag' }>;

/** What enforcement says of a tag. */
type Judgement = { readonly kind: 'signed'; readonly target: TrustedTarget } | Refused;
type Refused = { readonly kind: 'refused'; readonly denied: Facts };
type Facts = Omit<Denied, 'rule'>;

/** Judges one request. A refusal is facts alone: words.ts says them. */
export function decide(input: DecideInput): Decision {
  const { rule, reference } = input;
  if (isCanary(input.canary, input.registry, reference)) {
    return deny({ name: CANARY_RULE, mode: 'deny' }, { reason: 'denied_by_rule', isCanary: true });
  }
  if (rule === undefined) return decideUnmatched(input);
  switch (rule.mode) {
    case 'deny':
      return deny(rule, { reason: 'denied_by_rule' });
    case 'off':
      return pass(rule, reference.kind === 'digest' ? 'digest' : 'mode_off');
    case 'audit':
      if (reference.kind === 'digest') return pass(rule, 'digest');
      return { ...pass(rule, 'audit'), would: wouldBe(judge(rule, reference, input)) };
    case 'enforce': {
      if (reference.kind === 'digest') return pass(rule, 'digest');
      const verdict = judge(rule, reference, input);
      if (verdict.kind === 'refused') return deny(rule, verdict.denied);
      return { kind: 'pin', rule: rule.name, mode: rule.mode, target: verdict.target };
    }
  }
}

function decideUnmatched(input: DecideInput): Decision {
  switch (input.unmatched) {
    case 'pass':
      return pass({ name: NO_RULE, mode: 'off' }, 'unmatched');
    case 'deny':
      return deny({ name: NO_RULE, mode: 'deny' }, { reason: 'no_rule' });
  }
}

function judge(rule: Rule, reference: TagReference, input: DecideInput): Judgement {
  const { outcome } = input;
  if (outcome === undefined) return refuse({ reason: 'internal' });
  if (outcome.kind === 'failed') {
    const { code: reason, role } = outcome.error;
    return refuse({ reason, role });
  }
  const verdict = judgeTrust(rule, reference, input, outcome.trust);
  // In an outage a "no" is old: it may have been signed since the trust server was last reached.
  const isOld = verdict.kind === 'refused' && outcome.path === 'stale';
  return isOld ? refuse({ reason: 'trust_unreachable' }) : verdict;
}

function judgeTrust(
  rule: Rule,
  reference: TagReference,
  input: DecideInput,
  trust: VerifiedTrust,
): Judgement {
  const { now } = input;
  if (hasExpired(trust.expires, now))
    return refuse({ reason: 'metadata_expired', role: trust.firstToExpire });
  const target = trust.target(reference.tag, now);
  if (target === undefined) return refuse({ reason: 'unsigned_tag' });
  if (hasExpired(target.expires, now)) return refuse({ reason: 'metadata_expired' });
  return judgeSigners(rule, target, trust.signingKeys);
}

function judgeSigners(rule: Rule, target: TrustedTarget, known: VerifiedTrust['signingKeys']): Judgement {
  const { signers } = rule;
  if (signers === undefined || meets(signers, target.signers, known)) return { kind: 'signed', target };
  const missing = missingSigners(signers, target.signers, known);
  const otherKeys = signedByOtherKeys(signers, target.signers, known);
  const reason = signers.count === signers.names.length ? 'signer_missing' : 'threshold_not_met';
  return refuse({ reason, signers, missing, otherKeys });
}

/** An invalid date counts as expired. */
function hasExpired(expires: Date, now: Date): boolean {
  return !(expires.getTime() > now.getTime());
}

function refuse(denied: Facts): Refused {
  return { kind: 'refused', denied };
}

function wouldBe(verdict: Judgement): 'signed' | DenyReason {
  return verdict.kind === 'signed' ? 'signed' : verdict.denied.reason;
}

type Named = Pick<Rule, 'name' | 'mode'>;
type Pass = Extract<Decision, { kind: 'pass' }>;

function pass(rule: Named, why: Pass['why']): Pass {
  return { kind: 'pass', rule: rule.name, mode: rule.mode, why };
}

function deny({ name, mode }: Named, denied: Facts): Extract<Decision, { kind: 'deny' }> {
  return { kind: 'deny', mode, rule: name, ...denied };
}
