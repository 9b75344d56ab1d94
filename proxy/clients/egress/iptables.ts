/** Egress by name: the name of a registry is in the clear in the TLS greeting (SNI) and in plain HTTP's Host. */
import { isIP } from 'node:net';
import type { Lock, ProxyEndpoint } from '../types.ts';

export function renderIptables({ proxy, blocked }: Lock): string {
  const ports = matchPorts(blocked.ports);
  return [
    '# Rejects connections to registries by name at once, from this machine and its containers. A name is',
    '# recognised in the TLS greeting and in the Host header; rules by address would miss every new address of a CDN.',
    '# The same file is for iptables-restore and ip6tables-restore. It adds a chain; pullwarden-egress.service puts it in.',
    '*filter',
    ':PULLWARDEN - [0:0]',
    '-A PULLWARDEN -o lo -j RETURN',
    ...exemptProxy(proxy, blocked.ports),
    ...blocked.names.map((name) => `-A PULLWARDEN ${ports} ${byName(name)} -j ${REJECT}`),
    ...blocked.addresses.map((ip) => `-${isIP(ip)} -A PULLWARDEN -d ${ip} ${ports} -j ${REJECT}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** multiport takes fifteen ports; where there are more, the names are refused on every one. */
export function matchPorts(ports: readonly number[]): string {
  return ports.length > 15 ? '-p tcp' : `-p tcp -m multiport --dports ${ports.join(',')}`;
}

const REJECT = 'REJECT --reject-with tcp-reset';

function byName(name: string): string {
  return `-m string --string "${name}" --algo bm`;
}

/** Only where the ports overlap: a request to the proxy names a registry too, in `?ns=` or as its Host. */
function exemptProxy({ host, port }: ProxyEndpoint, ports: readonly number[]): readonly string[] {
  if (!ports.includes(port)) return [];
  if (isIP(host) === 0) return [`-A PULLWARDEN -p tcp --dport ${port} ${byName(host)} -j RETURN`];
  return [`-${isIP(host)} -A PULLWARDEN -p tcp -d ${host} --dport ${port} -j RETURN`];
}
