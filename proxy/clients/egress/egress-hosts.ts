/** The hosts a node must not reach by itself: Docker Hub's, and those of the registries the proxy serves. */
import { isIP } from 'node:net';
import type { RegistryConfig } from '../../config/types.ts';
import { DOCKER_HUB } from '../../names/reference.ts';
import { DOCKER_HUB_HOSTS } from '../hub.ts';
import type { BlockedHosts, ProxyEndpoint } from '../types.ts';

/** Longest text xt_string compares. */
const MAX_NAME = 128;

type Place = { readonly host: string; readonly port: number };

export function listBlockedHosts(
  registries: readonly Pick<RegistryConfig, 'name' | 'aliases' | 'upstream'>[],
  proxy: Pick<ProxyEndpoint, 'host'>,
): BlockedHosts {
  const places = registries.flatMap(({ name, aliases, upstream }) => [
    ...[name, ...aliases].filter((text) => text !== DOCKER_HUB).map(toPlace),
    toPlace(upstream),
  ]);
  // A registry on the proxy's own host cannot be told from it by name or address.
  const others = places.filter(({ host }) => host !== proxy.host && host.length <= MAX_NAME);
  const hosts = [...new Set([...DOCKER_HUB_HOSTS, ...others.map(({ host }) => host)])].filter(
    (host) => host !== proxy.host,
  );
  return {
    names: hosts.filter((host) => isIP(host) === 0),
    addresses: hosts.filter((host) => isIP(host) !== 0),
    ports: [...new Set([80, 443, ...others.map(({ port }) => port)])].sort((a, b) => a - b),
  };
}

function toPlace(text: string): Place {
  const url = new URL(text.includes('://') ? text : `https://${text}`);
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}
