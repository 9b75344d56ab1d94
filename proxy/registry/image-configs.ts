/**
 * Configurations of images, fetched before their manifest is given away. A daemon with a mirror goes to Docker Hub, with
 * the tag, when an image's configuration cannot be had from the mirror, whatever the form it is told so in: all that
 * helps is to have it (refusal-forms.ts; seen with dockerd 20.10).
 */

import { hasTooManyValues } from '../content/json-members.ts';
import { isHtml } from '../content/media-type.ts';
import type { ContentKey } from '../names/content-key.ts';
import { hasDigest } from '../names/digest.ts';
import { type Digest, isDigest } from '../names/reference.ts';
import { withDeadline } from '../upstream/deadline.ts';
import { toFailure, UpstreamError } from '../upstream/errors.ts';
import { headerOf } from '../upstream/headers.ts';
import { withBody } from '../upstream/held-body.ts';
import { isPlaceForBlobs, isRedirect } from '../upstream/redirect.ts';
import { toRelayed } from '../upstream/relay.ts';
import { retryAfterOf } from '../upstream/retry-after.ts';
import type { HttpClient } from '../upstream/types.ts';
import type { SignedManifest } from '../wire/types.ts';
import { CAUSES } from '../words.ts';
import { type Caller, type ManifestResult, pullScope } from './manifest.ts';

export type HeldImageConfig = { readonly bytes: Uint8Array };

/** Where configurations are kept. */
export interface ConfigStore {
  get(key: ContentKey): HeldImageConfig | undefined;
  set(key: ContentKey, config: HeldImageConfig): void;
  /** Out of reach of what others have kept, for a while. @param holder who asked for it. */
  hold(key: ContentKey, config: HeldImageConfig, holder: string): void;
}

export interface ImageConfigs {
  /** Sees to it that an image's configuration can be had. @returns why it cannot; undefined: it can, or it has none. */
  hold(
    client: HttpClient,
    repository: string,
    manifest: Pick<SignedManifest, 'bytes'>,
    caller: Caller & { readonly client?: string },
  ): Promise<ImageConfigFailure | undefined>;
  /** A configuration that is held. The caller's right to read was checked. */
  recall(client: HttpClient, repository: string, digest: Digest): Uint8Array | undefined;
}
export type ImageConfigFailure = Exclude<ManifestResult, { kind: 'manifest' }>;

/** Longest configuration held, in bytes; of a longer one it is only seen that the registry has it. */
const MAX_CONFIG_BYTES = 2 * 1024 * 1024;
const DEADLINE_MS = 10_000;

export function createImageConfigs(store: ConfigStore): ImageConfigs {
  return {
    async hold(client, repository, { bytes }, caller) {
      const config = configOf(bytes);
      if (config === undefined) return undefined;
      const key = { registry: client.upstream, repository, digest: config.digest };
      const holder = caller.client ?? '';
      const kept = store.get(key);
      if (kept !== undefined) {
        store.hold(key, kept, holder);
        return undefined;
      }
      try {
        const result = await withDeadline(DEADLINE_MS, caller.signal, async (signal) => {
          // The manifest waits here, and is still there when nothing else keeps it.
          const end = await client.bodies.carry(client.upstream, bytes, signal);
          return await fetchConfig(client, repository, config, {
            authorization: caller.authorization,
            signal,
          }).finally(end);
        });
        if (!(result instanceof Uint8Array)) return result;
        store.set(key, { bytes: result });
        store.hold(key, { bytes: result }, holder);
        return undefined;
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        return { kind: 'failed', ...toFailure(error, CAUSES.configFailed(error.kind)) };
      }
    },
    recall: (client, repository, digest) =>
      store.get({ registry: client.upstream, repository, digest })?.bytes,
  };
}

type Descriptor = { readonly digest: Digest; readonly size: number };

/** @returns the bytes; undefined when they are to be had, but not kept here. */
async function fetchConfig(
  client: HttpClient,
  repository: string,
  { digest, size }: Descriptor,
  caller: Caller,
): Promise<Uint8Array | ImageConfigFailure | undefined> {
  const options = { scope: pullScope(repository), ...caller };
  const response = await client.get(`/v2/${repository}/blobs/${digest}`, options);
  const { status, headers, body } = response;
  if (status === 200 && size <= MAX_CONFIG_BYTES) {
    const limits = { maxBytes: size + 1, signal: caller.signal, need: 'more' } as const;
    return await withBody(client, response, limits, (bytes) =>
      hasDigest(bytes, digest) ? bytes : failed('digest_mismatch', CAUSES.configIsOther),
    );
  }
  const isTheCallers = client.auth === 'passthrough' && (status === 401 || status === 403);
  if (isTheCallers || status === 429) return { kind: 'relayed', response: await toRelayed(client, response) };
  body.destroy();
  // Where the registry sends clients elsewhere for blobs, the daemon goes there itself.
  const { baseUrl } = client;
  const isElsewhere =
    isRedirect(status) && isPlaceForBlobs(headerOf(headers, 'location'), { baseUrl, peer: client.peer() });
  const isThere = status === 200 && !isHtml(headerOf(headers, 'content-type'));
  if (isThere || isElsewhere) return undefined;
  if (status === 404) return failed('signed_digest_missing', CAUSES.configIsGone);
  return {
    ...failed('registry_unreachable', CAUSES.configAnswered(status)),
    retryAfter: retryAfterOf(headers),
  };
}

/** Of an image's manifest; an index has none, and what is neither is left to the client. */
function configOf(bytes: Uint8Array): Descriptor | undefined {
  if (hasTooManyValues(bytes)) return undefined;
  try {
    const { config } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      readonly config?: { readonly digest?: unknown; readonly size?: unknown };
    };
    const { digest, size } = config ?? {};
    const isRead = typeof digest === 'string' && isDigest(digest) && typeof size === 'number' && size >= 0;
    return isRead ? { digest, size } : undefined;
  } catch {
    return undefined;
  }
}

type Failed = Extract<ImageConfigFailure, { kind: 'failed' }>;

function failed(reason: Failed['reason'], what: string): Failed {
  return { kind: 'failed', reason, what };
}
