/** Step 8 for what passes: where a route leads upstream, and what is recorded of it. */

import type { Forward, ForwardFailure } from '../forward/types.ts';
import { pullScope } from '../registry/manifest.ts';
import {
  fetchTaggedReferrers,
  isRouteUnknown,
  REFERRERS_DEADLINE_MS,
  referrersList,
  referrersPath,
  refuseSubject,
  toReferrersIndex,
  toReferrersLink,
} from '../registry/referrers.ts';
import { listPath, type TagListRoute, toLink } from '../registry/tags.ts';
import { withDeadline } from '../upstream/deadline.ts';
import { toFailure, UpstreamError } from '../upstream/errors.ts';
import type { HttpClient } from '../upstream/types.ts';
import { parseNextQuery } from '../wire/link.ts';
import type { Response } from '../wire/types.ts';
import { CAUSES, sayFailed } from '../words.ts';
import { type Exchange, elapsed, type Passing, type RepositoryRoute, record, refuse } from './exchange.ts';
import { ANY_TAG, referenceOf, toImage } from './subject.ts';
import type { Answer } from './types.ts';

/** Manifests are read and compared (manifest-answer.ts); none is handed on. */
type ForwardedRoute = Exclude<RepositoryRoute, { kind: 'trust' | 'manifest' }>;

/** Hands a request on to its registry. */
export function toForward(
  exchange: Exchange,
  client: HttpClient,
  route: ForwardedRoute,
  passing: Passing,
): Answer {
  const { registry, repository, gun } = route;
  const reference = referenceOf(route);
  const durationMs = elapsed(exchange);
  const subject = { registry, repository, reference: reference ?? ANY_TAG };
  const forward: Forward = {
    client,
    scope: pullScope(repository),
    ...target(exchange, route, client, passing),
    // Manifests are the decision; what follows them would only repeat it.
    onServed: () => undefined,
    onFailed: (reason: ForwardFailure, what, retryAfter) => {
      record(exchange, subject, { ...passing, reason, durationMs });
      const message = sayFailed(toImage(route), reason, what);
      return refuse(exchange, { reason, message, retryAfter }, { rule: passing.rule, gun });
    },
  };
  return { kind: 'forward', forward };
}

type Target = Pick<Forward, 'kind' | 'path' | 'digest' | 'toLink' | 'onRefused'>;

function target(exchange: Exchange, route: ForwardedRoute, client: HttpClient, passing: Passing): Target {
  const { repository } = route;
  switch (route.kind) {
    case 'blob':
      return { kind: route.kind, path: `/v2/${repository}/blobs/${route.digest}`, digest: route.digest };
    case 'referrers':
      return {
        kind: route.kind,
        path: referrersPath(route),
        toLink: (link) => {
          const next = parseNextQuery(link, client.baseUrl, referrersList(repository, route.digest));
          return next === undefined ? undefined : toReferrersLink(route, next);
        },
        onRefused: async (refusal) =>
          isRouteUnknown(refusal) ? listReferrers(exchange, client, route, passing, refusal) : refusal,
      };
    case 'tags':
      return {
        kind: 'tags',
        path: listPath(repository) + toListQuery(route),
        toLink: (link) => toOwnLink(link, client, route),
      };
  }
}

/** In place of a registry that has no such route: an index, for those who may read what it is about. */
async function listReferrers(
  exchange: Exchange,
  client: HttpClient,
  route: Extract<ForwardedRoute, { kind: 'referrers' }>,
  passing: Passing,
  refusal: Response,
): Promise<Response> {
  const { deps, request } = exchange;
  const { authorization } = request;
  const isKnown = client.auth !== 'passthrough' || deps.isGranted({ ...route, authorization });
  const work = async (signal: AbortSignal): Promise<Response> => {
    const caller = { authorization, signal };
    const refused = isKnown ? undefined : await refuseSubject(client, route, caller, refusal);
    if (refused !== undefined) return refused;
    // Under enforcement the tag they would be in is not signed, and unsigned tags are invisible.
    const listed = passing.mode === 'enforce' ? [] : await fetchTaggedReferrers(client, route, caller);
    return toReferrersIndex(listed, route.artifactType);
  };
  try {
    return await withDeadline(REFERRERS_DEADLINE_MS, request.signal, work);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    const { reason, what } = toFailure(error, CAUSES.noAnswer(error.kind));
    const message = sayFailed(toImage(route), reason, what);
    return refuse(exchange, { reason, message }, { rule: passing.rule, gun: route.gun });
  }
}

function toListQuery({ n, last }: TagListRoute): string {
  const query = new URLSearchParams({
    ...(n === undefined ? {} : { n: String(n) }),
    ...(last === undefined ? {} : { last }),
  });
  return query.size === 0 ? '' : `?${query}`;
}

/** Only a position our own grammar can carry goes on; a registry's opaque one would be refused when it comes back. */
function toOwnLink(link: string, client: HttpClient, route: TagListRoute): string | undefined {
  const next = parseNextQuery(link, client.baseUrl, listPath(route.repository));
  const query = new URLSearchParams(next ?? '');
  const last = query.get('last');
  const n = Number(query.get('n') ?? Number.NaN);
  return last === null ? undefined : toLink(route, last, Number.isSafeInteger(n) ? n : undefined);
}
