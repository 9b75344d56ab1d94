/** What a route is about, in the words of records and sentences. */
import type { TagOrDigest } from '../wire/types.ts';
import type { RepositoryRoute } from './exchange.ts';

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
