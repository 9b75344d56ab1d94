/** Egress by address. nftables cannot search for a name, so this is the other way round: only the proxy is allowed. */
import { isIP } from 'node:net';
import type { Lock } from '../types.ts';

export function renderNftables({ proxy, blocked }: Lock): string {
  const ports = `{ ${blocked.ports.join(', ')} }`;
  const family = isIP(proxy.host);
  return [
    '# What runs as root (dockerd, containerd, CRI-O, buildkitd) reaches the proxy and nothing else on the ports of',
    '# registries. nftables compares addresses and not names, and the addresses of a registry change, so nothing is',
    '# listed as forbidden: the proxy and what you add to also4 and also6 (package mirrors, cloud services) is allowed.',
    ...(family === 0 ? lookUp(proxy.host) : []),
    '# Closed with it, among others:',
    ...[...blocked.names, ...blocked.addresses].map((host) => `#   ${host}`),
    'table inet pullwarden',
    'delete table inet pullwarden',
    'table inet pullwarden {',
    ...addressSet('proxy4', 'ipv4_addr', family === 4 ? proxy.host : undefined),
    ...addressSet('proxy6', 'ipv6_addr', family === 6 ? proxy.host : undefined),
    ...addressSet('also4', 'ipv4_addr', undefined),
    ...addressSet('also6', 'ipv6_addr', undefined),
    '  chain output {',
    '    type filter hook output priority filter; policy accept;',
    '    oifname "lo" accept',
    `    ip daddr @proxy4 tcp dport ${proxy.port} accept`,
    `    ip6 daddr @proxy6 tcp dport ${proxy.port} accept`,
    '    ip daddr @also4 accept',
    '    ip6 daddr @also6 accept',
    `    meta skuid 0 tcp dport ${ports} reject with tcp reset`,
    '    meta skuid 0 udp dport 443 reject',
    '  }',
    '}',
    '',
  ].join('\n');
}

function lookUp(host: string): readonly string[] {
  return [
    '# The proxy is named and not numbered: put its addresses into proxy4 and proxy6, as shown by',
    `#   getent ahosts ${host}`,
  ];
}

function addressSet(name: string, type: string, element: string | undefined): readonly string[] {
  return [
    `  set ${name} {`,
    `    type ${type}`,
    '    flags interval',
    ...(element === undefined ? [] : [`    elements = { ${element} }`]),
    '  }',
  ];
}
