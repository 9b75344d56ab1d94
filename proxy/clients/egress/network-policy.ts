/** Egress for pods that pull by themselves: builders, docker-in-docker, CI runners. */
import { isIP } from 'node:net';
import type { ProxyEndpoint } from '../types.ts';

export function renderNetworkPolicy({ host, port }: ProxyEndpoint): string {
  const family = isIP(host);
  const cidr = family === 0 ? `ADDRESS-OF-${host}/32` : `${host}/${family === 4 ? 32 : 128}`;
  return [
    '# For pods that pull images themselves (docker-in-docker, kaniko, BuildKit); choose the namespace with kubectl -n.',
    '# What it cannot do: name a host. A NetworkPolicy knows addresses only, so it allows DNS and the proxy and refuses',
    '# the rest; whether a packet is dropped or rejected is up to the network plugin. And it does not cover the images of',
    '# the pods themselves: these are pulled by the node, which is locked by its own configuration and egress rules.',
    ...(family === 0
      ? [`# Replace ADDRESS-OF-${host} by its address; until then the API server refuses the file.`]
      : []),
    'apiVersion: networking.k8s.io/v1',
    'kind: NetworkPolicy',
    'metadata:',
    '  name: pullwarden-egress',
    'spec:',
    '  podSelector: {}',
    '  policyTypes: [Egress]',
    '  egress:',
    '    - to:',
    '        - namespaceSelector: {}',
    '          podSelector: { matchLabels: { k8s-app: kube-dns } }',
    '      ports:',
    '        - { protocol: UDP, port: 53 }',
    '        - { protocol: TCP, port: 53 }',
    '    - to:',
    `        - ipBlock: { cidr: "${cidr}" }`,
    '      ports:',
    `        - { protocol: TCP, port: ${port} }`,
    '',
  ].join('\n');
}
