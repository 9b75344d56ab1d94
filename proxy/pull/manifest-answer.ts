/** A manifest we have, as an answer. */
import type { HttpClient } from '../registry/http-client.ts';
import type { ConfigFailure } from '../registry/image-configs.ts';
import { accepts } from '../registry/media-type.ts';
import type { Response, Route, SignedManifest } from '../registry/types.ts';
import { type Exchange, elapsed, type Passing, record, refuse } from './exchange.ts';
import { holdConfig } from './image-config.ts';
import { toSentence } from './sentences.ts';
import { toImage } from './subject.ts';
import type { Answer } from './types.ts';

type NamedRoute = Exclude<Route, { kind: 'base' }>;

/** A manifest asked for by digest, from memory; undefined: its registry has to be asked. */
export async function recallManifest(
  exchange: Exchange,
  client: HttpClient,
  route: NamedRoute,
  passing: Passing,
): Promise<Answer | undefined> {
  if (route.kind !== 'manifest' || route.reference.kind === 'tag') return undefined;
  const { request, deps } = exchange;
  const { repository, reference } = route;
  const manifest = deps.manifests.recall(client, repository, reference.digest, request);
  // What another type would be refused with is the registry's to say.
  if (manifest === undefined || !accepts(request.accept, manifest.mediaType)) return undefined;
  const failure = await holdConfig(exchange, client, route, manifest);
  if (failure !== undefined)
    return { kind: 'respond', response: refuseManifest(exchange, route, failure, passing) };
  record(exchange, route, { ...passing, durationMs: elapsed(exchange) });
  return { kind: 'respond', response: toManifestResponse(manifest, request.ifNoneMatch) };
}

/** The headers clients need, exact, and the same on HEAD (registry-clients.md §3). */
export function toManifestResponse(
  { digest, mediaType, bytes }: SignedManifest,
  ifNoneMatch: string | undefined,
): Response {
  const headers = new Map([
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
    ['Docker-Content-Digest', digest],
    ['ETag', `"${digest}"`],
  ]);
  // Compared with the signed digest, never with what the registry has under the tag (§6.2).
  const isKnown = ifNoneMatch?.split(',').some((tag) => tag.trim() === `"${digest}"`) ?? false;
  if (isKnown) return { status: 304, reasonPhrase: undefined, headers, body: undefined };
  headers.set('Content-Type', mediaType);
  headers.set('Content-Length', String(bytes.length));
  return { status: 200, reasonPhrase: undefined, headers, body: bytes };
}

/** A manifest that is there and cannot be given away, because what it names is not. */
export function refuseManifest(
  exchange: Exchange,
  route: Extract<NamedRoute, { kind: 'manifest' }>,
  failure: ConfigFailure,
  passing: Passing,
): Response {
  if (failure.kind === 'relayed') return failure.response;
  const { reason, what } = failure;
  record(exchange, route, { ...passing, reason, durationMs: elapsed(exchange) });
  const message = toSentence(toImage(route), reason, what);
  return refuse(exchange, { reason, message }, { rule: passing.rule, gun: route.gun });
}
