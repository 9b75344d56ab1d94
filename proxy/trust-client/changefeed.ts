/**
 * The feed of a Notary server that says which repositories changed (notary-semantics.md §1.1). It is not signed, so it
 * is a hint to ask again and nothing more: what is believed still comes from verified metadata alone.
 */
import { readBody } from '../upstream/body.ts';
import { UpstreamError } from '../upstream/errors.ts';
import type { HttpClient } from '../upstream/types.ts';
import { LIMITS } from './limits.ts';
import { isNotFoundEnvelope, memberOf } from './notary-answers.ts';

export type Change = { readonly id: number; readonly gun: string };

/** Bytes of one page; a record is about 200. */
const MAX_PAGE_BYTES = 1024 * 1024;

/** Longest name that can be a repository's, in characters; a longer one cannot be one of ours. */
const MAX_GUN_LENGTH = 512;

/**
 * So many changes before an ID, or the newest ones; oldest first.
 *
 * @returns undefined only when the server says that it offers us no feed, or numbers it in a way we cannot follow.
 * @throws UpstreamError for everything else: it may be otherwise in a moment.
 */
export async function fetchChanges(
  client: HttpClient,
  { most, before }: { readonly most: number; readonly before?: number | undefined },
  signal: AbortSignal,
): Promise<readonly Change[] | undefined> {
  // From the newest (-1) backwards: a feed that began anew with a restarted server has lower IDs.
  const path = `/v2/_trust/changefeed?change_id=${before ?? -1}&records=-${most}`;
  try {
    const { status, body } = await client.get(path, { scope: 'registry:catalog:*', signal });
    if (status === 200) return parseChanges(await readBody(body, MAX_PAGE_BYTES, signal));
    const isAbsent = status === 404 && isNotFoundEnvelope(await readBody(body, LIMITS.errorBytes, signal));
    body.destroy();
    if (isAbsent || status === 401 || status === 403) return undefined;
    throw new UpstreamError('bad_answer', `the feed of changes answered ${status}`, { status });
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'denied') return undefined;
    throw error;
  }
}

function parseChanges(bytes: Uint8Array): readonly Change[] | undefined {
  const records = memberOf(parsePage(bytes), 'records') ?? [];
  if (!Array.isArray(records)) throw noFeed();
  const changes: Change[] = [];
  for (const record of records) {
    const id = memberOf(record, 'ID');
    const gun = memberOf(record, 'GUN');
    if (typeof id !== 'string' || typeof gun !== 'string') throw noFeed();
    // Numbers from SQL and memory stores; other stores have IDs that cannot be compared.
    if (!/^[0-9]{1,15}$/.test(id)) return undefined;
    if (gun.length <= MAX_GUN_LENGTH) changes.push({ id: Number(id), gun });
  }
  return changes;
}

function parsePage(bytes: Uint8Array): object {
  try {
    const page: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof page === 'object' && page !== null && !Array.isArray(page)) return page;
  } catch {
    // Not JSON: said below.
  }
  throw noFeed();
}

function noFeed(): UpstreamError {
  return new UpstreamError('bad_answer', 'what answered for the feed of changes is none');
}
