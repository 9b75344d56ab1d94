/**
 * The signed manifest, fetched by its digest and compared with what was signed before a byte of it goes anywhere
 * (product.md, "Serving a signed tag"; house.md, steps 8 and 9).
 */
import type { DenyReason } from '../reason.ts';
import { readBody } from './body.ts';
import { hasDigest } from './digest.ts';
import { UpstreamError } from './errors.ts';
import { type HttpClient, headerOf, type UpstreamResponse } from './http-client.ts';
import { MANIFEST_ACCEPT, toMediaType } from './media-type.ts';
import type { Digest } from './reference.ts';
import { toRelayed } from './relay.ts';
import type { Response, SignedManifest } from './types.ts';

/** What the signers signed. */
export type SignedTarget = { readonly digest: Digest; readonly length: number };

export type Caller = {
  /** The client's Authorization; a client with its own account does not look at it. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal;
};

export type FetchFailure = Extract<
  DenyReason,
  'registry_unreachable' | 'digest_mismatch' | 'signed_digest_missing'
>;

export type ManifestResult =
  | { readonly kind: 'manifest'; readonly manifest: SignedManifest }
  /** The registry's own word to the caller: 429, or 401 and 403 where it saw the caller's credentials. */
  | { readonly kind: 'relayed'; readonly response: Response }
  | { readonly kind: 'failed'; readonly reason: FetchFailure; readonly what: string };

/** Longest manifest served, in bytes: what clients accept (registry-clients.md §2.1, §2.4). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Asks for exactly the signed digest, never for a tag. Throws nothing an upstream can cause. */
export async function fetchSignedManifest(
  client: HttpClient,
  repository: string,
  target: SignedTarget,
  caller: Caller = {},
): Promise<ManifestResult> {
  if (target.length > MAX_MANIFEST_BYTES) {
    return failed(
      'digest_mismatch',
      `the signed manifest is ${target.length} bytes long, more than ${MAX_MANIFEST_BYTES}`,
    );
  }
  try {
    const response = await client.get(manifestPath(repository, target.digest), {
      headers: { accept: MANIFEST_ACCEPT },
      scope: pullScope(repository),
      ...caller,
    });
    if (response.status === 200) return await confirm(response, target, caller.signal);
    return await toRefusal(client, response);
  } catch (error) {
    if (error instanceof UpstreamError) return toFailure(error);
    throw error;
  }
}

export function manifestPath(repository: string, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`;
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

async function confirm(
  response: UpstreamResponse,
  { digest, length }: SignedTarget,
  signal: AbortSignal | undefined,
): Promise<ManifestResult> {
  // One byte more than was signed is enough to know that it is something else.
  const bytes = await readBody(response.body, Math.min(MAX_MANIFEST_BYTES, length + 1), signal);
  if (bytes.length !== length) {
    return failed('digest_mismatch', `the registry sent ${bytes.length} bytes where ${length} were signed`);
  }
  if (!hasDigest(bytes, digest))
    return failed('digest_mismatch', 'the registry sent other bytes than were signed');
  const announced = headerOf(response.headers, 'docker-content-digest');
  if (announced !== undefined && announced !== digest) {
    return failed('digest_mismatch', 'the registry announced another digest than was asked for');
  }
  const mediaType = toMediaType(bytes, headerOf(response.headers, 'content-type'));
  if (mediaType === undefined) {
    return failed(
      'digest_mismatch',
      'the registry sent the signed bytes under a media type they do not have',
    );
  }
  return { kind: 'manifest', manifest: { digest, mediaType, bytes } };
}

async function toRefusal(client: HttpClient, response: UpstreamResponse): Promise<ManifestResult> {
  const { status } = response;
  const isOurs = client.auth !== 'passthrough';
  // "Later" is for the caller too, whoever asked too often; what our account may not is nobody else's business.
  if (status === 429 || (!isOurs && (status === 401 || status === 403))) {
    return { kind: 'relayed', response: await toRelayed(response) };
  }
  response.body.destroy();
  if (status === 404)
    return failed('signed_digest_missing', 'the registry does not have the signed manifest (any more)');
  // A redirect is an answer like any other that is not the manifest (registry-clients.md §6.2).
  return failed('registry_unreachable', `the registry answered ${status}`);
}

function toFailure(error: UpstreamError): ManifestResult {
  // Longer than signed, or compressed: an answer came, and it was not the signed one.
  if (error.kind === 'too_large')
    return failed('digest_mismatch', 'the registry sent more bytes than were signed');
  return failed('registry_unreachable', `the registry did not give an answer (${error.kind})`);
}

function failed(reason: FetchFailure, what: string): ManifestResult {
  return { kind: 'failed', reason, what };
}
