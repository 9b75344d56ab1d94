/** Metadata from a real Notary server over HTTP(S): the only file of trust-client/ that uses the network. */
import { readBody } from '../registry/body.ts';
import { withOwnSignal } from '../registry/deadline.ts';
import { UpstreamError } from '../registry/errors.ts';
import type { HttpClient } from '../registry/http-client.ts';
import type { Gun } from '../registry/reference.ts';
import { invalid, TrustError } from './errors.ts';
import type { FetchLimits, MetadataFile, TrustSource } from './types.ts';

/**
 * Paths and statuses: notary-semantics.md §1.1, §1.3. Only 404 means "no such file"; a redirect is not followed, and
 * a refusal of our account is an outage, not an answer: neither may turn a signed tag into an unsigned one.
 */
export function createNotarySource(client: HttpClient): TrustSource {
  return {
    fetch: async (gun, file, limits) => {
      try {
        return await fetchFile(client, gun, file, limits);
      } catch (error) {
        throw error instanceof UpstreamError ? toTrustError(error, gun, file, limits) : error;
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
  return await withOwnSignal(signal, async (own) => {
    const response = await client.get(`/v2/${gun}/_trust/tuf/${toFileName(file)}`, {
      scope: `repository:${gun}:pull`,
      signal: own,
      headers: revalidate === true ? { 'cache-control': 'no-cache' } : {},
    });
    if (response.status === 200) return await readBody(response.body, maxBytes, own);
    response.body.destroy();
    if (response.status === 404) return undefined;
    throw unreachable(gun, file, `the trust server answered ${response.status}${hintFor(response.status)}`);
  });
}

/** `<role>.<sha256>.json`, `<version>.<role>.json` or `<role>.json` (§1.1). */
function toFileName({ role, version, sha256 }: MetadataFile): string {
  if (sha256 !== undefined) return `${role}.${sha256}.json`;
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}

function hintFor(status: number): string {
  return status === 401 || status === 403 ? '; check trust.auth of this registry in the configuration' : '';
}

function toTrustError(error: UpstreamError, gun: Gun, file: MetadataFile, limits: FetchLimits): TrustError {
  if (error.kind !== 'too_large') return unreachable(gun, file, error.message, error);
  return invalid(
    'size',
    file.role,
    `${file.role} of ${gun} is longer than the ${limits.maxBytes} bytes it may have`,
    error,
  );
}

function unreachable(gun: Gun, file: MetadataFile, why: string, cause?: unknown): TrustError {
  return new TrustError('trust_unreachable', 'unreachable', `trust data of ${gun} cannot be read: ${why}`, {
    role: file.role,
    cause,
  });
}
