/** Metadata from a real Notary server over HTTP(S): the only file of trust-client/ that uses the network. */

import type { Gun } from '../names/reference.ts';
import { readBody } from '../upstream/body.ts';
import { shareSignal } from '../upstream/deadline.ts';
import { UpstreamError } from '../upstream/errors.ts';
import { CONFIG_KEYS, checkAddress, explainFailure, nextStepAt } from '../upstream/next-step.ts';
import type { HttpClient } from '../upstream/types.ts';
import { sha256InTurns } from './encoding.ts';
import { TrustError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { isMetadataForm, isNotFoundEnvelope } from './notary-answers.ts';
import type { FetchLimits, MetadataFile, TrustSource } from './types.ts';

const KEYS = CONFIG_KEYS.notary;

/**
 * Paths and statuses: notary-semantics.md §1.1, §1.3. Only a 404 in Notary's own words means "no such file"; a redirect
 * is not followed, and a refusal of our account is an outage, not an answer: none of them may turn a signed tag into an
 * unsigned one. The same goes for whatever answers in Notary's place (notary-answers.ts). A server that is hostile gains
 * nothing by an outage: all it leads to is what was verified and has not expired, or a refusal.
 */
export function createNotarySource(client: HttpClient): TrustSource {
  return {
    fetch: async (gun, file, limits) => {
      try {
        return await fetchFile(client, gun, file, limits);
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        throw unreachable(client, gun, file, explainFailure(error, client.upstream, KEYS), error);
      }
    },
  };
}

async function fetchFile(
  client: HttpClient,
  gun: Gun,
  file: MetadataFile,
  { maxBytes, signal, revalidate }: FetchLimits,
): Promise<Uint8Array | undefined> {
  // An update asks for several files at a time, and each waits in a few places.
  shareSignal(signal);
  const name = toFileName(file);
  const response = await client.get(`/v2/${gun}/_trust/tuf/${name}`, {
    scope: `repository:${gun}:pull`,
    signal,
    headers: revalidate === true ? { 'cache-control': 'no-cache' } : {},
  });
  if (response.status === 200) {
    const bytes = await readBody(response.body, maxBytes, signal);
    const isNamed = file.sha256 !== undefined && (await sha256InTurns(bytes)) === file.sha256;
    if (isNamed || isMetadataForm(bytes)) return bytes;
    const what = `what answered 200 for ${name} sent ${bytes.length} bytes that are not metadata`;
    throw unreachable(client, gun, file, `${what}; ${checkAddress(KEYS)}`);
  }
  if (response.status === 404) {
    const bytes = await readBody(response.body, LIMITS.errorBytes, signal);
    if (isNotFoundEnvelope(bytes)) return undefined;
    const what = 'a 404 came that is not in the words of a Notary server';
    throw unreachable(client, gun, file, `${what}; ${checkAddress(KEYS)}`);
  }
  response.body.destroy();
  throw unreachable(
    client,
    gun,
    file,
    `it answered ${response.status}; ${nextStepAt(response.status, KEYS)}`,
  );
}

/** `<role>.<sha256>.json`, `<version>.<role>.json` or `<role>.json` (notary-semantics.md §1.1). */
function toFileName({ role, version, sha256 }: MetadataFile): string {
  if (sha256 !== undefined) return `${role}.${sha256}.json`;
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}

/** Names the server: the registry's name says where images are, and most often that is another host. */
function unreachable(
  { baseUrl }: HttpClient,
  gun: Gun,
  file: MetadataFile,
  why: string,
  cause?: unknown,
): TrustError {
  const server = `${baseUrl.origin}${baseUrl.pathname.replace(/\/+$/, '')}`;
  const message = `trust data of ${gun} cannot be read from ${server}: ${why}`;
  return new TrustError('trust_unreachable', 'unreachable', message, { role: file.role, cause });
}
