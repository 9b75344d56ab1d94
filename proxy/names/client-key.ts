/** Who counts as one client where something is shared out: an IPv4 address, or the /64 of an IPv6 one. */
import { isIPv6 } from 'node:net';

/** IPv4 written in IPv6: as a socket for both has it, and as a translator in front of us writes it (RFC 6052 §2.1). */
const HOLDS_IPV4 = /^(?:0:0:0:0:0:ffff|64:ff9b:0:0:0:0):([0-9a-f]+):([0-9a-f]+)$/;

/** @returns the same text for all addresses one subscriber can choose from; an empty one for no address. */
export function toClientKey(address: string | undefined): string {
  const [bare = ''] = (address ?? '').split('%', 1);
  if (!isIPv6(bare)) return bare;
  const groups = groupsOf(bare);
  const [, high, low] = HOLDS_IPV4.exec(groups.join(':')) ?? [];
  if (high !== undefined && low !== undefined) return [...bytesOf(high), ...bytesOf(low)].join('.');
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** All eight groups, each without leading zeros. */
function groupsOf(address: string): readonly string[] {
  const [head = '', tail] = address.toLowerCase().split('::', 2);
  const [left, right] = [split(head), split(tail ?? '')];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right];
}

/** A dotted quad at the end stands for two groups. */
function split(text: string): readonly string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16).toString(16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
  });
}

function bytesOf(group: string): readonly number[] {
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 255];
}
