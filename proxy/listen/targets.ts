/** What a CONNECT may name, and which of it may be tunnelled. Pure. */

import { isIP } from 'node:net';
import { toAuthority } from '../names/registry-table.ts';
import { SENTENCES } from '../words.ts';

/** A CONNECT's request-target, in lower case (RFC 9112 §3.2.3). */
export type Target = {
  /** A host name, an IPv4 address, or an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
};

const HOST = '(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|\\[[0-9a-f:.]{2,45}\\])';
const TARGET = new RegExp(`^(${HOST}):([1-9][0-9]{0,4})$`);
const PATTERN = new RegExp(`^(?:\\*\\.)?(${HOST}):([1-9][0-9]{0,4})$`);
const MAX_PORT = 65_535;

/** @returns undefined for anything but `host:port`. */
export function parseTarget(text: string): Target | undefined {
  const [, host, port] = TARGET.exec(text.toLowerCase()) ?? [];
  return host === undefined || Number(port) > MAX_PORT ? undefined : { host, port: Number(port) };
}

/** The target as registries and certificates are looked up by: without the port of HTTPS. */
export function authorityOf({ host, port }: Target): string {
  return toAuthority(`${host}:${port}`);
}

/** `auth.docker.io:443`, or `*.example.com:443` for any name with exactly one label more. */
export function isTunnelPattern(text: string): boolean {
  const [, host = '', port] = PATTERN.exec(text) ?? [];
  if (host === '' || Number(port) > MAX_PORT) return false;
  // `*.` in front of an address, or of a whole top-level domain, is a mistake.
  return (
    !isWildcard(text) ||
    (isIP(host.replace(/^\[|\]$/g, '')) === 0 && host.includes('.') && !endsInNumber(host))
  );
}

/** No name of a host does: what ends like that is an address in one of the spellings resolvers take (`127.1`, `0x7f.1`). */
function endsInNumber(host: string): boolean {
  return /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/.test(host);
}

export function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*.');
}

export function covers(pattern: string, { host, port }: Target): boolean {
  if (!isWildcard(pattern)) return pattern === `${host}:${port}`;
  const dot = host.indexOf('.');
  return dot > 0 && !endsInNumber(host) && `*${host.slice(dot)}:${port}` === pattern;
}

/** What is to be done with a target. */
export type Verdict =
  | { readonly kind: 'terminate'; readonly authority: string }
  /** `anywhere`: the operator wrote this very name, so it may lead to a private address too. */
  | { readonly kind: 'tunnel'; readonly target: Target; readonly anywhere: boolean }
  | { readonly kind: 'refuse'; readonly message: string };

export type Allowed = {
  /** Authorities there is a certificate for. */
  readonly certified: Pick<ReadonlySet<string>, 'has'>;
  readonly tunnel: readonly string[];
  /** The registry that goes by this authority, if any. */
  readonly registryAt: (authority: string) => string | undefined;
};

/** A registry is never tunnelled, whatever the patterns say: that would be a way around every rule. */
export function judgeTarget(target: Target, { certified, tunnel, registryAt }: Allowed): Verdict {
  const authority = authorityOf(target);
  const registry = registryAt(authority);
  if (registry !== undefined) {
    if (certified.has(authority)) return { kind: 'terminate', authority };
    return { kind: 'refuse', message: SENTENCES.noCertificate(authority) };
  }
  const matching = tunnel.filter((pattern) => covers(pattern, target));
  if (matching.length > 0)
    return { kind: 'tunnel', target, anywhere: matching.some((pattern) => !isWildcard(pattern)) };
  return { kind: 'refuse', message: SENTENCES.unknownRegistry(authority) };
}

/** Whether an open tunnel would be opened again now, and led to the same addresses. */
export function isStillTunnelled(
  to: { readonly target: Target; readonly anywhere: boolean },
  allowed: Allowed,
): boolean {
  const verdict = judgeTarget(to.target, allowed);
  // The name inside was, or is to be, the one it was opened for: on any port, that may have become a registry's.
  const fault = judgeServerName(toServerName(to.target), to.target, allowed.registryAt);
  // It may have reached a private address, which a wildcard alone does not allow.
  return verdict.kind === 'tunnel' && fault === undefined && (verdict.anywhere || !to.anywhere);
}

/** Whether a connection for this authority would be terminated again now. */
export function isStillTerminated(authority: string, { certified, registryAt }: Allowed): boolean {
  return registryAt(authority) !== undefined && certified.has(authority);
}

/** What is wrong with the name that TLS asks for inside a tunnel: an edge serves what it is asked for, not what CONNECT named. */
export function judgeServerName(
  name: string | undefined,
  target: Target,
  registryAt: Allowed['registryAt'],
): string | undefined {
  if (name !== undefined && registryAt(name) !== undefined)
    return `TLS asks for ${quote(name)}, a registry; a registry is never tunnelled`;
  const expected = toServerName(target);
  if (name === expected) return undefined;
  const found = name === undefined ? 'no name' : quote(name);
  return `TLS asks for ${found} inside a tunnel to ${target.host}; it must ask for ${expected ?? 'none'}`;
}

/** @returns undefined for an address: a handshake carries names only (RFC 6066 §3). */
function toServerName({ host }: Target): string | undefined {
  return isIP(host.replace(/^\[|\]$/g, '')) === 0 ? host : undefined;
}

/** For people and logs: bytes of a client's choice, short and printable. */
function quote(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
