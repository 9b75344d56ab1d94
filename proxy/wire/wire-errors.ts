/** Refusals on the wire: reason → status, code, headers, body and reason phrase (proxy/README.md, "10. Form"). */
import { DENIALS, type Denial } from '../reason.ts';
import type { Refusal, Response } from './types.ts';

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
  const wire: Denial = DENIALS[refusal.reason];
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
export function toReasonPhrase(message: string, { code }: Pick<Denial, 'code'>): string {
  const [first = ''] = message.replace(/[^\x20-\x7e]/g, '?').split('; ', 1);
  const prefix = code === 'DENIED' ? 'Denied by Pullwarden: ' : 'Pullwarden: ';
  return `${prefix}${first}`.slice(0, MAX_PHRASE_LENGTH).trimEnd();
}
