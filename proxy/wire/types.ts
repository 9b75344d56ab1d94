/** What neighbours may see of wire/: a parsed request, and what goes back to the client. */

import type { Digest, Gun } from '../names/reference.ts';
import type { DenyReason, OciCode } from '../reason.ts';

/**
 * How a request said which registry it means (proxy/README.md, "1. Route"). `ns` and `prefix` only come from clients of a
 * mirror.
 */
export type RoutedBy = 'ns' | 'prefix' | 'host' | 'path' | 'default';

/** How a request was addressed: it chooses the form of a refusal (refusal-forms.ts), never whether there is one. */
export type Addressed = {
  readonly by: RoutedBy;
  /** The registry as the query named it, to be echoed as `OCI-Namespace`. */
  readonly ns: string | undefined;
  /** The Host is a name of the registry itself: the client has nothing behind us to go on to. */
  readonly isOwnName: boolean;
};

type Routed = Addressed & {
  /** Canonical name of the registry; aliases are resolved. */
  readonly registry: string;
};

type RoutedRepository = Routed & {
  readonly repository: string;
  readonly gun: Gun;
};

/** A request the grammar accepts. Whatever goes upstream is built from these parts alone. */
export type Route =
  /** `registry` is undefined when the request names none and there is no default. */
  | (Addressed & { readonly kind: 'base'; readonly registry: string | undefined })
  | (RoutedRepository & { readonly kind: 'manifest'; readonly reference: TagOrDigest })
  | (RoutedRepository & { readonly kind: 'blob'; readonly digest: Digest })
  | (RoutedRepository & {
      readonly kind: 'referrers';
      readonly digest: Digest;
      readonly artifactType: string | undefined;
      /** A later page: the query of the registry's own link to it. */
      readonly page: string | undefined;
      /** Where the client asked: our own `Link` leads back there. */
      readonly path: string;
    })
  | (RoutedRepository & {
      readonly kind: 'tags';
      readonly n: number | undefined;
      readonly last: string | undefined;
      /** Where the client asked: our own `Link` leads back there, with its `ns`. */
      readonly path: string;
    })
  /** A metadata file of a trust server: `root.json`, `3.root.json`, `targets/releases.<sha256>.json`. */
  | (RoutedRepository & { readonly kind: 'trust'; readonly file: string });

export type TagOrDigest =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'digest'; readonly digest: Digest };

/** A refusal before it is put on the wire. */
export type Refusal = {
  readonly reason: DenyReason;
  /** One sentence: what was expected, and what to do next. */
  readonly message: string;
  /** Where the reason alone does not say it. */
  readonly code?: OciCode;
  /** An upstream's own Retry-After, in place of ours. */
  readonly retryAfter?: string | undefined;
};

/** What a request that names no configured registry asked for, for the record. */
export type UnknownNamespace = {
  readonly registry: string;
  readonly repository: string;
  readonly reference: TagOrDigest | undefined;
};

export type RouteResult =
  | { readonly kind: 'route'; readonly route: Route }
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal;
      readonly unknown?: UnknownNamespace;
      /** Absent when the grammar refused the request. */
      readonly addressed?: Addressed;
    };

/** A complete answer. On HEAD the body stays behind; `Content-Length` is that of the body all the same. */
export type Response = {
  readonly status: number;
  /** The HTTP reason phrase; undefined: the standard one. */
  readonly reasonPhrase: string | undefined;
  readonly headers: ReadonlyMap<string, string | readonly string[]>;
  readonly body: Uint8Array | undefined;
};

/** A manifest whose bytes were compared with the signed digest and length, or with the digest asked for. */
export type { Confirmed as SignedManifest } from '../content/confirmed.ts';
