/** `/v2/`: where dockerd and containers/image learn which credentials are wanted (registry-clients.md §3). */

import { isHtml } from '../content/media-type.ts';
import { withDeadline } from '../upstream/deadline.ts';
import { toFailure, UpstreamError } from '../upstream/errors.ts';
import { headerOf } from '../upstream/headers.ts';
import { toRelayed } from '../upstream/relay.ts';
import { retryAfterOf } from '../upstream/retry-after.ts';
import type { HttpClient, UpstreamResponse } from '../upstream/types.ts';
import { OPEN_PING } from '../wire/answers.ts';
import type { Refusal, Response } from '../wire/types.ts';
import { SENTENCES } from '../words.ts';

export type PingAnswer =
  | { readonly kind: 'respond'; readonly response: Response }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

type Caller = { readonly authorization: string | undefined; readonly signal: AbortSignal };

/**
 * dockerd gives a ping 15 s (registry-clients.md §1.2), clients that read signatures themselves 5 s
 * (registry-clients.md §3).
 */
const PING_DEADLINE_MS = 4_000;

/** @param client undefined: no registry is meant, and there is nothing to log in to. */
export async function answerPing(client: HttpClient | undefined, caller: Caller): Promise<PingAnswer> {
  if (client === undefined || client.auth !== 'passthrough') return OPEN;
  try {
    return await withDeadline(PING_DEADLINE_MS, caller.signal, async (signal) => {
      const { authorization } = caller;
      return await toAnswer(client, await client.get('/v2/', { authorization, signal }));
    });
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    if (error.kind !== 'no_room') return unreachable(client, SENTENCES.pingWithout(error.kind));
    const { reason, what } = toFailure(error, '');
    return { kind: 'refused', refusal: { reason, message: SENTENCES.tryAgain(what) } };
  }
}

async function toAnswer(client: HttpClient, response: UpstreamResponse): Promise<PingAnswer> {
  const { status } = response;
  if (status === 401 || status === 429)
    return { kind: 'respond', response: await toRelayed(client, response) };
  response.body.destroy();
  // Any page answers 200; only a registry's own word opens the door.
  if (isHtml(headerOf(response.headers, 'content-type'))) return unreachable(client, SENTENCES.pingIsHtml);
  if (status === 200) return OPEN;
  return unreachable(client, SENTENCES.pingAnswered(status), retryAfterOf(response.headers));
}

function unreachable({ upstream }: HttpClient, what: string, retryAfter?: string): PingAnswer {
  const message = SENTENCES.pingFailed(upstream, what);
  return { kind: 'refused', refusal: { reason: 'registry_unreachable', message, retryAfter } };
}

const OPEN: PingAnswer = { kind: 'respond', response: OPEN_PING };
