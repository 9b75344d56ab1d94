/**
 * Manifests, fetched as a whole and compared before a byte of them goes anywhere (proxy/README.md, "8. Fetch or forward"
 * and "9. Confirm"). Of a registry's answers there are three: 200 with the bytes asked for, a refusal of 400 and above, and
 * everything else, which is no answer.
 */

import {
  type Confirmed,
  confirmAnnounced,
  confirmDigest,
  confirmSigned,
  isConfirmed,
  type Unconfirmed,
  type WholeAnswer,
} from '../content/confirmed.ts';
import { MANIFEST_ACCEPT, toImageType } from '../content/media-type.ts';
import { toSchema1Type } from '../content/schema1.ts';
import { type Digest, isDigest } from '../names/reference.ts';
import type { DenyReason } from '../reason.ts';
import { discard } from '../upstream/body.ts';
import { toFailure, UpstreamError } from '../upstream/errors.ts';
import { headerOf } from '../upstream/headers.ts';
import { withBody } from '../upstream/held-body.ts';
import { toRelayed } from '../upstream/relay.ts';
import { retryAfterOf } from '../upstream/retry-after.ts';
import type { HttpClient, UpstreamAnswer, UpstreamResponse } from '../upstream/types.ts';
import type { Response } from '../wire/types.ts';
import { CAUSES } from '../words.ts';

/** What the signers signed. */
export type SignedTarget = { readonly digest: Digest; readonly length: number };

