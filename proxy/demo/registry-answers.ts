/** Parts of things: a range of a blob, a page of a tag list. */
import { type Answer, errorAnswer, jsonAnswer } from './simulated-server.ts';

/** Everything, or the one range asked for (RFC 9110 §14); several ranges at once are answered with everything. */
export function sliceOf(
  bytes: Uint8Array,
  range: string | undefined,
  headers: Record<string, string>,
): Answer {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === ''))
    return { status: 200, headers, body: bytes };
  const total = bytes.length;
  const first = from === '' ? Math.max(0, total - Number(to)) : Number(from);
  const last = from === '' || to === '' ? total - 1 : Math.min(Number(to), total - 1);
  if (first > last)
    return errorAnswer(416, 'RANGE_INVALID', 'invalid range', { 'Content-Range': `bytes */${total}` });
  const described = { ...headers, 'Content-Range': `bytes ${first}-${last}/${total}` };
  return { status: 206, headers: described, body: bytes.subarray(first, last + 1) };
}

/** `n` names after `last`, with a Link to the next page while there is one. */
export function pageOf(name: string, tags: readonly string[], query: URLSearchParams): Answer {
  const limit = query.get('n');
  if (limit !== null && !/^\d+$/.test(limit)) {
    return errorAnswer(400, 'PAGINATION_NUMBER_INVALID', 'invalid number of results requested');
  }
  const last = query.get('last') ?? '';
  const left = tags.filter((tag) => tag > last).sort();
  const page = limit === null ? left : left.slice(0, Number(limit));
  const isPartial = page.length > 0 && page.length < left.length;
  const next = `</v2/${name}/tags/list?last=${page.at(-1)}&n=${limit}>; rel="next"`;
  return jsonAnswer(200, { name, tags: page }, isPartial ? { Link: next } : {});
}
