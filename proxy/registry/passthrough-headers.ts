/** Which headers pass in either direction, and which answers do (registry-clients.md §3, §4.4). */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { NOBODYS } from './caching.ts';
import type { Forward, ForwardFailure, ForwardKind } from './passthrough.ts';

export type Verdict =
  | { readonly kind: 'passes' }
  | { readonly kind: 'failed'; readonly reason: ForwardFailure; readonly what: string };

/**
 * What goes upstream of a client's headers. Everything else stays here: cookies, `Forwarded` and `X-Forwarded-*`
 * (which registries build URLs from), method and URL overrides, and every hop-by-hop header.
 */
const REQUEST_HEADERS: Readonly<Record<ForwardKind, readonly string[]>> = {
  // A tag's conditional request would be answered from the registry's view of the tag; a digest has only one.
  manifest: ['accept', 'user-agent'],
  blob: ['accept', 'user-agent', 'range', 'if-range', 'if-none-match'],
  referrers: ['accept', 'user-agent'],
  tags: ['accept', 'user-agent'],
  trust: ['user-agent'],
};

/** What goes back of an upstream's headers: never `Set-Cookie`, never a hop-by-hop header. */
const RESPONSE_HEADERS = [
  'accept-ranges',
  'content-length',
  'content-range',
  'content-type',
  'docker-content-digest',
  'docker-ratelimit-source',
  'etag',
  'last-modified',
  'oci-filters-applied',
  'ratelimit-limit',
  'ratelimit-remaining',
  'retry-after',
  'warning',
] as const;

export function toRequestHeaders(
  req: IncomingMessage,
  { kind, client, digest }: Forward,
  authorization: string | undefined,
): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = { host: client.baseUrl.host, 'accept-encoding': 'identity' };
  const names = digest === undefined ? REQUEST_HEADERS[kind] : [...REQUEST_HEADERS[kind], 'if-none-match'];
  for (const name of names) {
    const value = req.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  if (authorization !== undefined) headers.authorization = authorization;
  return headers;
}

/** Whether an upstream's answer may go on at all. */
export function verdictOn(answer: IncomingMessage, { kind, client, digest }: Forward): Verdict {
  const status = answer.statusCode ?? 0;
  const bad = (what: string): Verdict => ({
    kind: 'failed',
    reason: 'registry_unreachable',
    what: `the upstream ${what}`,
  });
  const isOurs = client.auth !== 'passthrough';
  if (isOurs && (status === 401 || status === 403)) return bad(`refused our account (${status})`);
  if (status < 200 || status >= 500) return bad(`answered ${status}`);
  if (status >= 300 && status < 400 && status !== 304) {
    // Blobs may live elsewhere: the client goes there without our credentials and checks the digest (§3). Nothing
    // else may, because we would be sending clients past the proxy.
    return kind === 'blob' && isAbsolute(answer.headers.location)
      ? PASSES
      : bad(`answered ${status}, a redirect`);
  }
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return bad('sent a compressed answer');
  const announced = answer.headers['docker-content-digest'];
  if (digest !== undefined && status === 200 && announced !== undefined && announced !== digest) {
    return {
      kind: 'failed',
      reason: 'digest_mismatch',
      what: 'the registry announced another digest than was asked for',
    };
  }
  return PASSES;
}

const PASSES: Verdict = { kind: 'passes' };

export function writeHeaders(answer: IncomingMessage, res: ServerResponse, forward: Forward): void {
  for (const name of RESPONSE_HEADERS) {
    const value = answer.headers[name];
    if (value !== undefined) res.setHeader(name, value);
  }
  res.setHeader('docker-distribution-api-version', 'registry/2.0');
  const { location, link } = answer.headers;
  const status = answer.statusCode ?? 0;
  writeCaching(answer, status, res, forward);
  if (status >= 300 && status < 400 && location !== undefined) res.setHeader('location', location);
  const ownLink = typeof link === 'string' ? forward.toLink?.(link) : undefined;
  if (ownLink !== undefined) res.setHeader('link', ownLink);
  // Line by line and unchanged: clients compute their token request from it (§4.2).
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

function isAbsolute(location: string | undefined): boolean {
  return location !== undefined && /^https?:\/\//i.test(location);
}
