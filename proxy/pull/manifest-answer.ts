/** Manifests as answers. What leaves is built from `Confirmed` alone, or is a refusal. */

import type { Confirmed } from '../content/confirmed.ts';
import { accepts, isImageType } from '../content/media-type.ts';
import { isSchema1 } from '../content/schema1.ts';
import type { Digest } from '../names/reference.ts';
import type { ImageConfigFailure } from '../registry/image-configs.ts';
import type { Announced } from '../registry/manifest.ts';
import type { SignedResult } from '../registry/signed-manifests.ts';
import type { HttpClient } from '../upstream/types.ts';
import { namesDigest } from '../wire/asked.ts';
import type { Response, Route } from '../wire/types.ts';
import { CAUSES } from '../words.ts';
import { type Exchange, elapsed, type Passing, record, refuse } from './exchange.ts';
import { goesElsewhere, holdImageConfig } from './image-config.ts';
import { type Failed, toRefusal } from './sentences.ts';
import { toImage } from './subject.ts';
import type { Answer } from './types.ts';

type ManifestRoute = Extract<Route, { kind: 'manifest' }>;

/** A manifest that passes: by digest, or by a tag no rule judges. */
export async function passManifest(
  exchange: Exchange,
  client: HttpClient,
  route: ManifestRoute,
  passing: Passing,
): Promise<Answer> {
  const { reference } = route;
  return reference.kind === 'digest'
    ? passDigest(exchange, client, { ...route, reference }, passing)
    : passTag(exchange, client, { ...route, reference }, passing);
}

type ByDigest = ManifestRoute & { readonly reference: { readonly kind: 'digest' } };
type ByTag = ManifestRoute & { readonly reference: { readonly kind: 'tag' } };

/** From memory, or from the registry: HEAD as well, because a HEAD has no bytes to compare. */
async function passDigest(
  exchange: Exchange,
  client: HttpClient,
  route: ByDigest,
  passing: Passing,
): Promise<Answer> {
  const { request, deps } = exchange;
  const { repository, reference } = route;
  const { digest } = reference;
  const kept = deps.manifests.recall(client, repository, digest, request);
  // If the client does not accept this type, the registry decides what to answer.
  if (kept !== undefined && accepts(request.accept, kept.mediaType))
    return give(exchange, client, route, passing, kept);
  const isKnown = namesDigest(request.ifNoneMatch, digest);
  const question = { digest, accept: request.accept, isKnown };
  const result = await deps.manifests.fetchByDigest(client, repository, question, request);
  if (result.kind !== 'unmodified') return answerWith(exchange, client, route, passing, result);
  record(exchange, route, { ...passing, compared: false, durationMs: elapsed(exchange) });
  return respond(notModified(digest));
}

async function passTag(
  exchange: Exchange,
  client: HttpClient,
  route: ByTag,
  passing: Passing,
): Promise<Answer> {
  const { request, deps } = exchange;
  const { method, accept } = request;
  const question = { tag: route.reference.tag, method, accept };
  const result = await deps.manifests.fetchByTag(client, route.repository, question, request);
  if (result.kind !== 'announced') return answerWith(exchange, client, route, passing, result);
  record(exchange, route, { ...passing, compared: false, durationMs: elapsed(exchange) });
  return respond(toHeadResponse(result));
}

function answerWith(
  exchange: Exchange,
  client: HttpClient,
  route: ManifestRoute,
  passing: Passing,
  result: SignedResult,
): Answer | Promise<Answer> {
  switch (result.kind) {
    case 'manifest':
      return give(exchange, client, route, passing, result.manifest);
    case 'relayed':
      // A 401 comes before there is a pull.
      if (result.response.status !== 401)
        record(exchange, route, { ...passing, compared: false, durationMs: elapsed(exchange) });
      return respond(result.response);
    case 'failed':
      return respond(refuseManifest(exchange, route, result, passing));
  }
}

/** A manifest we have; where the client needs it so, only together with what it names. */
async function give(
  exchange: Exchange,
  client: HttpClient,
  route: ManifestRoute,
  passing: Passing,
  manifest: Confirmed,
): Promise<Answer> {
  const failure = isUnreadable(exchange, route, manifest)
    ? ({ kind: 'failed', reason: 'registry_unreachable', what: CAUSES.noImage } as const)
    : await holdImageConfig(exchange, client, route, manifest);
  if (failure?.kind === 'relayed') return respond(failure.response);
  if (failure !== undefined) return respond(refuseManifest(exchange, route, failure, passing));
  const compared = route.reference.kind === 'digest';
  record(exchange, route, { ...passing, compared, durationMs: elapsed(exchange) });
  return respond(toManifestResponse(manifest, exchange.request.ifNoneMatch));
}

/** A daemon with a mirror asks the public registry when it cannot read what it got (registry-clients.md §1.4). */
function isUnreadable(exchange: Exchange, route: ManifestRoute, { mediaType }: Confirmed): boolean {
  return goesElsewhere(exchange, route) && !isImageType(mediaType) && !isSchema1(mediaType);
}

/** The headers clients need, exact, and the same on HEAD (registry-clients.md §3). */
export function toManifestResponse(
  { digest, mediaType, bytes }: Confirmed,
  ifNoneMatch: string | undefined,
): Response {
  // Compared with the digest served, never with what the registry has under the tag (registry-clients.md §6.2).
  if (namesDigest(ifNoneMatch, digest)) return notModified(digest);
  const headers = headersOf(digest);
  headers.set('Content-Type', mediaType);
  headers.set('Content-Length', String(bytes.length));
  return { status: 200, reasonPhrase: undefined, headers, body: bytes };
}

function toHeadResponse({ digest, mediaType, length }: Announced): Response {
  const headers = headersOf(digest);
  headers.set('Content-Type', mediaType);
  headers.set('Content-Length', length);
  return { status: 200, reasonPhrase: undefined, headers, body: undefined };
}

function notModified(digest: Digest): Response {
  return { status: 304, reasonPhrase: undefined, headers: headersOf(digest), body: undefined };
}

function headersOf(digest: Digest): Map<string, string> {
  return new Map([
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
    ['Docker-Content-Digest', digest],
    ['ETag', `"${digest}"`],
  ]);
}

/** Refuses a manifest that, or whose configuration, cannot be fetched. */
function refuseManifest(
  exchange: Exchange,
  route: ManifestRoute,
  failure: Failed | Extract<ImageConfigFailure, { kind: 'failed' }>,
  passing: Passing,
): Response {
  record(exchange, route, { ...passing, reason: failure.reason, durationMs: elapsed(exchange) });
  const refusal = toRefusal(toImage(route), failure);
  return refuse(exchange, refusal, { rule: passing.rule, gun: route.gun });
}

function respond(response: Response): Answer {
  return { kind: 'respond', response };
}
