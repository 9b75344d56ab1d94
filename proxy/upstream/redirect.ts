/**
 * Where a registry may send a client for a blob. The client goes there without credentials and compares the digest; what is
 * left is where it goes: not to what only its own machine or its neighbours can reach, because a registry says so.
 */
import { BlockList, isIP } from 'node:net';
import { isPublicAddress } from '../names/public-address.ts';

/** The upstream that redirects. */
export type Redirecting = {
  readonly baseUrl: URL;
  /** The address it was reached at. */
  readonly peer: string | undefined;
};

/** The five that a client follows (RFC 9110 §15.4). */
export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

/** An absolute URL, of characters that all parsers of URLs read alike. */
const ABSOLUTE = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/i;

/** Names are not looked up: where they lead is decided where the client is. */
export function isPlaceForBlobs(location: string | undefined, { baseUrl, peer }: Redirecting): boolean {
  if (location === undefined || !ABSOLUTE.test(location) || !URL.canParse(location)) return false;
  const url = new URL(location);
  if (url.username !== '' || url.password !== '') return false;
  const host = bareOf(url.hostname);
  // The operator named it.
  if (host === bareOf(baseUrl.hostname)) return true;
  if (isIP(host) === 0) return !OWN_NAMES.has(host) && !host.endsWith('.localhost');
  if (isPublicAddress(host)) return true;
  // A registry in a private network may have its store there, but never on the client's own machine.
  return peer !== undefined && !isPublicAddress(peer) && !own.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

/** Names of the machine itself in common host files. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  'localhost',
  'localhost.localdomain',
  'localhost6',
  'ip6-localhost',
  'ip6-loopback',
]);

/** The machine itself, its link, groups, what clouds tell their machines, and IPv6 that may lead to any of these. */
const own = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  own.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fd00:ec2::', 32],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  own.addSubnet(network, prefix, 'ipv6');

function bareOf(hostname: string): string {
  return hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}
