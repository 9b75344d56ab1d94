/** The egress rules as they are written; test/real/clients-egress.test.ts has them in the kernel. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Lock } from '../../../proxy/clients/types.ts';
import { removeFolders } from '../../config/scratch.ts';
import { generate, loadLock, type NodeContent } from '../kit.ts';

let lock: Lock;

beforeAll(async () => {
  lock = await loadLock();
});

afterAll(removeFolders);

describe('egress', () => {
  const rules = (content: NodeContent) =>
    content['/etc/iptables/pullwarden.rules']?.split('\n').filter((line) => line.startsWith('-'));

  test('every host by name, rejected and not dropped', () => {
    const reject = (name: string) =>
      `-A PULLWARDEN -p tcp -m multiport --dports 80,443,5000 -m string --string "${name}" --algo bm -j REJECT --reject-with tcp-reset`;
    expect(rules(generate(lock, 'containerd'))).toEqual([
      '-A PULLWARDEN -o lo -j RETURN',
      reject('registry-1.docker.io'),
      reject('index.docker.io'),
      reject('registry.hub.docker.com'),
      reject('auth.docker.io'),
      reject('production.cloudflare.docker.com'),
      reject('registry.example.com'),
      reject('registry.internal.example.com'),
    ]);
  });

  test('a proxy on a port of registries is let through first', async () => {
    const named = rules(generate(await loadLock('https://proxy.example.com'), 'containerd'));
    expect(named?.[1]).toBe(
      '-A PULLWARDEN -p tcp --dport 443 -m string --string "proxy.example.com" --algo bm -j RETURN',
    );
    const numbered = rules(generate(await loadLock('https://10.0.0.5'), 'containerd'));
    expect(numbered?.[1]).toBe('-4 -A PULLWARDEN -p tcp -d 10.0.0.5 --dport 443 -j RETURN');
  });

  test('an upstream without a name is refused by address', () => {
    const blocked = { names: [], addresses: ['192.0.2.9', '2001:db8::9'], ports: [80, 443] };
    expect(rules(generate({ ...lock, blocked }, 'containerd'))?.slice(1)).toEqual([
      '-4 -A PULLWARDEN -d 192.0.2.9 -p tcp -m multiport --dports 80,443 -j REJECT --reject-with tcp-reset',
      '-6 -A PULLWARDEN -d 2001:db8::9 -p tcp -m multiport --dports 80,443 -j REJECT --reject-with tcp-reset',
    ]);
  });

  test('on a node with dockerd the chain stands before Docker’s own', () => {
    const unit = (client: 'dockerd' | 'podman') =>
      generate(lock, client)['/etc/systemd/system/pullwarden-egress.service'];
    expect(unit('dockerd')).toContain('for c in OUTPUT FORWARD DOCKER-USER;');
    expect(unit('dockerd')).toContain('RequiredBy=docker.service');
    expect(unit('podman')).toContain('for c in OUTPUT FORWARD;');
  });

  test('nftables by address: only the proxy is allowed', async () => {
    const text = generate(await loadLock('https://10.0.0.5:5050'), 'podman')[
      '/etc/nftables.d/pullwarden.nft'
    ];
    expect(text).toContain('elements = { 10.0.0.5 }');
    expect(text).toContain('ip daddr @proxy4 tcp dport 5050 accept');
    expect(text).toContain('meta skuid 0 tcp dport { 80, 443, 5000 } reject with tcp reset');
    expect(text).not.toMatch(/\bdrop\b/);
  });

  test('a NetworkPolicy says what it cannot do', () => {
    const text = generate(lock, 'buildkit')['/etc/pullwarden/network-policy.yaml'];
    expect(text).toContain('# What it cannot do: name a host.');
    expect(text).toContain('cidr: "ADDRESS-OF-proxy.example.com/32"');
  });
});
