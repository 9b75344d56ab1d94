/**
 * The validated configuration: what every other folder is given. All of it is plain frozen data; durations are
 * milliseconds and paths absolute. What operators write, with every key, is config/pullwarden.example.yaml.
 */
import type { Policy } from '../policy/types.ts';

/** A file with one or more X.509 certificates. */
export type CertificateFile = {
  readonly path: string;
  /** The certificate blocks of the file as PEM, and nothing else of it. */
  readonly pem: string;
};

/** The proxy's own account. The password is the file's first line, read when it is needed. */
export type Account = { readonly kind: 'account'; readonly username: string; readonly passwordFile: string };

export type ListenConfig = {
  readonly address: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** undefined: plain HTTP. */
  readonly tls: TlsConfig | undefined;
  /** undefined: CONNECT is not supported. */
  readonly connect: ConnectConfig | undefined;
};

export type TlsConfig = {
  readonly cert: CertificateFile;
  /** Path of the private key, verified to match the certificate. */
  readonly key: string;
  /** undefined: clients need no certificate. */
  readonly clientCa: CertificateFile | undefined;
  /** Shown instead of `cert` to clients that ask for one of their names. */
  readonly certificates: readonly HostCertificateConfig[];
};

export type HostCertificateConfig = {
  readonly hosts: readonly string[];
  readonly cert: CertificateFile;
  /** As in `TlsConfig`. */
  readonly key: string;
};

export type ConnectConfig = {
  readonly certificates: readonly HostCertificateConfig[];
  /** Patterns of listen/targets.ts. */
  readonly tunnel: readonly string[];
};

export type AdminConfig = {
  readonly address: string;
  readonly port: number;
  /** Host names it answers to, besides IP addresses and localhost. */
  readonly hosts: readonly string[];
};

export type RegistryConfig = {
  /** Canonical name: the first part of image references and GUNs. */
  readonly name: string;
  /** `http://` or `https://` address with optional port and path, without a slash at its end. */
  readonly upstream: string;
  readonly aliases: readonly string[];
  /** Host names under which clients address this registry. */
  readonly hosts: readonly string[];
  /** What mirror URLs have in front of `/v2/`, such as `/hub`; undefined: nothing. */
  readonly prefix: string | undefined;
  /** undefined: the system's certificate authorities. */
  readonly ca: CertificateFile | undefined;
  readonly auth: { readonly kind: 'passthrough' } | Account;
  /** `host[:port]`, the one host the account may be shown to; undefined: the default in upstream/account/realm.ts. */
  readonly tokenServer: string | undefined;
  readonly trust: TrustServerConfig;
};

export type TrustServerConfig = {
  /** Same form as `upstream`. */
  readonly server: string;
  readonly ca: CertificateFile | undefined;
  readonly auth: { readonly kind: 'anonymous' } | Account;
  /** As for the registry. */
  readonly tokenServer: string | undefined;
};

export type StateConfig = { readonly kind: 'file'; readonly path: string } | { readonly kind: 'memory' };

/** What vouches for the root of the repositories a pattern covers; policy/pattern.ts picks the most specific. */
export type PinConfig =
  | { readonly kind: 'keys'; readonly match: string; readonly rootKeys: readonly string[] }
  | { readonly kind: 'ca'; readonly match: string; readonly ca: CertificateFile };

export type TrustConfig = {
  readonly state: StateConfig;
  readonly refreshMs: number;
  readonly timeoutMs: number;
  readonly firstUse: 'refuse' | 'accept';
  readonly pins: readonly PinConfig[];
};

export type LogConfig = {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'pretty';
};

export type Config = {
  /** Absolute path of the file it was read from. */
  readonly file: string;
  /** Hash of every setting that affects decisions (policy-hash.ts), for `pullwarden_policy_info{hash}`. */
  readonly hash: string;
  readonly listen: ListenConfig;
  readonly admin: AdminConfig;
  /** undefined: a request that names no registry is refused. */
  readonly defaultRegistry: string | undefined;
  readonly registries: readonly RegistryConfig[];
  readonly trust: TrustConfig;
  readonly policy: Policy;
  readonly log: LogConfig;
};
