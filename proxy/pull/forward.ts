/** Step 8 for what passes: where a route leads upstream, and what is recorded of it. */
import type { HttpClient } from '../registry/http-client.ts';
import { manifestPath, pullScope } from '../registry/manifest.ts';
import type { Forward, ForwardFailure } from '../registry/passthrough.ts';
import { listPath, parseNext, type TagListRoute, toLink } from '../registry/tags.ts';
import type { TagOrDigest } from '../registry/types.ts';
import {
  type Exchange,
  elapsed,
  type RepositoryRoute,
  type Ruled,
  record,
  refuse,
  type Verdict,
} from './exchange.ts';
import { toSentence } from './sentences.ts';
import type { Answer } from './types.ts';

type Passing = Ruled & Pick<Verdict, 'reason' | 'would' | 'outcome'>;
type ForwardedRoute = Exclude<RepositoryRoute, { kind: 'trust' }>;

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
    ...target(route, client),
    onServed: (status) => {
      // Manifests are the decision; their blobs would only repeat it, and a 401 comes before there is a pull.
      if (route.kind === 'manifest' && status !== 401) record(exchange, subject, { ...passing, durationMs });
    },
    onFailed: (reason: ForwardFailure, what) => {
      record(exchange, subject, { ...passing, reason, durationMs });
      const message = toSentence(toImage(route), reason, what);
      return refuse(exchange, { reason, message }, { rule: passing.rule, gun });
    },
  };
  return { kind: 'forward', forward };
}

/** A metadata file for a client that reads signatures itself; they prove themselves, so no rule is asked. */
export function toTrustForward(
  exchange: Exchange,
  client: HttpClient,
  { gun, file }: Extract<RepositoryRoute, { kind: 'trust' }>,
): Answer {
  const forward: Forward = {
    kind: 'trust',
    client,
    path: `/v2/${gun}/_trust/tuf/${file}`,
    scope: pullScope(gun),
    onServed: () => undefined,
    onFailed: (_reason, what) => {
      const message = toSentence(`the trust data of ${gun}`, 'trust_unreachable', what);
      return refuse(exchange, { reason: 'trust_unreachable', message }, { gun });
    },
  };
  return { kind: 'forward', forward };
}

/** What the route is about, in the words of a record; a list is about no single tag. */
export function referenceOf(route: RepositoryRoute): TagOrDigest | undefined {
  switch (route.kind) {
    case 'manifest':
      return route.reference;
    case 'blob':
    case 'referrers':
      return { kind: 'digest', digest: route.digest };
    case 'tags':
    case 'trust':
      return undefined;
  }
}

/** Stands for "every tag" in the record of a refused list. */
export const ANY_TAG: TagOrDigest = { kind: 'tag', tag: '*' };

export function toImage(route: RepositoryRoute): string {
  const reference = referenceOf(route);
  if (reference === undefined) return route.gun;
  return reference.kind === 'tag' ? `${route.gun}:${reference.tag}` : `${route.gun}@${reference.digest}`;
}

function target(
  route: ForwardedRoute,
  client: HttpClient,
): Pick<Forward, 'kind' | 'path' | 'digest' | 'toLink'> {
  const { repository } = route;
  switch (route.kind) {
    case 'manifest': {
      const { reference } = route;
      if (reference.kind === 'tag')
        return { kind: route.kind, path: manifestPath(repository, reference.tag) };
      return { kind: route.kind, path: manifestPath(repository, reference.digest), digest: reference.digest };
    }
    case 'blob':
      return { kind: route.kind, path: `/v2/${repository}/blobs/${route.digest}` };
    case 'referrers': {
      const query =
        route.artifactType === undefined
          ? ''
          : `?${new URLSearchParams({ artifactType: route.artifactType })}`;
      return { kind: route.kind, path: `/v2/${repository}/referrers/${route.digest}${query}` };
    }
    case 'tags':
      return {
        kind: 'tags',
        path: listPath(repository) + toListQuery(route),
        toLink: (link) => rewrite(link, client, route),
      };
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
function rewrite(link: string, client: HttpClient, route: TagListRoute): string | undefined {
  const next = parseNext(link, client.baseUrl, route.repository);
  const query = new URLSearchParams(next ?? '');
  const last = query.get('last');
  const n = Number(query.get('n') ?? Number.NaN);
  return last === null ? undefined : toLink(route, last, Number.isSafeInteger(n) ? n : undefined);
}
