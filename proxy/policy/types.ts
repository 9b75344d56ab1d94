/** What neighbours may see of policy/: a rule, and the decision it leads to. All of it is plain data. */
import type { AllowReason, DenyReason } from '../reason.ts';
import type { TrustError } from '../trust-client/errors.ts';
import type { TrustedTarget, VerifiedTrust } from '../trust-client/types.ts';
import type { Denied } from '../words.ts';

/**
 * `enforce` pins signed tags and refuses the rest; `audit` judges, records and lets through; `off` lets through
 * unjudged; `deny` refuses everything.
 */
export type RuleMode = 'enforce' | 'audit' | 'off' | 'deny';

/** Which delegations (without `targets/`) must hold the same digest: all of them, or at least `count` of them. */
export type SignerRequirement = {
  readonly names: readonly string[];
  readonly count: number;
  /** Names that count only with signatures of these keys, by TUF or canonical key ID. */
  readonly pins?: readonly SignerPin[];
};

export type SignerPin = { readonly name: string; readonly keys: readonly string[] };

export type Rule = {
  readonly name: string;
  /** Pattern over `<registry>/<repository>`; pattern.ts says what `*` and `**` mean. */
  readonly match: string;
  readonly mode: RuleMode;
  /** undefined: a signature in `targets/releases` or `targets` is enough, as for Docker. */
  readonly signers: SignerRequirement | undefined;
  readonly tagList: 'signed' | 'all';
};

/** The rules of one configuration, what happens to a repository that none of them matches, and the tag none counts for. */
export type Policy = {
  readonly unmatched: 'deny' | 'pass';
  readonly rules: readonly Rule[];
  readonly canary: Canary;
};

/** The tag that is always refused; canary.ts says what for. `registry` is a canonical name. */
export type Canary = { readonly registry: string; readonly repository: string; readonly tag: string };

/** What trust-client/ and its cache found out about a repository. `path` is how: for metrics and logs. */
export type TrustOutcome =
  | { readonly kind: 'verified'; readonly trust: VerifiedTrust; readonly path: TrustPath }
  | { readonly kind: 'failed'; readonly error: TrustError; readonly path: TrustPath };

/** `cache`: fresh in memory; `stale`: verified earlier, used because of an outage; `cold`: the server was asked. */
export type TrustPath = 'cache' | 'stale' | 'cold';

/** Three decisions, not a boolean. */
export type Decision =
  /** Let through unchecked; `would` is what enforcement would have said, in audit mode. */
  | {
      readonly kind: 'pass';
      readonly rule: string;
      readonly mode: RuleMode;
      readonly why: Exclude<AllowReason, 'signed'>;
      readonly would?: 'signed' | DenyReason;
    }
  /** Proved: exactly this digest and length. */
  | { readonly kind: 'pin'; readonly rule: string; readonly mode: RuleMode; readonly target: TrustedTarget }
  /** Refused, with the facts words.ts makes a sentence of. */
  | (Denied & { readonly kind: 'deny'; readonly mode: RuleMode });

/** The rule name recorded where no rule matched. */
export const NO_RULE = '(none)';
/** The rule name recorded for the canary. No configured rule can have it. */
export const CANARY_RULE = '(canary)';
