import type { TrustReason } from '../reason.ts';

/**
 * The kind of fault, for `pullwarden_trust_rejected_total{cause}` (peers.md §9.2) and for tests. It is finer than
 * the reason: `metadata_invalid` may be a bad signature (an attack) or bad JSON (a mistake).
 */
export const TRUST_CAUSES = [
  'absent', // the trust server has no such repository
  'unreachable', // no usable answer: network, TLS, token, status, missing file
  'deadline',
  'signature', // a signature or a key does not say what it should
  'threshold',
  'expired',
  'rollback',
  'hash_mismatch',
  'format',
  'size', // larger, longer or more than our limits allow
  'key_mismatch', // not pinned, certificate not for this repository, key ID not of this key
  'state', // our own stored state cannot be read or written
] as const;
export type TrustCause = (typeof TRUST_CAUSES)[number];

/**
 * Trust in a repository could not be established. The only error trust-client/ throws on outside input.
 *
 * `code` is the reason the client is given, `fault` the finer cause, `role` the metadata file at fault where there
 * is one. Nobody reads `message` to decide anything.
 */
export class TrustError extends Error {
  override readonly name = 'TrustError';
  readonly code: TrustReason;
  readonly fault: TrustCause;
  readonly role: string | undefined;
  /**
   * True when the server showed only what it said before, validly signed in its time, and nothing newer: a replica that
   * lags looks so. What it says is never accepted, and proves nothing against the newer trust that is remembered.
   */
  readonly isLag: boolean;

  constructor(
    code: TrustReason,
    fault: TrustCause,
    message: string,
    context: { role?: string; cause?: unknown; isLag?: boolean } = {},
  ) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.fault = fault;
    this.role = context.role;
    this.isLag = context.isLag ?? false;
  }

  /** Without a stack: for what is an answer and no fault, and comes with every name that somebody makes up. */
  static withoutStack(...made: ConstructorParameters<typeof TrustError>): TrustError {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return new TrustError(...made);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  /** All of it but its causes and their stacks, which weigh more than the rest together: to be remembered. */
  bare(): TrustError {
    const { code, fault, message, role, isLag } = this;
    return TrustError.withoutStack(code, fault, message, { ...(role !== undefined && { role }), isLag });
  }

  /**
   * True when nothing was heard that contradicts what was verified before: only then may an earlier answer that is
   * still unexpired be used (notary-semantics.md §7.4: never after a validation error).
   */
  get isOutage(): boolean {
    return this.fault === 'unreachable' || this.fault === 'deadline';
  }
}

/** A file that cannot be what its signer wrote: wrong form, wrong signature, wrong hash. */
export function invalid(fault: TrustCause, role: string, message: string, cause?: unknown): TrustError {
  return new TrustError('metadata_invalid', fault, message, { role, cause });
}
