/** Metadata from a real Notary server over HTTP(S): the only file of trust-client/ that uses the network. */
import { readBody } from '../registry/body.ts';
import { shareSignal } from '../registry/deadline.ts';
import { UpstreamError } from '../registry/errors.ts';
import type { HttpClient } from '../registry/http-client.ts';
import type { Gun } from '../registry/reference.ts';
import { sha256InTurns } from './encoding.ts';
import { TrustError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { isMetadataForm, isNotFoundEnvelope } from './notary-answers.ts';
import type { FetchLimits, MetadataFile, TrustSource } from './types.ts';

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
        throw error instanceof UpstreamError ? unreachable(gun, file, error.message, error) : error;
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
  const response = await client.get(`/v2/${gun}/_trust/tuf/${toFileName(file)}`, {
    scope: `repository:${gun}:pull`,
    signal,
    headers: revalidate === true ? { 'cache-control': 'no-cache' } : {},
  });
  if (response.status === 200) {
    const bytes = await readBody(response.body, maxBytes, signal);
    const isNamed = file.sha256 !== undefined && (await sha256InTurns(bytes)) === file.sha256;
    if (isNamed || isMetadataForm(bytes)) return bytes;
    throw unreachable(
      gun,
      file,
      `what answered 200 for ${toFileName(file)} sent ${bytes.length} bytes that are not metadata`,
    );
  }
  if (response.status === 404) {
    const bytes = await readBody(response.body, LIMITS.errorBytes, signal);
    if (isNotFoundEnvelope(bytes)) return undefined;
    throw unreachable(
      gun,
      file,
      'a 404 came that is not in the words of a Notary server; check trust.server of this registry and what stands before it',
    );
  }
  response.body.destroy();
  throw unreachable(gun, file, `the trust server answered ${response.status}${hintFor(response.status)}`);
}

/** `<role>.<sha256>.json`, `<version>.<role>.json` or `<role>.json` (§1.1). */
function toFileName({ role, version, sha256 }: MetadataFile): string {
  if (sha256 !== undefined) return `${role}.${sha256}.json`;
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}

function hintFor(status: number): string {
  return status === 401 || status === 403 ? '; check trust.auth of this registry in the configuration' : '';
}

function unreachable(gun: Gun, file: MetadataFile, why: string, cause?: unknown): TrustError {
  return new TrustError('trust_unreachable', 'unreachable', `trust data of ${gun} cannot be read: ${why}`, {
    role: file.role,
    cause,
  });
}
