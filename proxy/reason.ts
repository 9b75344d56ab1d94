/**
 * The closed set of words that say why a request was answered as it was, and in one table all that hangs on each. What a
 * person reads stands in words.ts; a new reason is a line here and one there.
 *
 * The metrics label, the log field, the `detail.reason` of an error body and `explain` use the same words
 * (proxy/README.md, "6. Decide"), so a word that is not here cannot reach any of them.
 */

/** Codes of the registry error envelope that we use (registry-clients.md §3). */
export type OciCode =
  | 'NAME_INVALID'
  | 'TAG_INVALID'
  | 'DIGEST_INVALID'
  | 'DENIED'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_UNKNOWN'
  | 'UNAUTHORIZED'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED'
  | 'UNKNOWN';

/** `error` says something about us or our dependencies, not about the image: it counts against availability (peers.md §9.3). */
export type Result = 'allow' | 'deny' | 'error';

/** What a refusal is about; metrics and the words for it differ. */
type About = 'trust' | 'signature' | 'rule' | 'registry' | 'request' | 'proxy';

export type Denial = {
  readonly about: About;
  /** Never 401: Docker 28 answers it with a login prompt (registry-clients.md §0.6). */
  readonly status: number;
  readonly code: OciCode;
  readonly result: Exclude<Result, 'allow'>;
  /** Seconds after which asking again makes sense; containers/image honours it (registry-clients.md §2.4). */
  readonly retryAfter?: number;
};

const DENIED = { status: 403, code: 'DENIED', result: 'deny' } as const;
const UNAVAILABLE = { status: 503, code: 'UNAVAILABLE', result: 'error', retryAfter: 10 } as const;

/** Why trust data could not vouch for a repository; the only reasons a `TrustError` may carry. */
const TRUST_DENIALS = {
  no_trust_data: { about: 'trust', ...DENIED },
  key_not_pinned: { about: 'trust', ...DENIED },
  root_rotation_refused: { about: 'trust', ...DENIED },
  metadata_expired: { about: 'trust', ...DENIED },
  metadata_rollback: { about: 'trust', ...DENIED },
  metadata_invalid: { about: 'trust', ...DENIED },
  trust_unreachable: { about: 'trust', ...UNAVAILABLE },
  deadline_exceeded: { about: 'trust', ...UNAVAILABLE },
} as const satisfies Record<string, Denial>;

/** Why a request was refused. */
export const DENIALS = {
  ...TRUST_DENIALS,
  unsigned_tag: { about: 'signature', ...DENIED },
  signer_missing: { about: 'signature', ...DENIED },
  threshold_not_met: { about: 'signature', ...DENIED },
  denied_by_rule: { about: 'rule', ...DENIED },
  no_rule: { about: 'rule', ...DENIED },
  registry_unreachable: { about: 'registry', status: 502, code: 'UNAVAILABLE', result: 'error' },
  digest_mismatch: { about: 'registry', status: 502, code: 'UNKNOWN', result: 'deny' },
  signed_digest_missing: { about: 'registry', status: 404, code: 'MANIFEST_UNKNOWN', result: 'deny' },
  bad_request: { about: 'request', status: 400, code: 'NAME_INVALID', result: 'deny' },
  method_not_allowed: { about: 'request', status: 405, code: 'UNSUPPORTED', result: 'deny' },
  namespace_unknown: { about: 'request', ...DENIED },
  internal: { about: 'proxy', status: 500, code: 'UNKNOWN', result: 'error' },
} as const satisfies Record<string, Denial>;

export type TrustReason = keyof typeof TRUST_DENIALS;
export type DenyReason = keyof typeof DENIALS;
/** Reasons a decision by policy may have; words.ts has a sentence for each, or does not compile. */
export type PolicyReason = {
  [Reason in DenyReason]: (typeof DENIALS)[Reason]['about'] extends 'registry' | 'request' ? never : Reason;
}[DenyReason];
/** Why a request was let through. `signed` is the only one that proves anything about the content. */
export type AllowReason = 'signed' | 'digest' | 'mode_off' | 'audit' | 'unmatched';
export type Reason = AllowReason | DenyReason;

const keysOf = <Key extends string>(table: Readonly<Record<Key, unknown>>): readonly Key[] =>
  Object.keys(table) as Key[];

export const TRUST_REASONS = keysOf(TRUST_DENIALS);
export const DENY_REASONS = keysOf(DENIALS);

/** The reasons that are about one of these, in the order of the table. */
export function reasonsAbout(...about: readonly About[]): readonly DenyReason[] {
  return DENY_REASONS.filter((reason) => about.includes(DENIALS[reason].about));
}

export function resultOf(reason: Reason): Result {
  return Object.hasOwn(DENIALS, reason) ? DENIALS[reason as DenyReason].result : 'allow';
}
