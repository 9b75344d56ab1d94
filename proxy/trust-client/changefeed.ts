/**
 * The feed of a Notary server that says which repositories changed (notary-semantics.md §1.1). It is not signed, so it
 * is a hint to ask again and nothing more: what is believed still comes from verified metadata alone.
 */
import { readBody } from '../registry/body.ts';
import type { HttpClient } from '../registry/http-client.ts';

export type Change = { readonly id: number; readonly gun: string };

/** Bytes of one page; a record is about 200. */
const MAX_PAGE_BYTES = 1024 * 1024;

/**
 * The newest changes, oldest first.
 *
 * @returns undefined when the server does not offer the feed to us, or what it offers is none.
 * @throws UpstreamError when the server cannot be asked.
 */
export async function fetchNewestChanges(
  client: HttpClient,
  most: number,
  signal: AbortSignal,
): Promise<readonly Change[] | undefined> {
  // From the newest (-1) backwards: a feed that began anew with a restarted server is noticed by its lower IDs.
  const path = `/v2/_trust/changefeed?change_id=-1&records=-${most}`;
  const { status, body } = await client.get(path, { scope: 'registry:catalog:*', signal });
  if (status !== 200) {
    body.destroy();
    return undefined;
  }
  return parseChanges(await readBody(body, MAX_PAGE_BYTES, signal));
}

function parseChanges(bytes: Uint8Array): readonly Change[] | undefined {
  let page: unknown;
  try {
    page = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Whatever answered is not the feed.
    return undefined;
  }
  const records = readMember(page, 'records') ?? [];
  if (!Array.isArray(records)) return undefined;
  const changes = records.map(toChange);
  return changes.every((change) => change !== undefined) ? changes : undefined;
}

/** Numbers from SQL and memory stores; other stores have IDs that cannot be compared. */
function toChange(record: unknown): Change | undefined {
  const id = readMember(record, 'ID');
  const gun = readMember(record, 'GUN');
  const isUsable = typeof id === 'string' && /^[0-9]{1,15}$/.test(id) && typeof gun === 'string';
  return isUsable ? { id: Number(id), gun } : undefined;
}

function readMember(value: unknown, name: string): unknown {
  return Object.entries(value ?? {}).find(([key]) => key === name)?.[1];
}
