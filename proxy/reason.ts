/**
 * The closed set of words that say why a request was answered as it was.
 *
 * The metrics label, the log field, the `detail.reason` of an error body and `explain` use the same words
 * (proxy/README.md, "6. Decide"), so a word that is not here cannot reach any of them.
 */

/** Why a request was let through. `signed` is the only one that proves anything about the content. */
export type AllowReason = 'signed' | 'digest' | 'mode_off' | 'audit' | 'unmatched';

/** Why trust data could not vouch for a repository; the only reasons a `TrustError` may carry. */
export const TRUST_REASONS = [
  'no_trust_data',
  'key_not_pinned',
  'root_rotation_refused',
  'metadata_expired',
  'metadata_rollback',
  'metadata_invalid',
  'trust_unreachable',
  'deadline_exceeded',
] as const;
export type TrustReason = (typeof TRUST_REASONS)[number];

/** Why a request was refused. */
export const DENY_REASONS = [
  ...TRUST_REASONS,
  'unsigned_tag',
  'signer_missing',
  'threshold_not_met',
  'denied_by_rule',
  'no_rule',
  'registry_unreachable',
  'digest_mismatch',
  'signed_digest_missing',
  'bad_request',
  'method_not_allowed',
  'namespace_unknown',
  'internal',
] as const;
export type DenyReason = (typeof DENY_REASONS)[number];

export type Reason = AllowReason | DenyReason;
