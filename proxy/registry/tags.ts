/**
 * `tags/list`: the registry's list, page by page, cut down to what a pull would be given (registry-clients.md §3).
 * Paging towards the client is our own, because some registries ignore `n` and `last`.
 */
import { readBody } from './body.ts';
import { UpstreamError } from './errors.ts';
import { type HttpClient, headerOf, type UpstreamResponse } from './http-client.ts';
import { parseNextQuery } from './link.ts';
import { type Caller, pullScope } from './manifest.ts';
import { isTag } from './reference.ts';
import { toRelayed } from './relay.ts';
import { retryAfterOf } from './retry-after.ts';
import type { Response, Route } from './types.ts';

export type TagListRoute = Extract<Route, { kind: 'tags' }>;

export type TagsResult =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  | { readonly kind: 'relayed'; readonly response: Response }
  | {
      readonly kind: 'failed';
      readonly reason: 'registry_unreachable';
      readonly what: string;
      /** The registry's own Retry-After. */
      readonly retryAfter?: string | undefined;
    };

/** Bounds of one list: all pages together in bytes, pages, names, and names asked for at a time. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 500;
const MAX_TAGS = 200_000;
const PAGE_SIZE = 1000;

/** Every name in the registry's list, with the caller's credentials or our own. Throws nothing an upstream can cause. */
export async function fetchTags(
  client: HttpClient,
  repository: string,
  caller: Caller = {},
): Promise<TagsResult> {
  const tags: string[] = [];
  const seen = new Set<string>();
  let bytesLeft = MAX_LIST_BYTES;
  let query: string | undefined = `n=${PAGE_SIZE}`;
  try {
    while (query !== undefined) {
      if (seen.has(query) || seen.size >= MAX_PAGES || tags.length > MAX_TAGS)
        return failed('sent a list without end');
      seen.add(query);
      const options = { headers: { accept: 'application/json' }, scope: pullScope(repository), ...caller };
      const page = await client.get(`${listPath(repository)}?${query}`, options);
      if (page.status !== 200) return await toRefusal(client, page);
      const bytes = await readBody(page.body, bytesLeft, caller.signal);
      bytesLeft -= bytes.length;
      const names = parseNames(bytes);
      if (names === undefined) return failed('sent something that is not a tag list');
      for (const name of names) tags.push(name);
      query = parseNextQuery(headerOf(page.headers, 'link'), client.baseUrl, listPath(repository));
    }
  } catch (error) {
    if (error instanceof UpstreamError)
      return failed(`did not give an answer (${error.kind})`, error.retryAfter);
    throw error;
  }
  return { kind: 'tags', tags };
}

export function listPath(repository: string): string {
  return `/v2/${repository}/tags/list`;
}

/** What the client gets: the names `isShown` lets through, sorted, from after `last` on, at most `n`. */
export function toTagList(
  tags: readonly string[],
  isShown: (tag: string) => boolean,
  route: TagListRoute,
): Response {
  const shown = [...new Set(tags)].filter((tag) => isTag(tag) && isShown(tag)).sort();
  const { n, last } = route;
  const rest = last === undefined ? shown : shown.filter((tag) => tag > last);
  const page = n === undefined ? rest : rest.slice(0, n);
  const body = Buffer.from(JSON.stringify({ name: route.repository, tags: page }));
  const headers = new Map([
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]);
  const end = page.at(-1);
  if (end !== undefined && page.length < rest.length) headers.set('Link', toLink(route, end, n));
  return { status: 200, reasonPhrase: undefined, headers, body };
}

/** Relative, back to where the client asked, never to the upstream (§4.4). */
export function toLink({ path, ns }: TagListRoute, last: string, n: number | undefined): string {
  const query = new URLSearchParams({
    last,
    ...(n === undefined ? {} : { n: String(n) }),
    ...(ns === undefined ? {} : { ns }),
  });
  return `<${path}?${query}>; rel="next"`;
}

async function toRefusal(client: HttpClient, page: UpstreamResponse): Promise<TagsResult> {
  const { status } = page;
  const isAnswer =
    status === 404 || status === 429 || (client.auth === 'passthrough' && [401, 403].includes(status));
  if (isAnswer) return { kind: 'relayed', response: await toRelayed(page) };
  page.body.destroy();
  return failed(`answered ${status}`, retryAfterOf(page.headers));
}

/** @returns undefined when it is no tag list. */
function parseNames(bytes: Uint8Array): readonly string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('tags' in parsed)) return undefined;
    // A repository without tags is listed as `null` by distribution.
    if (parsed.tags === null) return [];
    if (!Array.isArray(parsed.tags)) return undefined;
    return parsed.tags.filter((tag): tag is string => typeof tag === 'string');
  } catch {
    return undefined;
  }
}

function failed(what: string, retryAfter?: string): TagsResult {
  return { kind: 'failed', reason: 'registry_unreachable', what: `the registry ${what}`, retryAfter };
}
