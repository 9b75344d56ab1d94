/**
 * The decision on one request: a rule, a reference, what trust data says, and a time go in, and one of three
 * answers comes out. Pure, and closed by shape: a tag under `enforce` is pinned on one line alone, and each way to
 * that line passes every check.
 */

import type { ImageReference } from '../names/reference.ts';
import type { DenyReason } from '../reason.ts';
import type { TrustedTarget, VerifiedTrust } from '../trust-client/types.ts';
import { isCanary } from './canary.ts';
import { type Asked, REFUSALS, refusedCanary, unsignedTag } from './refusal.ts';
import { meets, missingSigners, signedByOtherKeys } from './signers.ts';
import { NEARBY, suggestTags } from './suggest.ts';
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
  /** Name signed tags in the refusal: only for a caller whose right to read the repository was checked. */
  readonly suggest: boolean;
};

type TagReference = Extract<ImageReference, { kind: 'tag' }>;

/** What enforcement says of a tag. */
type Verdict =
  | { readonly kind: 'signed'; readonly target: TrustedTarget }
  | { readonly kind: 'refused'; readonly reason: DenyReason; readonly say: Say };

/** Builds a refusal's sentence: only for the one that leaves, not for each tag of a list. */
type Say = (image: Asked) => string;

/** A decision whose sentence is not built yet. */
type Settled =
  | Exclude<Decision, { kind: 'deny' }>
  | (Omit<Extract<Decision, { kind: 'deny' }>, 'message'> & { readonly say: Say });

/** Judges one request. Every refusal's message is one ASCII sentence: what was expected, and what to do next. */
export function decide(input: DecideInput): Decision {
  const settled = settle(input);
  if (settled.kind !== 'deny') return settled;
  const { say, ...denied } = settled;
  return { ...denied, message: say(asked(input)) };
}

/** Whether `decide` pins the tag, at the price of looking it up: a list asks this of each of its tags. */
export function isPinned(input: DecideInput): boolean {
  return settle(input).kind === 'pin';
}

function settle(input: DecideInput): Settled {
  const { rule, reference } = input;
  if (isCanary(input.canary, input.registry, reference)) {
    return deny({ name: CANARY_RULE, mode: 'deny' }, refuse('denied_by_rule', refusedCanary));
  }
  if (rule === undefined) return decideUnmatched(input);
  switch (rule.mode) {
    case 'deny':
      return deny(rule, refuse('denied_by_rule', REFUSALS.denied_by_rule));
    case 'off':
      return pass(rule, reference.kind === 'digest' ? 'digest' : 'mode_off');
    case 'audit':
      if (reference.kind === 'digest') return pass(rule, 'digest');
      return { ...pass(rule, 'audit'), would: wouldBe(judge(rule, reference, input)) };
    case 'enforce': {
      if (reference.kind === 'digest') return pass(rule, 'digest');
      const verdict = judge(rule, reference, input);
      if (verdict.kind === 'refused') return deny(rule, verdict);
      return { kind: 'pin', rule: rule.name, mode: rule.mode, target: verdict.target };
    }
  }
}

function decideUnmatched(input: DecideInput): Settled {
  switch (input.unmatched) {
    case 'pass':
      return pass({ name: NO_RULE, mode: 'off' }, 'unmatched');
    case 'deny':
      return deny({ name: NO_RULE, mode: 'deny' }, refuse('no_rule', REFUSALS.no_rule));
  }
}

function judge(rule: Rule, reference: TagReference, input: DecideInput): Verdict {
  const { outcome } = input;
  if (outcome === undefined) return refuse('internal', REFUSALS.internal);
  if (outcome.kind === 'failed') {
    const { code, role } = outcome.error;
    return refuse(code, (image) => REFUSALS[code]({ ...image, role }));
  }
  const verdict = judgeTrust(rule, reference, input, outcome.trust);
  // In an outage a "no" is old: it may have been signed since the trust server was last reached.
  const isOld = verdict.kind === 'refused' && outcome.path === 'stale';
  return isOld ? refuse('trust_unreachable', REFUSALS.trust_unreachable) : verdict;
}

function judgeTrust(rule: Rule, reference: TagReference, input: DecideInput, trust: VerifiedTrust): Verdict {
  const { now } = input;
  if (hasExpired(trust.expires, now)) {
    const role = trust.firstToExpire;
    return refuse('metadata_expired', (image) => REFUSALS.metadata_expired({ ...image, role }));
  }
  const target = trust.target(reference.tag, now);
  if (target === undefined) {
    return refuse('unsigned_tag', (image) => {
      const near = input.suggest ? trust.tagsNear(reference.tag, now, NEARBY) : [];
      return unsignedTag(image, suggestTags(near, reference.tag));
    });
  }
  if (hasExpired(target.expires, now)) return refuse('metadata_expired', REFUSALS.metadata_expired);
  return judgeSigners(rule, target, trust.signingKeys);
}

function judgeSigners(rule: Rule, target: TrustedTarget, known: VerifiedTrust['signingKeys']): Verdict {
  const { signers } = rule;
  if (signers === undefined || meets(signers, target.signers, known)) return { kind: 'signed', target };
  const missing = missingSigners(signers, target.signers, known);
  const otherKeys = signedByOtherKeys(signers, target.signers, known);
  const reason = signers.count === signers.names.length ? 'signer_missing' : 'threshold_not_met';
  return refuse(reason, (image) => REFUSALS[reason]({ ...image, missing, signers, otherKeys }));
}

/** An unreadable date has expired. */
function hasExpired(expires: Date, now: Date): boolean {
  return !(expires.getTime() > now.getTime());
}

function asked({ rule, registry, reference }: DecideInput): Asked {
  const gun = `${registry}/${reference.repository}` as const;
  const image = reference.kind === 'tag' ? `${gun}:${reference.tag}` : `${gun}@${reference.digest}`;
  return { image, gun, rule: rule?.name ?? NO_RULE };
}

function refuse(reason: DenyReason, say: Say): Extract<Verdict, { kind: 'refused' }> {
  return { kind: 'refused', reason, say };
}

function wouldBe(verdict: Verdict): 'signed' | DenyReason {
  return verdict.kind === 'signed' ? 'signed' : verdict.reason;
}

type Named = Pick<Rule, 'name' | 'mode'>;
type Pass = Extract<Decision, { kind: 'pass' }>;

function pass(rule: Named, why: Pass['why']): Pass {
  return { kind: 'pass', rule: rule.name, mode: rule.mode, why };
}

function deny(
  rule: Named,
  { reason, say }: { readonly reason: DenyReason; readonly say: Say },
): Extract<Settled, { kind: 'deny' }> {
  return { kind: 'deny', rule: rule.name, mode: rule.mode, reason, say };
}
