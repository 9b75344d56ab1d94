/**
 * The combinations of labels a decision can have, so that each exists with the value 0 before it first happens:
 * `rate()` and alerts then work from the first refusal on (peers.md §9.2).
 */
import { CANARY_RULE, NO_RULE, type RuleMode } from '../policy/types.ts';
import { type DenyReason, type Reason, type Result, reasonsAbout, resultOf } from '../reason.ts';

/** What metrics must know of a rule. */
export type RuleLabels = { readonly name: string; readonly mode: RuleMode };

export type DecisionLabels = {
  readonly rule: string;
  readonly mode: RuleMode;
  readonly result: Result;
  readonly reason: Reason;
  readonly ref: 'tag' | 'digest';
};

type ReasonsByReference = { readonly tag: readonly Reason[]; readonly digest: readonly Reason[] };

/** What can go wrong with any request that is forwarded. */
const FORWARDING = [
  'registry_unreachable',
  'deadline_exceeded',
  'internal',
] as const satisfies readonly DenyReason[];
/** What a judged tag can be refused for. */
const JUDGED = reasonsAbout('trust', 'signature', 'registry', 'proxy');

const BY_MODE = {
  enforce: { tag: ['signed', ...JUDGED], digest: ['digest', ...FORWARDING] },
  audit: { tag: ['audit', ...FORWARDING], digest: ['digest', ...FORWARDING] },
  off: { tag: ['mode_off', ...FORWARDING], digest: ['digest', ...FORWARDING] },
  deny: { tag: ['denied_by_rule'], digest: ['denied_by_rule'] },
} as const satisfies Record<RuleMode, ReasonsByReference>;

const WITHOUT_RULE = {
  deny: { tag: ['no_rule', 'namespace_unknown'], digest: ['no_rule', 'namespace_unknown'] },
  off: { tag: ['unmatched', ...FORWARDING], digest: ['unmatched', ...FORWARDING] },
} as const satisfies Partial<Record<RuleMode, ReasonsByReference>>;

/** Every plausible combination for these rules, for repositories without one, and for the canary. */
export function plausibleDecisions(rules: readonly RuleLabels[]): readonly DecisionLabels[] {
  return [
    ...rules.flatMap(({ name, mode }) => combine(name, mode, BY_MODE[mode])),
    ...combine(NO_RULE, 'deny', WITHOUT_RULE.deny),
    ...combine(NO_RULE, 'off', WITHOUT_RULE.off),
    ...combine(CANARY_RULE, 'deny', { tag: ['denied_by_rule'], digest: [] }),
  ];
}

/** What enforcement can be recorded to have said of a tag under an audit rule. */
export const AUDIT_VERDICTS = ['signed', ...JUDGED] as const;

function combine(rule: string, mode: RuleMode, reasons: ReasonsByReference): DecisionLabels[] {
  const { tag, digest } = reasons;
  return [
    ...tag.map((reason) => ({ rule, mode, result: resultOf(reason), reason, ref: 'tag' as const })),
    ...digest.map((reason) => ({ rule, mode, result: resultOf(reason), reason, ref: 'digest' as const })),
  ];
}
