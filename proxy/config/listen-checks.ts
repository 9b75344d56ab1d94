/** Checks of the ways in: names that certificates are for, and hosts that are let through unopened. */
import { covers, isTunnelPattern, parseTarget } from '../listen/targets.ts';
import { isRegistry } from '../names/reference.ts';
import { toAuthority } from '../names/registry-table.ts';
import { type Finding, show } from './errors.ts';
import { fields, items, type TextEntry, texts } from './lookup.ts';
import { repeated } from './repeated.ts';

const TERMINATED = ['listen', 'connect', 'certificates'];
const SHOWN = ['listen', 'tls', 'certificates'];

export function listenFindings(value: unknown): readonly Finding[] {
  const terminated = hostsOf(value, TERMINATED);
  const shown = hostsOf(value, SHOWN);
  return [
    ...repeated(terminated.map(asAuthority), 'host'),
    ...unknownHosts(value, terminated),
    // A handshake names no port, so two ports of one name cannot have two certificates.
    ...repeated(shown.map(withoutPort), 'host'),
    ...tunnelFindings(value),
  ];
}

function hostsOf(value: unknown, list: readonly string[]): readonly TextEntry[] {
  const hosts = items(value, list).flatMap(({ path }) => texts(items(value, [...path, 'hosts'])));
  return hosts.filter(({ value: host }) => isRegistry(host));
}

function asAuthority({ path, value }: TextEntry): TextEntry {
  return { path, value: toAuthority(value) };
}

function withoutPort({ path, value }: TextEntry): TextEntry {
  return { path, value: value.replace(/:[0-9]+$/, '') };
}

/** Every name a registry is known by. */
function registryHosts(value: unknown): readonly string[] {
  const lists = items(value, ['registries']).flatMap(({ path }) =>
    ['aliases', 'hosts'].flatMap((key) => items(value, [...path, key])),
  );
  return texts([...fields(value, ['registries'], 'name'), ...lists]).map(({ value: host }) => host);
}

/** What is decrypted has to be judged by some registry's rules. */
function unknownHosts(value: unknown, hosts: readonly TextEntry[]): readonly Finding[] {
  const known = new Set(registryHosts(value).map(toAuthority));
  if (known.size === 0) return [];
  return hosts
    .filter(({ value: host }) => !known.has(toAuthority(host)))
    .map(({ path, value: host }) => ({
      path,
      what: `${show(host)} is not a name, alias or host of any configured registry`,
      next: 'add it to the aliases of one, or remove it here',
    }));
}

/** A tunnel to a registry would be a way around every rule. */
function tunnelFindings(value: unknown): readonly Finding[] {
  const tunnels = texts(items(value, ['listen', 'connect', 'tunnel'])).filter(({ value: pattern }) =>
    isTunnelPattern(pattern),
  );
  const registries = [...registryHosts(value), ...upstreamHosts(value)];
  return [
    ...repeated(tunnels, 'tunnel'),
    ...tunnels.flatMap(({ path, value: pattern }) => {
      const reached = registries.find((host) => reaches(pattern, host));
      if (reached === undefined) return [];
      const what = `${show(pattern)} would let clients bypass the proxy to the registry ${show(reached)}`;
      return [{ path, what, next: 'remove it, or list the hosts you mean one by one' }];
    }),
  ];
}

function reaches(pattern: string, host: string): boolean {
  // Without a port, a host of a registry is one with any port.
  const port = pattern.slice(pattern.lastIndexOf(':') + 1);
  const target = parseTarget(/:[0-9]+$/.test(host) ? host : `${host}:${port}`);
  return target !== undefined && covers(pattern, target);
}

function upstreamHosts(value: unknown): readonly string[] {
  return texts(fields(value, ['registries'], 'upstream')).flatMap(({ value: address }) => {
    const [, scheme, host] = /^(https?):\/\/([^/]+)/.exec(address) ?? [];
    if (host === undefined) return [];
    return [/:[0-9]+$/.test(host) ? host : `${host}:${scheme === 'http' ? 80 : 443}`];
  });
}
