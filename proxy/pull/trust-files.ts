/**
 * `_trust/tuf` for clients that read signatures themselves (Docker CLI up to 28), with this proxy as their trust server
 * (registry-clients.md §3). The files prove themselves to such a client, so no rule is asked.
 */

import type { Forward } from '../forward/types.ts';
import { hasDigest } from '../names/digest.ts';
import { pullScope } from '../registry/manifest.ts';
import type { HttpClient } from '../upstream/types.ts';
import { IMMUTABLE } from '../wire/caching.ts';
import type { Response, Route } from '../wire/types.ts';
import { SENTENCES, sayFailed } from '../words.ts';
import { type Exchange, refuse } from './exchange.ts';
import type { Answer, TrustFile } from './types.ts';

type TrustRoute = Extract<Route, { kind: 'trust' }>;

/** Longest file kept, in bytes; a longer one streams by each time. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;
/** `targets.<sha256>.json`: the name says what is in it, so it never changes. */
const BY_HASH = /\.([a-f0-9]{64})\.json$/;

export function answerTrust(exchange: Exchange, registry: HttpClient | undefined, route: TrustRoute): Answer {
  const { config, deps, request } = exchange;
  const server = config.trustServers.get(route.registry);
  // What our own account may read there is shown only to those the registry itself lets in.
  const isOurs = server?.auth === 'basic' && registry?.auth === 'passthrough';
  const isOpen = !isOurs || deps.isGranted({ ...route, authorization: request.authorization });
  if (server === undefined || !isOpen) {
    const message = SENTENCES.trustIsPrivate(route.gun);
    return {
      kind: 'respond',
      response: refuse(exchange, { reason: 'no_trust_data', message }, { gun: route.gun }),
    };
  }
  const kept = recall(exchange, server, route);
  if (kept !== undefined) return { kind: 'respond', response: toResponse(kept, route, server) };
  return { kind: 'forward', forward: toForward(exchange, server, route) };
}

/** A file whose name fixes its bytes for good; any other one for no longer than verified trust counts as fresh. */
function recall(
  { deps, config }: Exchange,
  server: HttpClient,
  { gun, file }: TrustRoute,
): TrustFile | undefined {
  const maxAgeMs = BY_HASH.test(file) ? Number.POSITIVE_INFINITY : config.trustRefreshMs;
  return deps.trustFiles.get({ gun: ownerOf(server, gun), file }, maxAgeMs);
}

/** A cache key, so that after a reload no file of another server, or of another account, is served. */
function ownerOf({ auth, baseUrl }: HttpClient, gun: string): string {
  return `${auth} ${baseUrl.href} ${gun}`;
}

function toForward(exchange: Exchange, client: HttpClient, { gun, file }: TrustRoute): Forward {
  const { trustFiles } = exchange.deps;
  const [, hash] = BY_HASH.exec(file) ?? [];
  // Its age counts from before the question: what is current may change while the answer is on its way.
  const askedAt = trustFiles.now();
  return {
    kind: 'trust',
    client,
    path: `/v2/${gun}/_trust/tuf/${file}`,
    scope: pullScope(gun),
    keep: {
      maxBytes: MAX_KEPT_BYTES,
      onWhole: ({ bytes, contentType }) => {
        const isWhatItSays = hash === undefined || hasDigest(bytes, `sha256:${hash}`);
        if (isWhatItSays)
          trustFiles.set({ gun: ownerOf(client, gun), file }, { bytes, contentType }, askedAt);
      },
    },
    onServed: () => undefined,
    onFailed: (_reason, what, retryAfter) => {
      const message = sayFailed(`the trust data of ${gun}`, 'trust_unreachable', what);
      return refuse(exchange, { reason: 'trust_unreachable', message, retryAfter }, { gun });
    },
  };
}

/** Shared caches may keep files that anyone may read and that never change; files of an account only its caller may keep. */
function toResponse({ bytes, contentType }: TrustFile, { file }: TrustRoute, server: HttpClient): Response {
  const isForAll = server.auth === 'anonymous' && BY_HASH.test(file);
  const headers = new Map([
    ...(isForAll ? [['Cache-Control', IMMUTABLE] as const] : []),
    ['Content-Type', contentType ?? 'application/json'],
    ['Content-Length', String(bytes.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]);
  return { status: 200, reasonPhrase: undefined, headers, body: bytes };
}
