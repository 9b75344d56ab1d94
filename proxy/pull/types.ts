/** What the pipeline is given, and what it gives back. */

import type { Forward } from '../forward/types.ts';
import type { Access } from '../names/access.ts';
import type { Gun } from '../names/reference.ts';
import type { RegistryTable } from '../names/registry-table.ts';
import type { Policy, TrustOutcome } from '../policy/types.ts';
import type { ImageConfigs } from '../registry/image-configs.ts';
import type { SignedManifests } from '../registry/signed-manifests.ts';
import type { DecisionRecord } from '../telemetry/decisions.ts';
import type { HttpClient } from '../upstream/types.ts';
import type { RawRequest } from '../wire/route.ts';
import type { Response } from '../wire/types.ts';

/** One request as it came over the wire; of its headers, the four that count. */
export type PullRequest = RawRequest & {
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly userAgent: string | undefined;
  /** The client's address, for the record. */
  readonly client: string;
  /** Subject of the client's certificate, for the record; undefined where none was verified. */
  readonly identity?: string | undefined;
  /** Its client holds too many connections: the answer is that, whatever was asked. */
  readonly isOverLimit?: boolean;
  readonly requestId: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
};

export type Answer =
  | { readonly kind: 'respond'; readonly response: Response }
  /** To be streamed; `Forward` says what becomes of it. */
  | { readonly kind: 'forward'; readonly forward: Forward };

/** What leaves. */
export type FinalAnswer = Answer & {
  /** The `ns` that was used to find the registry, to be echoed. */
  readonly namespace: string | undefined;
  /** What leaves instead where there is no room for the answer, in its client's form. */
  readonly busy: () => Response;
};

/** What a reload replaces, as a whole: one request sees one of them from beginning to end. */
export type PullConfig = {
  readonly table: RegistryTable;
  readonly policy: Policy;
  /** By canonical name. */
  readonly registries: ReadonlyMap<string, HttpClient>;
  /** Trust servers by canonical name of their registry, for the clients that read signatures themselves. */
  readonly trustServers: ReadonlyMap<string, HttpClient>;
  /** How long verified trust counts as fresh, in milliseconds. */
  readonly trustRefreshMs: number;
};

/** A file of a trust server as it came. */
export type TrustFile = { readonly bytes: Uint8Array; readonly contentType: string | undefined };
export interface TrustFiles {
  get(key: TrustFileKey, maxAgeMs: number): TrustFile | undefined;
  set(key: TrustFileKey, file: TrustFile, askedAt: number): void;
  now(): number;
}
type TrustFileKey = { readonly gun: string; readonly file: string };

export type PullDeps = {
  readonly config: () => PullConfig;
  /** Fresh verified trust for a repository, or why there is none. `client` is the address that asks, for fairness. */
  readonly trustFor: (registry: string, gun: Gun, client: string) => Promise<TrustOutcome>;
  readonly manifests: SignedManifests;
  readonly trustFiles: TrustFiles;
  readonly imageConfigs: ImageConfigs;
  /** Whether the registry lately let this caller read the repository. */
  readonly isGranted: (access: Access) => boolean;
  readonly record: (record: DecisionRecord) => void;
  readonly now: () => Date;
  /** Milliseconds since some fixed moment, for how long a decision took. */
  readonly monotonic: () => number;
  /** Told of every exception that should not have happened. */
  readonly onInternalError: (error: unknown, requestId: string) => void;
};
