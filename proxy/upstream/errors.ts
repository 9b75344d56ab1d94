/** What an upstream (registry, trust server or token server) did wrong. Nobody reads `message` to decide. */
import { CAUSES } from '../words.ts';

/**
 * `unreachable`: no connection, TLS refused, cut off · `timeout`: too slow, or the caller's signal ended it ·
 * `too_large`: longer than the caller allows · `bad_answer`: not what the protocol says · `denied`: our own
 * credentials do not open it · `no_room`: it did nothing wrong, we have no memory for its answer now (body-room.ts).
 */
export type UpstreamErrorKind = 'unreachable' | 'timeout' | 'too_large' | 'bad_answer' | 'denied' | 'no_room';

export type UpstreamErrorContext = {
  /** Of the socket, the certificate or the HTTP parser, such as ECONNREFUSED. */
  readonly code?: string;
  /** The message in two parts: which server, and what happened with it. */
  readonly about?: { readonly server: string; readonly why: string };
  readonly status?: number;
  readonly cause?: unknown;
  readonly retryAfter?: string | undefined;
};

/** Carries the upstream's name and what happened, never a credential, a token or a URL with either. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly kind: UpstreamErrorKind;
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly about: UpstreamErrorContext['about'];
  /** When to ask again, where a server said so; as retry-after.ts gives it. */
  readonly retryAfter: string | undefined;

  constructor(kind: UpstreamErrorKind, message: string, context: UpstreamErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.kind = kind;
    this.status = context.status;
    this.code = context.code;
    this.about = context.about;
    this.retryAfter = context.retryAfter;
  }
}

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

const CERTIFICATE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is signed by no authority that is trusted here'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is signed by no authority that is trusted here'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'its certificate is signed by no authority that is trusted here'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate is signed by no authority that is trusted here'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is signed by no authority that is trusted here'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
]);

const NO_TLS = 'it does not speak TLS as it should: it may be http and not https';

const SOCKET_FAULTS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOTFOUND', 'its name is not known to DNS'],
  ['EAI_AGAIN', 'DNS does not answer'],
  ['EHOSTUNREACH', 'there is no route to it'],
  ['ENETUNREACH', 'there is no route to it'],
  ['ECONNRESET', 'the connection was cut'],
  ['UND_ERR_SOCKET', 'the connection was cut'],
  ['EPROTO', NO_TLS],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
]);

/** Stands for the name of a server in an error where only its answer was at hand. */
export const UNNAMED_UPSTREAM = 'the upstream';

/** True when TLS failed because of what the server's certificate is. */
export function isCertificateFault({ code }: UpstreamError): boolean {
  return code !== undefined && CERTIFICATE_FAULTS.has(code);
}

/** Why a request fails that needed this answer. @param what the upstream did not do. */
export function toFailure(error: UpstreamError, what: string): UpstreamFailure {
  if (error.kind === 'no_room')
    return { reason: 'deadline_exceeded', what: CAUSES.noRoomForBodies, retryAfter: undefined };
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
  const failed = (kind: UpstreamErrorKind, why: string, code?: string, what = why): UpstreamError =>
    new UpstreamError(kind, `${upstream}: ${what}`, {
      cause: error,
      about: { server: upstream, why },
      ...(code === undefined ? {} : { code }),
    });
  if (signal?.aborted === true) return failed('timeout', 'the request was given up');
  const code = codeOf(error);
  if (TIMEOUT_CODES.has(code)) return failed('timeout', `no answer in time (${code})`, code);
  if (
    code.startsWith('HPE_') ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ||
    code === 'UND_ERR_HEADERS_OVERFLOW'
  ) {
    return failed('bad_answer', `the answer is not valid HTTP (${code})`, code);
  }
  const why = CERTIFICATE_FAULTS.get(code) ?? SOCKET_FAULTS.get(code);
  if (why === undefined) return failed('unreachable', `cannot be reached (${code})`, code);
  return failed('unreachable', `${why} (${code})`, code, `cannot be reached: ${why} (${code})`);
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
