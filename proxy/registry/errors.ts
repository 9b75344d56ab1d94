/** What an upstream (registry, trust server or token server) did wrong. Nobody reads `message` to decide. */

/**
 * `unreachable`: no connection, TLS refused, cut off · `timeout`: too slow, or the caller's signal ended it ·
 * `too_large`: longer than the caller allows · `bad_answer`: not what the protocol says · `denied`: our own
 * credentials do not open it · `no_room`: it did nothing wrong, we have no memory for its answer now (body-room.ts).
 */
export type UpstreamErrorKind = 'unreachable' | 'timeout' | 'too_large' | 'bad_answer' | 'denied' | 'no_room';

export type UpstreamErrorContext = {
  readonly status?: number;
  readonly cause?: unknown;
  readonly retryAfter?: string | undefined;
};

/** Carries the upstream's name and what happened, never a credential, a token or a URL with either. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly kind: UpstreamErrorKind;
  readonly status: number | undefined;
  /** When to ask again, where a server said so; as retry-after.ts gives it. */
  readonly retryAfter: string | undefined;

  constructor(kind: UpstreamErrorKind, message: string, context: UpstreamErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.kind = kind;
    this.status = context.status;
    this.retryAfter = context.retryAfter;
  }
}

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

export const NO_ROOM = 'this proxy has no room for more answers of registries before others are read';

/** Why a request fails that needed this answer. @param what the upstream did not do. */
export function toFailure(error: UpstreamError, what: string): UpstreamFailure {
  if (error.kind === 'no_room') return { reason: 'deadline_exceeded', what: NO_ROOM, retryAfter: undefined };
  return { reason: 'registry_unreachable', what, retryAfter: error.retryAfter };
}

export type UpstreamFailure = {
  readonly reason: 'deadline_exceeded' | 'registry_unreachable';
  readonly what: string;
  /** The upstream's own Retry-After. */
  readonly retryAfter?: string | undefined;
};

/** Everything a socket or HTTP parser can throw, as one of our kinds. */
export function toUpstreamError(error: unknown, upstream: string, signal?: AbortSignal): UpstreamError {
  if (error instanceof UpstreamError) return error;
  if (signal?.aborted === true)
    return new UpstreamError('timeout', `${upstream}: the request was given up`, { cause: error });
  const code = codeOf(error);
  if (TIMEOUT_CODES.has(code))
    return new UpstreamError('timeout', `${upstream}: no answer in time (${code})`, { cause: error });
  if (
    code.startsWith('HPE_') ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ||
    code === 'UND_ERR_HEADERS_OVERFLOW'
  ) {
    return new UpstreamError('bad_answer', `${upstream}: the answer is not valid HTTP (${code})`, {
      cause: error,
    });
  }
  return new UpstreamError('unreachable', `${upstream}: cannot be reached (${code})`, { cause: error });
}

/** True when the caller gave up by itself, and not because time ran out. */
export function isGone(signal: AbortSignal | undefined): boolean {
  const reason: unknown = signal?.aborted === true ? signal.reason : undefined;
  return typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === 'AbortError';
}

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
