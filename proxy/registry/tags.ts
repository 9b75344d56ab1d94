/**
 * `tags/list`: the registry's list, page by page, cut down to what a pull would be given (registry-clients.md §3).
 * Paging towards the client is our own, because some registries ignore `n` and `last`, and some do not sort: a walk
 * ends early only where the registry's order was seen (docs/decisions/tag-lists-are-walked-lazily.md).
 */

import { hasTooManyValues } from '../content/json-members.ts';
import { GATHERED_BYTES } from '../limits.ts';
import { toClientKey } from '../names/client-key.ts';
import { isTag } from '../names/reference.ts';
import { type BodyLease, BodyRoom } from '../upstream/body-room.ts';
import { toFailure, UpstreamError, type UpstreamFailure } from '../upstream/errors.ts';
import { headerOf } from '../upstream/headers.ts';
import { withBody } from '../upstream/held-body.ts';
import { toRelayed } from '../upstream/relay.ts';
import { retryAfterOf } from '../upstream/retry-after.ts';
import type { HttpClient, UpstreamResponse } from '../upstream/types.ts';
import { parseNextQuery } from '../wire/link.ts';
import type { Response, Route } from '../wire/types.ts';
import { CAUSES } from '../words.ts';
import { type Caller, pullScope } from './manifest.ts';
import { type Collected, type Collection, createCollection } from './tag-collection.ts';

export type TagListRoute = Extract<Route, { kind: 'tags' }>;

/** What the client asked for: from after `last` on, at most `n`. */
export type TagsWanted = Pick<TagListRoute, 'repository' | 'n' | 'last'>;

export type TagsResult =
  | ({ readonly kind: 'tags' } & Collected)
  | { readonly kind: 'relayed'; readonly response: Response }
  | ({ readonly kind: 'failed' } & UpstreamFailure);

type Page =
  | { readonly kind: 'page'; readonly next: string | undefined }
  | Exclude<TagsResult, { kind: 'tags' }>;

/** Bounds of one list: all pages together in bytes, pages, names, and names asked for at a time. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;
/** Names in one page, some registries send a whole list as one; reading so many takes 20 ms. */
const MAX_NAMES_OF_PAGE = 200_000;
const MAX_PAGES = 500;
const MAX_TAGS = 200_000;
const PAGE_SIZE = 1000;

/**
 * For what lists have gathered when their next page is asked for. Shared out among the clients that ask for them: one
 * may ask for as many as it likes, each from another name on, and in a large repository each holds thousands of names.
 */
const GATHERED = new BodyRoom({ maxBytes: { list: GATHERED_BYTES } });

/** @param client the address that asks. */
type ListCaller = Caller & { readonly client?: string };

/**
 * The names `isShown` lets through, with the caller's credentials or our own. Throws nothing an upstream can cause.
 *
 * @param isShown is asked in pieces, between which others have their turn.
 */
export async function fetchTags(
  client: HttpClient,
  wanted: TagsWanted,
  isShown: (tag: string) => boolean,
  { client: address, ...caller }: ListCaller = {},
): Promise<TagsResult> {
  const gathered = GATHERED.open(toClientKey(address), 'list');
  try {
    return await walk(createReader(client, wanted.repository, caller, gathered), wanted, isShown);
  } finally {
    gathered.end();
  }
}

async function walk(
  read: (query: string, into: Collection) => Promise<Page>,
  wanted: TagsWanted,
  isShown: (tag: string) => boolean,
): Promise<TagsResult> {
  const { n, last } = wanted;
  const isShownTag = (tag: string): boolean => isTag(tag) && isShown(tag);
  const found = createCollection(wanted, isShownTag);
  let page: Page = await read(`n=${PAGE_SIZE}`, found);
  if (page.kind !== 'page') return page;
  if (n !== undefined && last !== undefined && page.next !== undefined && found.isBefore(last)) {
    const jumped = createCollection(wanted, isShownTag, last);
    let ahead = await read(`n=${PAGE_SIZE}&last=${encodeURIComponent(last)}`, jumped);
    for (; ahead.kind === 'page'; ahead = await read(ahead.next, jumped)) {
      if (!jumped.isInOrder()) break;
      if (ahead.next === undefined || jumped.isEnough()) return { kind: 'tags', ...jumped.take() };
    }
    // The registry does not know `last`, or not as we do: every page it is.
  }
  while (page.next !== undefined && !found.isEnough()) {
    page = await read(page.next, found);
    if (page.kind !== 'page') return page;
  }
  return { kind: 'tags', ...found.take() };
}

