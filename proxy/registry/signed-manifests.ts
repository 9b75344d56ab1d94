/**
 * Manifests from memory or from the registry, and never one to a caller whose right to read the repository was not
 * checked (registry-clients.md §4.3).
 */

import type { Confirmed } from '../content/confirmed.ts';
import { isHtml, MANIFEST_ACCEPT } from '../content/media-type.ts';
import type { Access } from '../names/access.ts';
import type { ContentKey } from '../names/content-key.ts';
import type { Digest } from '../names/reference.ts';
import { isLate, withDeadline } from '../upstream/deadline.ts';
import { createFlights, type Flights } from '../upstream/flights.ts';
import type { HttpClient } from '../upstream/types.ts';
import { CAUSES } from '../words.ts';
import {
  type Announced,
  type Caller,
  type DigestQuestion,
  fetchManifest,
  fetchSignedManifest,
  fetchTag,
  type ManifestResult,
  manifestPath,
  pullScope,
  type SignedTarget,
  type TagQuestion,
  type Unmodified,
} from './manifest.ts';

/** Where verified manifests are kept. */
export interface ManifestStore {
  get(key: ContentKey): Confirmed | undefined;
  set(key: ContentKey, manifest: Confirmed): void;
  /** Keeps it for a while out of reach of what others have kept. @param holder who asked for it. */
  hold(key: ContentKey, manifest: Confirmed, holder: string): void;
}

/** Who may read which repository. */
export interface AccessStore {
  isGranted(access: Access): boolean;
  grant(access: Access, askedAt: number): void;
  verify(access: Access, digest: string, check: () => Promise<boolean>): Promise<boolean>;
  /** The same text for the same caller and repository, and nothing of the credentials in it. */
  keyOf(access: Access): string;
  now(): number;
}

/** A caller, and the address it came from. */
export type Asking = Caller & { readonly client?: string };

export type SignedManifestsOptions = {
  readonly store: ManifestStore;
  readonly access: AccessStore;
  /** For the registry's part of one pull, in milliseconds: the question for the right to read, and the fetch. */
  readonly deadlineMs?: number;
  readonly onCache?: (result: 'hit' | 'miss') => void;
  /** Told that a caller joined a fetch under way. */
  readonly onShared?: () => void;
};

export interface SignedManifests {
  fetch(client: HttpClient, repository: string, target: SignedTarget, caller: Asking): Promise<SignedResult>;
  /** A manifest from memory, if the caller's right to read it is known; asks nobody. */
  recall(client: HttpClient, repository: string, digest: Digest, caller: Caller): Confirmed | undefined;
  /** A manifest by digest from the registry, kept once it was compared. */
  fetchByDigest(
    client: HttpClient,
    repository: string,
    question: DigestQuestion,
    caller: Caller,
  ): Promise<SignedResult | Unmodified>;
  /** A tag no rule judges; nothing of it is kept. */
  fetchByTag(
    client: HttpClient,
    repository: string,
    question: TagQuestion,
    caller: Caller,
  ): Promise<SignedResult | Announced>;
}

export type SignedResult = ManifestResult;

/**
 * Below the 30 s after which containerd gives up without headers (registry-clients.md §0.10), beside the trust resolution
 * before it.
 */
const DEADLINE_MS = 15_000;
const LATE = {
  kind: 'failed',
  reason: 'deadline_exceeded',
  what: CAUSES.isLate,
} as const satisfies SignedResult;

export function createSignedManifests(options: SignedManifestsOptions): SignedManifests {
  return new Manifests(options);
}

class Manifests implements SignedManifests {
  readonly #options: SignedManifestsOptions;
  readonly #store: ManifestStore;
  readonly #access: AccessStore;
  readonly #deadlineMs: number;
  readonly #flights: Flights<SignedResult | Unmodified>;

  constructor(options: SignedManifestsOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#access = options.access;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#flights = createFlights<SignedResult | Unmodified>(LATE, { onShared: options.onShared });
  }

