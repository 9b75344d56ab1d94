/**
 * The rules that complete the lock (registry-clients.md §1.5 row D). REJECT, never DROP: a client that falls back to the
 * public registry after a refusal then fails at once, and not after its connect timeout.
 */

import type { ClientFile, ClientTest, Lock } from '../types.ts';
import { renderIptables } from './iptables.ts';
import { renderNetworkPolicy } from './network-policy.ts';
import { renderNftables } from './nftables.ts';

export const IPTABLES_RULES = '/etc/iptables/pullwarden.rules';
export const NFTABLES_RULES = '/etc/nftables.d/pullwarden.nft';
export const EGRESS_UNIT = '/etc/systemd/system/pullwarden-egress.service';

export type Egress = {
  readonly files: readonly ClientFile[];
  readonly steps: readonly string[];
  readonly tests: readonly ClientTest[];
};

export function renderEgress(lock: Lock, { docker }: { readonly docker: boolean }): Egress {
  const file = (path: string, content: string): ClientFile => ({ path, content, merge: false });
  return {
    files: [
      file(IPTABLES_RULES, renderIptables(lock)),
      file(EGRESS_UNIT, renderUnit(docker)),
      file(NFTABLES_RULES, renderNftables(lock)),
      file('/etc/pullwarden/network-policy.yaml', renderNetworkPolicy(lock.proxy)),
    ],
    steps: [
      'Block direct access to registries by name: systemctl enable --now pullwarden-egress (not on the machine the proxy itself runs on).',
      `Stricter, by address, for processes of root: nft -f ${NFTABLES_RULES}, after adding the other addresses that root may reach.`,
      'For builders in pods: kubectl apply -n NAMESPACE -f /etc/pullwarden/network-policy.yaml. It does not cover pulls by the nodes.',
    ],
    tests: lock.blocked.names.slice(0, 1).map((name) => ({
      command: `curl -sS --max-time 5 https://${name}/v2/`,
      expected: 'fails at once (connection reset or refused), without any HTTP status',
    })),
  };
}

/** Docker puts its own rules in front of FORWARD and leaves DOCKER-USER before them to others. */
function renderUnit(docker: boolean): string {
  const chains = ['OUTPUT', 'FORWARD', ...(docker ? ['DOCKER-USER'] : [])].join(' ');
  const create = docker ? '$$t -N DOCKER-USER 2>/dev/null || true; ' : '';
  return [
    '# Loads the egress rules before any container runtime starts.',
    '[Unit]',
    'Description=Egress rules that allow registries through Pullwarden only',
    'DefaultDependencies=no',
    'After=local-fs.target',
    'Before=network-pre.target docker.service containerd.service crio.service k3s.service buildkit.service',
    'Wants=network-pre.target',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecStart=/usr/sbin/iptables-restore --noflush ${IPTABLES_RULES}`,
    `ExecStart=/usr/sbin/ip6tables-restore --noflush ${IPTABLES_RULES}`,
    `ExecStart=/bin/sh -ec 'for t in iptables ip6tables; do ${create}for c in ${chains}; do $$t -C $$c -j PULLWARDEN 2>/dev/null || $$t -I $$c -j PULLWARDEN; done; done'`,
    '',
    '[Install]',
    '# The runtime does not start without the rules.',
    `RequiredBy=${docker ? 'docker.service' : 'multi-user.target'}`,
    '',
  ].join('\n');
}
