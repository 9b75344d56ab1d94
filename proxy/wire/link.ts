/** `Link: <…>; rel="next"` of an upstream: where its next page is, and how a client asks us for it (registry-clients.md §3). */

/** A registry's own position in its list: opaque, but nothing that could leave the query. */
const PAGE_QUERY = /^[A-Za-z0-9._~%=&:+-]{1,1024}$/;
const PAGE = /^[A-Za-z0-9_-]{1,1400}$/;

/**
 * The query of the next page. A link is followed only to the same list on the same upstream; one that leads anywhere
 * else is not followed, so a name may be missing from a list but never comes from elsewhere.
 *
 * @param path of the list as asked of the upstream, without its base URL's path.
 */
export function parseNextQuery(link: string | undefined, baseUrl: URL, path: string): string | undefined {
  const target = /^\s*<([^<>\s]{1,2048})>\s*;\s*rel="?next"?\s*$/i.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  const relative = target.startsWith(`${baseUrl.origin}/`) ? target.slice(baseUrl.origin.length) : target;
  const [found, query, ...more] = relative.split('?');
  const isSame = found === path || found === baseUrl.pathname.replace(/\/+$/, '') + path;
  return isSame && more.length === 0 && query !== undefined && PAGE_QUERY.test(query) ? query : undefined;
}

/** An upstream's query as the one parameter our own grammar can carry. */
export function toPage(query: string): string {
  return Buffer.from(query, 'latin1').toString('base64url');
}

/** @returns the upstream's query, or undefined when the text is not one `toPage` could have written. */
export function parsePage(page: string): string | undefined {
  const query = PAGE.test(page) ? Buffer.from(page, 'base64url').toString('latin1') : '';
  return PAGE_QUERY.test(query) && toPage(query) === page ? query : undefined;
}
