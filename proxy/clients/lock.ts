/** Derives from configuration and options what clients must be locked to. Pure. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Config, ListenConfig, RegistryConfig } from '../config/types.ts';
import { DOCKER_HUB, isRegistry } from '../names/reference.ts';
import { HUB_CANARY } from '../policy/canary.ts';
import { listBlockedHosts } from './egress/egress-hosts.ts';
import { DOCKER_HUB_ALIASES } from './hub.ts';
import { LockError } from './lock-error.ts';
import type { Lock, LockedRegistry, ProxyEndpoint } from './types.ts';

export type LockOptions = {
  /** Address clients use for the proxy; undefined: derived from `listen`. */
  readonly proxy?: string | undefined;
  /** Path on the node of the CA certificate that issued the proxy's certificate. */
  readonly ca?: string | undefined;
};

/** @throws LockError when the proxy's address is unknown, or does not reach every configured registry. */
export function createLock(config: Config, options: LockOptions): Lock {
  const endpoint = parseProxy(options.proxy ?? deriveUrl(config.listen));
  const proxy = {
    ...endpoint,
    ca: checkCa(options.ca, endpoint),
    wantsClientCertificate: config.listen.tls?.clientCa !== undefined,
  };
  const owner = config.registries.find(({ hosts }) => isOneOf(hosts, proxy));
  if (owner !== undefined && config.registries.length > 1) {
    throw new LockError(
      `${proxy.authority} is one of the hosts of ${owner.name} and reaches that registry only; give another address of the proxy with --proxy`,
    );
  }
  const registries = config.registries.map((registry) => toLocked(registry, config, owner === registry));
  return {
    proxy,
    registries,
    names: spellings(registries),
    defaultRegistry: owner?.name ?? config.defaultRegistry,
    blocked: listBlockedHosts(config.registries, proxy),
    intercepted: config.listen.connect?.certificates.flatMap(({ hosts }) => hosts) ?? [],
    canary: config.policy.canary,
  };
}

/**
 * What is known on a node that has no configuration of the proxy: its address. Docker Hub is locked, and so is every
 * registry the node's own files name.
 *
 * @throws LockError when the text is not a proxy address.
 */
export function createLockWithoutConfig(proxy: string, ca: string | undefined): Lock {
  const endpoint = parseProxy(proxy);
  const registries = [{ name: DOCKER_HUB, aliases: DOCKER_HUB_ALIASES, path: `/${DOCKER_HUB}` }];
  return {
    proxy: { ...endpoint, ca: checkCa(ca, endpoint), wantsClientCertificate: false },
    registries,
    names: spellings(registries),
    defaultRegistry: undefined,
    blocked: listBlockedHosts([], endpoint),
    intercepted: [],
    canary: HUB_CANARY,
  };
}

function spellings(registries: readonly LockedRegistry[]): readonly string[] {
  const served = registries.flatMap(({ name, aliases }) => [name, ...aliases]);
  return [...new Set([...served, DOCKER_HUB, ...DOCKER_HUB_ALIASES])];
}

type Address = Omit<ProxyEndpoint, 'ca' | 'wantsClientCertificate'>;

function parseProxy(text: string): Address {
  const [, scheme, authority = ''] = /^(https?):\/\/([^/?#@]+)\/?$/.exec(text.toLowerCase()) ?? [];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (scheme !== 'http' && scheme !== 'https') || !isRegistry(authority)) {
    throw new LockError(`invalid proxy address "${text}"; write --proxy https://host:port, without a path`);
  }
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  // Clients compare text: a default port that is written out would be another registry for some of them.
  return { url: `${scheme}://${url.host}`, scheme, authority: url.host, host: bare(url.hostname), port };
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function deriveUrl({ address, port, tls }: ListenConfig): string {
  const host = isWildcard(address) ? certifiedName(tls?.cert.pem) : address;
  if (host === undefined) {
    throw new LockError(
      `listen.address is ${address}, which no client can connect to; give the address they use with --proxy ${tls === undefined ? 'http' : 'https'}://host:${port}`,
    );
  }
  if (port === 0)
    throw new LockError('listen.port is 0, which takes any free port; give the address with --proxy');
  return `${tls === undefined ? 'http' : 'https'}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}

/** The first DNS name of a certificate that is not a wildcard: clients must use it anyway. */
function certifiedName(pem: string | undefined): string | undefined {
  if (pem === undefined) return undefined;
  const names = new X509Certificate(pem).subjectAltName?.split(', ') ?? [];
  return names.find((name) => /^DNS:[a-z0-9]/i.test(name))?.slice('DNS:'.length);
}

function checkCa(ca: string | undefined, { scheme, url }: Address): string | undefined {
  if (ca === undefined) return undefined;
  if (scheme === 'http') throw new LockError(`${url} does not use TLS, so --ca has no effect; remove --ca`);
  if (!/^\/[A-Za-z0-9._/@+:-]+$/.test(ca)) {
    throw new LockError(
      `--ca must be an absolute path without special characters, not "${ca}"; write the path of the file on the client's node`,
    );
  }
  return ca;
}

function isOneOf(hosts: readonly string[], { authority, host }: Address): boolean {
  return hosts.some((name) => name.toLowerCase() === authority || name.toLowerCase() === host);
}

function toLocked({ name, aliases }: RegistryConfig, config: Config, ownsHost: boolean): LockedRegistry {
  const all = name === DOCKER_HUB ? [...new Set([...aliases, ...DOCKER_HUB_ALIASES])] : aliases;
  return { name, aliases: all, path: ownsHost ? '' : pathTo(name, config.defaultRegistry) };
}

/** proxy/README.md, "1. Route": the first path segment names the registry. A name with a port cannot be a path segment. */
function pathTo(name: string, defaultRegistry: string | undefined): string | undefined {
  if (!name.includes(':')) return `/${name}`;
  return name === defaultRegistry ? '' : undefined;
}