/** Asks for pages, within the bounds of one list, and adds their names; they are held until they were looked at. */
function createReader(client: HttpClient, repository: string, caller: Caller, gathered: BodyLease) {
  const collections = new Set<Collection>();
  const seen = new Set<string>();
  let bytesLeft = MAX_LIST_BYTES;
  let tagsLeft = MAX_TAGS;
  const path = listPath(repository);
  const options = { headers: { accept: 'application/json' }, scope: pullScope(repository), ...caller };

  return async (query: string, into: Collection): Promise<Page> => {
    if (seen.has(query) || seen.size >= MAX_PAGES || tagsLeft < 0) return failed(CAUSES.endlessList);
    seen.add(query);
    try {
      const page = await client.get(`${path}?${query}`, options);
      if (page.status !== 200) return await toRefusal(client, page);
      const limits = { maxBytes: bytesLeft, signal: caller.signal, need: 'list' } as const;
      return await withBody(client, page, limits, async (bytes) => {
        bytesLeft -= bytes.length;
        const names = parseNames(bytes);
        if (names === undefined) return failed(CAUSES.noList);
        tagsLeft -= names.length;
        await into.add(names);
        const held = [...collections.add(into)].reduce((sum, each) => sum + each.bytes(), 0);
        if (!gathered.tryGrow(held)) throw new UpstreamError('no_room', CAUSES.noRoomForBodies);
        return { kind: 'page', next: parseNextQuery(headerOf(page.headers, 'link'), client.baseUrl, path) };
      });
    } catch (error) {
      if (error instanceof UpstreamError) {
        return { kind: 'failed', ...toFailure(error, CAUSES.noAnswer(error.kind)) };
      }
      throw error;
    }
  };
}

export function listPath(repository: string): string {
  return `/v2/${repository}/tags/list`;
}

/** What the client gets. */
export function toTagList({ tags, isCut }: Collected, route: TagListRoute): Response {
  const body = Buffer.from(JSON.stringify({ name: route.repository, tags }));
  const headers = new Map([
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]);
  const end = tags.at(-1);
  if (end !== undefined && isCut) headers.set('Link', toLink(route, end, route.n));
  return { status: 200, reasonPhrase: undefined, headers, body };
}

/** Relative, back to where the client asked, never to the upstream (registry-clients.md §4.4). */
export function toLink({ path, ns }: TagListRoute, last: string, n: number | undefined): string {
  const query = new URLSearchParams({
    last,
    ...(n === undefined ? {} : { n: String(n) }),
    ...(ns === undefined ? {} : { ns }),
  });
  return `<${path}?${query}>; rel="next"`;
}

async function toRefusal(
  client: HttpClient,
  page: UpstreamResponse,
): Promise<Exclude<Page, { kind: 'page' }>> {
  const { status } = page;
  const isAnswer =
    status === 404 || status === 429 || (client.auth === 'passthrough' && [401, 403].includes(status));
  if (isAnswer) return { kind: 'relayed', response: await toRelayed(client, page) };
  page.body.destroy();
  return failed(CAUSES.answered(status), retryAfterOf(page.headers));
}

/** @returns undefined when it is no tag list. */
function parseNames(bytes: Uint8Array): readonly string[] | undefined {
  if (hasTooManyValues(bytes, MAX_NAMES_OF_PAGE)) return undefined;
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

function failed(what: string, retryAfter?: string): Extract<Page, { kind: 'failed' }> {
  return { kind: 'failed', reason: 'registry_unreachable', what, retryAfter };
}
