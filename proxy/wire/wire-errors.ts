/**
 * Refusals on the wire: reason → status, code, headers, body and reason phrase (proxy/README.md, "10. Form").
 *
 * Never 401 for policy: Docker 28 answers it with a login prompt (registry-clients.md §0.6).
 */
import type { DenyReason } from '../reason.ts';
import type { OciCode, Refusal, Response } from './types.ts';

export type WireError = {
  readonly status: number;
  readonly code: OciCode;
  /** Seconds after which asking again makes sense; containers/image honours it (registry-clients.md §2.4). */
  readonly retryAfter?: number;
};

const DENIED = { status: 403, code: 'DENIED' } as const;
const UNAVAILABLE = { status: 503, code: 'UNAVAILABLE', retryAfter: 10 } as const;

/** A missing reason is a compile error. */
export const WIRE_ERRORS = {
  no_trust_data: DENIED,
  key_not_pinned: DENIED,
  root_rotation_refused: DENIED,
  metadata_expired: DENIED,
  metadata_rollback: DENIED,
  metadata_invalid: DENIED,
  unsigned_tag: DENIED,
  signer_missing: DENIED,
  threshold_not_met: DENIED,
  denied_by_rule: DENIED,
  no_rule: DENIED,
  namespace_unknown: DENIED,
  trust_unreachable: UNAVAILABLE,
  deadline_exceeded: UNAVAILABLE,
  registry_unreachable: { status: 502, code: 'UNAVAILABLE' },
  digest_mismatch: { status: 502, code: 'UNKNOWN' },
  signed_digest_missing: { status: 404, code: 'MANIFEST_UNKNOWN' },
  bad_request: { status: 400, code: 'NAME_INVALID' },
  method_not_allowed: { status: 405, code: 'UNSUPPORTED' },
  internal: { status: 500, code: 'UNKNOWN' },
} as const satisfies Record<DenyReason, WireError>;

/** What the error envelope says besides the refusal itself. */
export type RefusalContext = {
  readonly requestId: string;
  readonly rule?: string | undefined;
  readonly gun?: string | undefined;
};

/** Longest reason phrase, in characters; a status line has to fit into every client's buffer. */
export const MAX_PHRASE_LENGTH = 200;

/** The complete answer to a refusal: the same for HEAD and GET, except that HEAD leaves the body behind. */
export function toErrorResponse(refusal: Refusal, context: RefusalContext): Response {
  const wire: WireError = WIRE_ERRORS[refusal.reason];
  const { requestId, rule, gun } = context;
  const detail = { reason: refusal.reason, rule, gun, requestId };
  const body = Buffer.from(
    // A detail is always there: without one, clients collapse some messages to the bare code (registry-clients.md §1.6).
    JSON.stringify({ errors: [{ code: refusal.code ?? wire.code, message: refusal.message, detail }] }),
  );
  const headers = new Map([...errorHeaders(body)]);
  const retryAfter = refusal.retryAfter ?? wire.retryAfter;
  if (retryAfter !== undefined) headers.set('Retry-After', String(retryAfter));
  if (refusal.reason === 'method_not_allowed') headers.set('Allow', 'GET, HEAD');
  return { status: wire.status, reasonPhrase: toReasonPhrase(refusal.message, wire), headers, body };
}

export function errorHeaders(body: Uint8Array): ReadonlyMap<string, string> {
  return new Map([
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
    ['Cache-Control', 'no-store'],
  ]);
}

/**
 * The sentence without its advice, because the reason phrase is all that containerd shows of an answer to HEAD
 * (registry-clients.md §1.7). Printable ASCII only: anything else could end the status line.
 */
export function toReasonPhrase(message: string, { code }: Pick<WireError, 'code'>): string {
  const [first = ''] = message.replace(/[^\x20-\x7e]/g, '?').split('; ', 1);
  const prefix = code === 'DENIED' ? 'Denied by Pullwarden: ' : 'Pullwarden: ';
  return `${prefix}${first}`.slice(0, MAX_PHRASE_LENGTH).trimEnd();
}
