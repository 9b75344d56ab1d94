/** An upstream's own refusal, handed on to the caller whose credentials it judged. */

import type { Response } from '../wire/types.ts';
import { UpstreamError } from './errors.ts';
import { headerOf } from './headers.ts';
import { type BodyOwner, readSmallBody } from './held-body.ts';
import { retryAfterOf } from './retry-after.ts';
import type { UpstreamResponse } from './types.ts';

/** Longest error body handed on, in bytes; a longer one is left out, and so is one there is no room for. */
const MAX_RELAYED_BYTES = 64 * 1024;
/** For reading it, in milliseconds. */
const READ_MS = 5_000;
const NONE = new Uint8Array();

/**
 * Headers of an error answer that mean something to a client. `WWW-Authenticate` goes on unchanged and line by line:
 * clients compute their token request from it (registry-clients.md §4.2).
 */
const RELAYED_HEADERS = [
  ['www-authenticate', 'WWW-Authenticate'],
  ['ratelimit-limit', 'RateLimit-Limit'],
  ['ratelimit-remaining', 'RateLimit-Remaining'],
  ['content-type', 'Content-Type'],
] as const;

/** @throws RangeError for what is no refusal: nothing but errors is ever relayed. */
export async function toRelayed(owner: BodyOwner, response: UpstreamResponse): Promise<Response> {
  if (response.status < 400)
    throw new RangeError(`only refusals are relayed, and ${response.status} is below 400`);
  const headers = new Map<string, string | readonly string[]>([
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]);
  for (const [name, written] of RELAYED_HEADERS) {
    const values = response.headers.get(name);
    if (values !== undefined) headers.set(written, values);
  }
  const retryAfter = retryAfterOf(response.headers);
  if (retryAfter !== undefined) headers.set('Retry-After', retryAfter);
  const body = await readSmall(owner, response);
  if (body.length === 0) headers.delete('Content-Type');
  headers.set('Content-Length', String(body.length));
  headers.set('Cache-Control', 'no-store');
  return { status: response.status, reasonPhrase: undefined, headers, body };
}

async function readSmall(owner: BodyOwner, response: UpstreamResponse): Promise<Uint8Array> {
  if (headerOf(response.headers, 'content-encoding') !== undefined) {
    response.body.destroy();
    return NONE;
  }
  try {
    const limits = { maxBytes: MAX_RELAYED_BYTES, signal: AbortSignal.timeout(READ_MS) };
    return await readSmallBody(owner, response, limits);
  } catch (error) {
    if (error instanceof UpstreamError) return NONE;
    throw error;
  }
}