export type Caller = {
  /** The client's Authorization; a client with its own account does not look at it. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal;
};

export type FetchFailure = Extract<
  DenyReason,
  'registry_unreachable' | 'digest_mismatch' | 'signed_digest_missing' | 'deadline_exceeded'
>;

export type ManifestResult =
  | { readonly kind: 'manifest'; readonly manifest: Confirmed }
  /** The registry's own word to the caller, 400 and above. */
  | { readonly kind: 'relayed'; readonly response: Response }
  | {
      readonly kind: 'failed';
      readonly reason: FetchFailure;
      readonly what: string;
      /** The registry's own Retry-After. */
      readonly retryAfter?: string | undefined;
    };

/** The caller has the digest and asked whether it still stands. */
export type Unmodified = { readonly kind: 'unmodified' };

/** What a registry says of a tag no rule judges, without its manifest. */
export type Announced = {
  readonly kind: 'announced';
  readonly digest: Digest;
  readonly mediaType: string;
  readonly length: string;
};

/** Longest manifest served, in bytes: what clients accept (registry-clients.md §2.1, §2.4). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Asks for exactly the signed digest, never for a tag. Throws nothing an upstream can cause. */
export async function fetchSignedManifest(
  client: HttpClient,
  repository: string,
  target: SignedTarget,
  caller: Caller = {},
): Promise<ManifestResult> {
  const { digest, length } = target;
  if (length > MAX_MANIFEST_BYTES) {
    return failed('digest_mismatch', CAUSES.signedIsTooLong(length, MAX_MANIFEST_BYTES));
  }
  return guarded(CAUSES.moreThanSigned, async () => {
    const response = await get(client, repository, digest, { accept: MANIFEST_ACCEPT }, caller);
    if (response.status !== 200) return await toSignedRefusal(client, response);
    // One byte more than was signed is enough to know that it is something else.
    return await readWhole(client, response, length + 1, caller, (answer) => confirmSigned(answer, target));
  });
}

export type DigestQuestion = {
  readonly digest: Digest;
  /** The client's own. */
  readonly accept: string | undefined;
  /** The client has it, and named this very digest. */
  readonly isKnown: boolean;
};

/** A manifest by the digest the client asked for. Throws nothing an upstream can cause. */
export async function fetchManifest(
  client: HttpClient,
  repository: string,
  { digest, accept, isKnown }: DigestQuestion,
  caller: Caller = {},
): Promise<ManifestResult | Unmodified> {
  return guarded<Unmodified>(TOO_LONG, async () => {
    const headers = {
      ...(accept === undefined ? {} : { accept }),
      ...(isKnown ? { 'if-none-match': `"${digest}"` } : {}),
    };
    const response = await get(client, repository, digest, headers, caller);
    if (response.status === 304 && isKnown) {
      await discard(response.body);
      return { kind: 'unmodified' };
    }
    if (response.status !== 200) return await toRefusal(client, response);
    return await readWhole(client, response, MAX_MANIFEST_BYTES, caller, (answer) =>
      confirmDigest(answer, digest),
    );
  });
}

export type TagQuestion = {
  readonly tag: string;
  readonly method: string;
  readonly accept: string | undefined;
};

/**
 * A tag no rule judges. HEAD stays HEAD, which registries do not count as a pull, where the registry says all that a
 * client needs to know; where it does not, the manifest itself says it.
 */
export async function fetchTag(
  client: HttpClient,
  repository: string,
  { tag, method, accept }: TagQuestion,
  caller: Caller = {},
): Promise<ManifestResult | Announced> {
  const headers: Record<string, string> = accept === undefined ? {} : { accept };
  return guarded<Announced>(TOO_LONG, async () => {
    if (method === 'HEAD') {
      const options = { headers, scope: pullScope(repository), ...caller };
      const answer = await client.head(manifestPath(repository, tag), options);
      const announced = answer.status === 200 ? toAnnounced(answer) : undefined;
      if (announced !== undefined) return announced;
    }
    const response = await get(client, repository, tag, headers, caller);
    if (response.status !== 200) return await toRefusal(client, response);
    return await readWhole(client, response, MAX_MANIFEST_BYTES, caller, (answer) =>
      confirmAnnounced(answer, isDigest),
    );
  });
}

export function manifestPath(repository: string, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`;
}

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

const TOO_LONG = CAUSES.moreThan(MAX_MANIFEST_BYTES);

function get(
  client: HttpClient,
  repository: string,
  reference: string,
  headers: Readonly<Record<string, string>>,
  { authorization, signal }: Caller,
): Promise<UpstreamResponse> {
  const options = { headers, scope: pullScope(repository), authorization };
  return client.get(
    manifestPath(repository, reference),
    signal === undefined ? options : { ...options, signal },
  );
}

function readWhole(
  client: HttpClient,
  response: UpstreamResponse,
  maxBytes: number,
  { signal }: Caller,
  confirm: (answer: WholeAnswer) => Confirmed | Unconfirmed,
): Promise<ManifestResult> {
  const { headers } = response;
  const limits = { maxBytes: Math.min(MAX_MANIFEST_BYTES, maxBytes), signal };
  return withBody(client, response, limits, (bytes) =>
    toResult(
      confirm({
        bytes,
        contentType: headerOf(headers, 'content-type'),
        announced: headerOf(headers, 'docker-content-digest'),
      }),
    ),
  );
}

function toAnnounced({ headers }: UpstreamAnswer): Announced | undefined {
  const digest = headerOf(headers, 'docker-content-digest');
  const contentType = headerOf(headers, 'content-type');
  const mediaType = toImageType(contentType) ?? toSchema1Type(contentType);
  const length = headerOf(headers, 'content-length');
  if (digest === undefined || !isDigest(digest) || mediaType === undefined) return undefined;
  return /^[1-9][0-9]{0,7}$/.test(length ?? '')
    ? { kind: 'announced', digest, mediaType, length: String(length) }
    : undefined;
}

function toResult(result: Confirmed | Unconfirmed): ManifestResult {
  return isConfirmed(result)
    ? { kind: 'manifest', manifest: result }
    : failed('digest_mismatch', result.what);
}

/** For a signed tag the registry's word counts less: what is missing is what was signed. */
async function toSignedRefusal(client: HttpClient, response: UpstreamResponse): Promise<ManifestResult> {
  const { status } = response;
  const isTheCallers = [401, 403, 404, 429].includes(status);
  if (!isTheCallers) return unreachable(response);
  if (status !== 404) return toRefusal(client, response);
  response.body.destroy();
  return failed('signed_digest_missing', CAUSES.signedIsGone);
}

/** The registry's no, to the caller whose credentials it judged; any answer that is neither yes nor no is none. */
async function toRefusal(client: HttpClient, response: UpstreamResponse): Promise<ManifestResult> {
  const { status } = response;
  // What our account may not is nobody else's business.
  const isOurs = client.auth !== 'passthrough' && (status === 401 || status === 403);
  if (isOurs || status < 400 || status >= 500) return unreachable(response);
  return { kind: 'relayed', response: await toRelayed(client, response) };
}

/** A redirect is an answer like any other that is not the manifest (registry-clients.md §6.2). */
function unreachable({ status, headers, body }: UpstreamResponse): ManifestResult {
  body.destroy();
  return { ...failed('registry_unreachable', CAUSES.answered(status)), retryAfter: retryAfterOf(headers) };
}

/** Everything an upstream can throw, as a result. */
async function guarded<Extra = never>(
  tooLong: string,
  work: () => Promise<ManifestResult | Extra>,
): Promise<ManifestResult | Extra> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    // Longer than it may be: an answer came, and it was not the one asked for.
    if (error.kind === 'too_large') return failed('digest_mismatch', tooLong);
    return { kind: 'failed', ...toFailure(error, CAUSES.noAnswer(error.kind)) };
  }
}

function failed(reason: FetchFailure, what: string): Extract<ManifestResult, { kind: 'failed' }> {
  return { kind: 'failed', reason, what };
}