  async fetch(
    client: HttpClient,
    repository: string,
    target: SignedTarget,
    caller: Asking,
  ): Promise<SignedResult> {
    const started = performance.now();
    const key = { registry: client.upstream, repository, digest: target.digest };
    const hold = (manifest: Confirmed): void => this.#store.hold(key, manifest, caller.client ?? '');
    const kept = this.#store.get(key);
    // A length signed differently from the bytes kept goes the long way and fails there.
    const hit = kept?.bytes.length === target.length ? kept : undefined;
    if (hit !== undefined && (await this.#mayRead(client, repository, target, caller))) {
      this.#options.onCache?.('hit');
      hold(hit);
      return { kind: 'manifest', manifest: hit };
    }
    this.#options.onCache?.('miss');
    const ms = this.#deadlineMs - (performance.now() - started);
    if (ms <= 0) return LATE;
    // A caller the registry did not let in goes to the registry itself, so the refusal is the registry's own.
    const joining = { client, repository, caller, ms };
    const result = await this.#join(['signed', target.digest, target.length], joining, (signal) => {
      const asked = { authorization: caller.authorization, signal };
      return this.#keeping(joining, () => fetchSignedManifest(client, repository, target, asked));
    });
    if (result.kind === 'manifest') hold(result.manifest);
    return result;
  }

  recall(client: HttpClient, repository: string, digest: Digest, caller: Caller): Confirmed | undefined {
    const isKnown =
      client.auth !== 'passthrough' || this.#access.isGranted(toAccess(client, repository, caller));
    const kept = isKnown ? this.#store.get({ registry: client.upstream, repository, digest }) : undefined;
    this.#options.onCache?.(kept === undefined ? 'miss' : 'hit');
    return kept;
  }

  fetchByDigest(
    client: HttpClient,
    repository: string,
    question: DigestQuestion,
    caller: Caller,
  ): Promise<SignedResult | Unmodified> {
    const joining = { client, repository, caller, ms: this.#deadlineMs };
    const { digest, accept, isKnown } = question;
    return this.#join(['digest', digest, accept ?? '', isKnown], joining, (signal) => {
      const asked = { authorization: caller.authorization, signal };
      return this.#keeping(joining, () => fetchManifest(client, repository, question, asked));
    });
  }

  fetchByTag(
    client: HttpClient,
    repository: string,
    question: TagQuestion,
    caller: Caller,
  ): Promise<SignedResult | Announced> {
    return withDeadline(this.#deadlineMs, caller.signal, async (signal) => {
      const asked = { authorization: caller.authorization, signal };
      const result = await fetchTag(client, repository, question, asked);
      return result.kind === 'failed' && isLate(signal) ? LATE : result;
    });
  }

  /** Callers who are sent the same: with our own account all of them, else those with the same credentials. */
  #join<Result extends SignedResult | Unmodified>(
    name: readonly unknown[],
    { client, repository, caller, ms }: Joining,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const who = client.auth === 'passthrough' ? this.#access.keyOf(toAccess(client, repository, caller)) : '';
    const key = JSON.stringify([client.upstream, repository, who, ...name]);
    // The name says which question it is, and with it which results there can be.
    return this.#flights.join(key, { signal: caller.signal, ms }, work) as Promise<Result>;
  }

  /** Asks, and remembers what was given and to whom. */
  async #keeping<Result extends ManifestResult | Unmodified>(
    { client, repository, caller }: Joining,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const askedAt = this.#access.now();
    const result = await work();
    if (result.kind === 'manifest') {
      const { manifest } = result;
      this.#store.set({ registry: client.upstream, repository, digest: manifest.digest }, manifest);
      if (client.auth === 'passthrough') this.#access.grant(toAccess(client, repository, caller), askedAt);
    }
    return result;
  }

  /** A remembered grant, or a HEAD of the manifest by digest with the caller's credentials. */
  async #mayRead(
    client: HttpClient,
    repository: string,
    { digest }: SignedTarget,
    { authorization }: Caller,
  ): Promise<boolean> {
    if (client.auth !== 'passthrough') return true;
    return this.#access.verify(toAccess(client, repository, { authorization }), digest, async () => {
      try {
        return await withDeadline(this.#deadlineMs, undefined, (signal) =>
          saysYes(client, repository, digest, { authorization, signal }),
        );
      } catch {
        // Not a yes; the request that follows says what is wrong.
        return false;
      }
    });
  }
}

type Joining = {
  readonly client: HttpClient;
  readonly repository: string;
  readonly caller: Caller;
  /** How long the caller waits, in milliseconds. */
  readonly ms: number;
};

function toAccess(client: HttpClient, repository: string, { authorization }: Caller): Access {
  return { registry: client.upstream, repository, authorization };
}

/**
 * A yes names the digest: any page answers 200. Where a registry leaves it out the manifest itself is asked for, and
 * compared, by the fetch that follows.
 */
async function saysYes(
  client: HttpClient,
  repository: string,
  digest: Digest,
  caller: Caller,
): Promise<boolean> {
  const { status, headers } = await client.head(manifestPath(repository, digest), {
    headers: { accept: MANIFEST_ACCEPT },
    scope: pullScope(repository),
    ...caller,
  });
  const isNamed = headers.get('docker-content-digest')?.join() === digest;
  return status === 200 && isNamed && !isHtml(headers.get('content-type')?.join());
}
