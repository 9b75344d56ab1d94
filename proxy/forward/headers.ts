/** Which headers pass in either direction, and which answers do (registry-clients.md §3, §4.4). */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isHtml } from '../content/media-type.ts';
import { type Digest, isDigest } from '../names/reference.ts';
import { isPlaceForBlobs, isRedirect } from '../upstream/redirect.ts';
import { retryAfterOf } from '../upstream/retry-after.ts';
import { isAskedPart, isOneRange, namesDigest } from '../wire/asked.ts';
import { NOBODYS } from '../wire/caching.ts';
import { CAUSES } from '../words.ts';
import type { Forward, ForwardFailure, ForwardKind } from './types.ts';

export type Passage =
  | { readonly kind: 'passes' }
  | {
      readonly kind: 'failed';
      readonly reason: ForwardFailure;
      readonly what: string;
      readonly retryAfter?: string | undefined;
    };

/**
 * What goes upstream of a client's headers. Everything else stays here: cookies, `Forwarded` and `X-Forwarded-*`
 * (which registries build URLs from), method and URL overrides, and every hop-by-hop header.
 */
const REQUEST_HEADERS: Readonly<Record<ForwardKind, readonly string[]>> = {
  // And `Range` and `If-None-Match` where they ask for what we can tell: see `toRequestHeaders`.
  blob: ['accept', 'user-agent', 'if-range'],
  referrers: ['accept', 'user-agent'],
  tags: ['accept', 'user-agent'],
  trust: ['user-agent'],
};

/** What goes back of an upstream's headers: never `Set-Cookie`, never a hop-by-hop header. */
const RESPONSE_HEADERS = [
  'accept-ranges',
  'content-length',
  'content-type',
  'docker-ratelimit-source',
  'etag',
  'last-modified',
  'oci-filters-applied',
  'ratelimit-limit',
  'ratelimit-remaining',
  'warning',
] as const;

export function toRequestHeaders(
  req: IncomingMessage,
  { kind, client, digest }: Forward,
  authorization: string | undefined,
): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = { host: client.baseUrl.host, 'accept-encoding': 'identity' };
  for (const name of REQUEST_HEADERS[kind]) {
    const value = req.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  if (kind === 'blob' && isOneRange(req.headers.range)) headers.range = req.headers.range;
  if (digest !== undefined && namesDigest(req.headers['if-none-match'], digest))
    headers['if-none-match'] = `"${digest}"`;
  if (authorization !== undefined) headers.authorization = authorization;
  return headers;
}

/** What of the client's request decides which answers it asked for. */
type AskedHeaders = Pick<IncomingMessage, 'headers'>;

/**
 * Whether an upstream's answer may go on at all. There are four that may: 200, a refusal from 400 to 499, and of a blob
 * what was asked for with the right header, or a redirect. Everything else is no answer, whatever it is.
 */
export function passageOf(answer: IncomingMessage, forward: Forward, asked: AskedHeaders): Passage {
  const { kind, client, digest } = forward;
  const status = answer.statusCode ?? 0;
  const isOurs = client.auth !== 'passthrough';
  if (isOurs && (status === 401 || status === 403)) return bad(CAUSES.refusedOurAccount(status));
  if (status >= 500) return bad(CAUSES.upstreamAnswered(status), retryAfterIn(answer));
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return bad(CAUSES.isCompressed);
  if (status >= 400) return PASSES;
  const isRight = status === 200 || (kind === 'blob' && isBlobAnswer(status, answer, forward, asked));
  if (!isRight) return bad(CAUSES.upstreamAnswered(status));
  if (isHtml(answer.headers['content-type']) && kind !== 'blob') return bad(CAUSES.isHtml);
  if (digest === undefined || !isOther(announcedBy(answer), digest)) return PASSES;
  return { kind: 'failed', reason: 'digest_mismatch', what: CAUSES.otherDigest };
}

function bad(what: string, retryAfter?: string): Passage {
  return { kind: 'failed', reason: 'registry_unreachable', what, retryAfter };
}

/**
 * The part that was asked for, "not modified" to a client that has this very digest, or another place: blobs may live
 * elsewhere, and the client goes there without our credentials and checks the digest (registry-clients.md §3). Nothing else
 * may redirect, because we would be sending clients past the proxy.
 */
function isBlobAnswer(
  status: number,
  { headers, socket }: IncomingMessage,
  { client: { baseUrl }, digest }: Forward,
  asked: AskedHeaders,
): boolean {
  if (status === 206) return isAskedPart(headers['content-range'], asked.headers.range);
  if (status === 304) return digest !== undefined && namesDigest(asked.headers['if-none-match'], digest);
  return isRedirect(status) && isPlaceForBlobs(headers.location, { baseUrl, peer: socket.remoteAddress });
}

function announcedBy({ headersDistinct }: IncomingMessage): string | undefined {
  return headersDistinct['docker-content-digest']?.join();
}

/** Registries announce SHA-256 also of what was asked for by another algorithm, which says nothing. */
function isOther(announced: string | undefined, digest: Digest): boolean {
  if (announced === undefined || announced === digest) return false;
  const isOfAnotherAlgorithm = isDigest(announced) && announced.split(':', 1)[0] !== digest.split(':', 1)[0];
  return !isOfAnotherAlgorithm;
}

function retryAfterIn({ headersDistinct }: IncomingMessage): string | undefined {
  return retryAfterOf(new Map([['retry-after', headersDistinct['retry-after'] ?? []]]));
}

const PASSES: Passage = { kind: 'passes' };

export function writeHeaders(answer: IncomingMessage, res: ServerResponse, forward: Forward): void {
  for (const name of RESPONSE_HEADERS) {
    const value = answer.headers[name];
    if (value !== undefined) res.setHeader(name, value);
  }
  // The registry's word on a digest counts where it is the one that was asked for.
  const { digest } = forward;
  if (digest !== undefined && announcedBy(answer) === digest) res.setHeader('docker-content-digest', digest);
  res.setHeader('docker-distribution-api-version', 'registry/2.0');
  const retryAfter = retryAfterIn(answer);
  if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter);
  const { location, link, 'content-range': part } = answer.headers;
  const status = answer.statusCode ?? 0;
  if (part !== undefined && (status === 206 || status === 416)) res.setHeader('content-range', part);
  writeCaching(answer, status, res, forward);
  if (isRedirect(status) && location !== undefined) res.setHeader('location', location);
  const ownLink = typeof link === 'string' ? forward.toLink?.(link) : undefined;
  if (ownLink !== undefined) res.setHeader('link', ownLink);
  // Line by line and unchanged: clients compute their token request from it (registry-clients.md §4.2).
  const challenges = answer.headersDistinct['www-authenticate'];
  if (status === 401 && challenges !== undefined) res.setHeader('www-authenticate', challenges);
}

/**
 * The upstream's own word counts for one kind of answer: what a trust server gives to everybody. All others depend on
 * the caller, or on an account that is not the caller's, which the upstream does not know.
 */
function writeCaching(
  { headers }: IncomingMessage,
  status: number,
  res: ServerResponse,
  { kind, client }: Forward,
): void {
  const cacheControl = headers['cache-control'];
  if (status >= 300 && status !== 304) res.setHeader('cache-control', NOBODYS);
  else if (kind === 'trust' && client.auth === 'anonymous' && cacheControl !== undefined) {
    res.setHeader('cache-control', cacheControl);
    res.removeHeader('vary');
  }
}
