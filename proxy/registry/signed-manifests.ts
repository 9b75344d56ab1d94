/**
 * Signed manifests from memory or from the registry, and never one to a caller whose right to read the repository
 * was not checked (registry-clients.md §4.3).
 */
import { isLate, withDeadline } from './deadline.ts';
import type { HttpClient } from './http-client.ts';
import type { ManifestResult } from './manifest.ts';
import { type Caller, fetchSignedManifest, manifestPath, pullScope, type SignedTarget } from './manifest.ts';
import { MANIFEST_ACCEPT, toMediaType } from './media-type.ts';
import type { Digest } from './reference.ts';
import type { SignedManifest } from './types.ts';

/** Where verified manifests are kept. */
export interface ManifestStore {
  get(key: ManifestKey): SignedManifest | undefined;
  set(key: ManifestKey, manifest: SignedManifest): void;
}
type ManifestKey = { readonly registry: string; readonly repository: string; readonly digest: string };

/** Who may read which repository. */
export interface AccessStore {
  isGranted(access: Access): boolean;
  grant(access: Access, askedAt: number): void;
  verify(access: Access, digest: string, check: () => Promise<boolean>): Promise<boolean>;
  now(): number;
}
type Access = {
  readonly registry: string;
  readonly repository: string;
  readonly authorization: string | undefined;
};

export type SignedManifestsOptions = {
  readonly store: ManifestStore;
  readonly access: AccessStore;
  /** For the registry's part of one pull, in milliseconds. */
  readonly deadlineMs?: number;
  readonly onCache?: (result: 'hit' | 'miss') => void;
  /** Told that a caller joined a fetch under way. */
  readonly onShared?: () => void;
};

export interface SignedManifests {
  fetch(client: HttpClient, repository: string, target: SignedTarget, caller: Caller): Promise<SignedResult>;
  /** A manifest from memory, if the caller's right to read it is known; asks nobody. */
  recall(client: HttpClient, repository: string, digest: Digest, caller: Caller): SignedManifest | undefined;
  /** Keeps a manifest the registry gave this caller, whose bytes were compared with its digest. */
  keep(client: HttpClient, repository: string, confirmed: Confirmed, caller: Caller): void;
  /** Milliseconds since some fixed moment. */
  now(): number;
}
/** Bytes that have the digest, and the Content-Type they came under. */
export type Confirmed = {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  /** `now()` before the registry was asked. */
  readonly askedAt: number;
};
export type SignedResult =
  | ManifestResult
  | { readonly kind: 'failed'; readonly reason: 'deadline_exceeded'; readonly what: string };

/** Below the 30 s after which containerd gives up without headers (§0.10), beside the trust resolution before it. */
const DEADLINE_MS = 15_000;

export function createSignedManifests(options: SignedManifestsOptions): SignedManifests {
  const { store, access } = options;
  const flights = new Map<string, Promise<SignedResult>>();

  const fetchAndKeep = (...[client, repository, target, caller]: FetchArguments): Promise<SignedResult> =>
    withDeadline(options.deadlineMs ?? DEADLINE_MS, caller.signal, async (signal) => {
      const askedAt = access.now();
      const result = await fetchSignedManifest(client, repository, target, { ...caller, signal });
      if (result.kind === 'manifest') {
        store.set({ registry: client.upstream, repository, digest: target.digest }, result.manifest);
        if (client.auth === 'passthrough') access.grant(toAccess(client, repository, caller), askedAt);
      }
      if (result.kind === 'failed' && result.reason === 'registry_unreachable' && isLate(signal)) {
        return { kind: 'failed', reason: 'deadline_exceeded', what: 'the registry did not answer in time' };
      }
      return result;
    });

  /** With our own account every caller is sent the same, so one request serves all who wait. */
  const share = (...[client, repository, target]: FetchArguments): Promise<SignedResult> => {
    const key = [client.upstream, repository, target.digest, target.length].join('|');
    const running = flights.get(key);
    if (running !== undefined) {
      options.onShared?.();
      return running;
    }
    // Nobody's signal: one caller going away must not take the answer from the others.
    const flight = fetchAndKeep(client, repository, target, {}).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };

  return {
    async fetch(client, repository, target, caller) {
      const key = { registry: client.upstream, repository, digest: target.digest };
      const kept = store.get(key);
      // A length signed differently from the bytes kept goes the long way and fails there.
      const hit = kept?.bytes.length === target.length ? kept : undefined;
      const shared = client.auth !== 'passthrough';
      if (hit !== undefined && (shared || (await mayRead(access, client, repository, target, caller)))) {
        options.onCache?.('hit');
        return { kind: 'manifest', manifest: hit };
      }
      options.onCache?.('miss');
      // A caller the registry did not let in goes to the registry itself, so the refusal is the registry's own.
      return shared
        ? share(client, repository, target, caller)
        : fetchAndKeep(client, repository, target, caller);
    },
    recall(client, repository, digest, caller) {
      const isKnown = client.auth !== 'passthrough' || access.isGranted(toAccess(client, repository, caller));
      const kept = isKnown ? store.get({ registry: client.upstream, repository, digest }) : undefined;
      options.onCache?.(kept === undefined ? 'miss' : 'hit');
      return kept;
    },
    keep(client, repository, { digest, bytes, contentType, askedAt }, caller) {
      if (client.auth === 'passthrough') access.grant(toAccess(client, repository, caller), askedAt);
      // Of another type than the four it is served to whoever asks the registry for it, and not from here.
      const mediaType = toMediaType(bytes, contentType);
      if (mediaType !== undefined)
        store.set({ registry: client.upstream, repository, digest }, { digest, mediaType, bytes });
    },
    now: access.now,
  };
}

type FetchArguments = Parameters<SignedManifests['fetch']>;

function toAccess(client: HttpClient, repository: string, { authorization }: Caller): Access {
  return { registry: client.upstream, repository, authorization };
}

/** A remembered grant, or a HEAD of the manifest by digest with the caller's credentials. */
function mayRead(
  access: AccessStore,
  ...[client, repository, target, caller]: FetchArguments
): Promise<boolean> {
  return access.verify(toAccess(client, repository, caller), target.digest, async () => {
    try {
      const { status } = await client.head(manifestPath(repository, target.digest), {
        headers: { accept: MANIFEST_ACCEPT },
        scope: pullScope(repository),
        authorization: caller.authorization,
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      return status === 200;
    } catch {
      // Not a yes; the request that follows says what is wrong.
      return false;
    }
  });
}
