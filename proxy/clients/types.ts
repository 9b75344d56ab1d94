/** What the renderers are given, and what they give back. All of it is plain data. */
import type { Canary } from '../policy/types.ts';

/** The proxy as its clients address it. */
export type ProxyEndpoint = {
  /** `https://host[:port]` or `http://host[:port]`; never a path, which clients interpret in different ways. */
  readonly url: string;
  readonly scheme: 'http' | 'https';
  /** `host[:port]`, as it stands in image references. */
  readonly authority: string;
  /** Without brackets and port. */
  readonly host: string;
  readonly port: number;
  /** Path on the node of the CA certificate that issued the proxy's certificate; undefined: the system's CAs. */
  readonly ca: string | undefined;
  /** Whether the proxy asks its clients for a certificate (`listen.tls.clientCa`). */
  readonly wantsClientCertificate: boolean;
};

export type LockedRegistry = {
  /** As in image references. */
  readonly name: string;
  /** Other spellings, which clients take for registries of their own. */
  readonly aliases: readonly string[];
  /**
   * What stands between the proxy's authority and the repository: `/docker.io`, or nothing where the proxy's address
   * means this registry. undefined: no path reaches it there.
   */
  readonly path: string | undefined;
};

/** What a client must be locked to. */
export type Lock = {
  readonly proxy: ProxyEndpoint;
  readonly registries: readonly LockedRegistry[];
  /** Every spelling of every registry above, and of Docker Hub, which a short name means on every client. */
  readonly names: readonly string[];
  /** The registry of requests that name none, as a dockerd's with a mirror do. */
  readonly defaultRegistry: string | undefined;
  readonly blocked: BlockedHosts;
  /** Names whose CONNECT the proxy ends with a certificate for them (`listen.connect`). */
  readonly intercepted: readonly string[];
  /** A successful pull of it shows that the client bypasses the proxy. */
  readonly canary: Canary;
};

/** Where images must not come from directly. */
export type BlockedHosts = {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly number[];
};

export type ClientFile = {
  /** Absolute path on the node. */
  readonly path: string;
  readonly content: string;
  /** The file usually exists and holds other settings: these lines go into it. */
  readonly merge: boolean;
};

export type ClientTest = { readonly command: string; readonly expected: string };

export type ClientKit = {
  readonly title: string;
  /** The limits of this form, printed first. */
  readonly warnings: readonly string[];
  readonly files: readonly ClientFile[];
  /** In order; they complete the lock. */
  readonly steps: readonly string[];
  readonly tests: readonly ClientTest[];
};
