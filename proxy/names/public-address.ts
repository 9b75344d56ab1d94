/** Recognises addresses that are not public: a host name from outside must not lead there. */
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** IANA's special-purpose registries, multicast and reserved space; IPv4 written in IPv6 is compared as IPv4. */
const PRIVATE: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  // What a cloud's own machines ask of the host they run on.
  ['168.63.129.16', 32],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // With IPv4 inside, which a translator on the way may take out: `::10.0.0.1`, SIIT, 6to4, Teredo.
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['2002::', 16],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['5f00::', 16],
  ['100::', 64],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
];

const blocked = new BlockList();
for (const [network, prefix] of PRIVATE)
  blocked.addSubnet(network, prefix, isIP(network) === 4 ? 'ipv4' : 'ipv6');

export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && !blocked.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/** A lookup that fails where a name has no public address. What it returns is what is dialled: nothing is asked twice. */
export function publicOnly(lookup: LookupFunction): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null || typeof found === 'string') return callback(error, found);
      const open = found.filter(({ address }) => isPublicAddress(address));
      const [first] = open;
      if (first === undefined) return callback(new Error(`${host} has no public address`), []);
      if (options.all === true) return callback(null, open);
      callback(null, first.address, first.family);
    });
  };
}
