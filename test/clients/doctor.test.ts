/** Every planted hole is found, by file and line, and nothing else is; the generated files have none. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { examineNode, formatHole } from '../../proxy/clients/examine.ts';
import { createLock, createLockWithoutConfig } from '../../proxy/clients/lock.ts';
import { CLIENTS, FORMS } from '../../proxy/clients/render.ts';
import type { Lock } from '../../proxy/clients/types.ts';
import { removeFolders } from '../config/scratch.ts';
import {
  CA,
  generate,
  loadLock,
  loadText,
  type NodeContent,
  openNode,
  PROXY,
  REGISTRIES,
  withoutEgress,
} from './kit.ts';
import { HOSTS } from './planted/containerd.ts';
import { DOCKERD } from './planted/dockerd.ts';
import { OTHERS } from './planted/others.ts';
import { applyPlant, type Base } from './planted/plant.ts';
import { PODMAN } from './planted/podman.ts';

const PLANTED = [...DOCKERD, ...HOSTS, ...PODMAN, ...OTHERS];

let lock: Lock;

beforeAll(async () => {
  lock = await loadLock();
});

afterAll(removeFolders);

function examine(content: NodeContent, known = lock): readonly string[] {
  return examineNode({ files: openNode(content), lock: known }).map(formatHole);
}

function contentOf(base: Base): NodeContent {
  const [name, as] = base.split(' ');
  const client = CLIENTS.find((known) => known === name);
  return client === undefined ? {} : generate(lock, client, as);
}

describe('generated files', () => {
  const forms = CLIENTS.flatMap((client) => [undefined, ...FORMS[client]].map((as) => ({ client, as })));

  test.each(forms)('of $client $as have no hole', ({ client, as }) => {
    expect(examine(generate(lock, client, as))).toEqual([]);
    expect(examine(generate(lock, client, as), createLockWithoutConfig(PROXY, undefined))).toEqual([]);
  });

  test.each([
    ['containerd', undefined],
    ['podman', 'mirror'],
    ['podman', 'remap'],
    ['k3s', 'k3s'],
    ['k3s', 'rke2'],
    ['dockerd', 'https-proxy'],
  ] as const)('of %s %s hold without the firewall', (client, as) => {
    expect(examine(withoutEgress(generate(lock, client, as)))).toEqual([]);
  });

  test('of all clients together have no hole', () => {
    const all = CLIENTS.map((client) => generate(lock, client));
    expect(examine(Object.assign({}, ...all) as NodeContent)).toEqual([]);
  });

  test('for a proxy without TLS have no hole', async () => {
    const plain = await loadLock('http://10.0.0.5:5050');
    for (const { client, as } of forms) expect(examine(generate(plain, client, as), plain)).toEqual([]);
  });
});

test('at least 30 holes are planted', () => {
  expect(PLANTED.length).toBeGreaterThanOrEqual(30);
});

describe('planted', () => {
  test.each(PLANTED.map((planted) => ({ ...planted })))('$base: $name', (planted) => {
    const content = contentOf(planted.base);
    const base = planted.egress ? content : withoutEgress(content);
    const lines = examine(applyPlant(base, planted));
    expect(lines.map((line, at) => line.slice(0, planted.found[at]?.[0].length))).toEqual(
      planted.found.map(([start]) => start),
    );
    for (const [at, [, words]] of planted.found.entries()) {
      expect(lines[at]).toContain(words);
      expect(lines[at]).toMatch(/^\S+:[0-9]+ [a-z0-9-]+: [^;]+; \S/);
      expect(lines[at]).toMatch(/^[\x20-\x7e]+$/);
    }
  });
});

test('a mirror at a proxy that takes it for another registry than Docker Hub', async () => {
  const other = createLock(
    await loadText(REGISTRIES.replace('defaultRegistry: docker.io', 'defaultRegistry: registry.example.com')),
    { proxy: PROXY, ca: CA },
  );
  expect(examine(generate(lock, 'dockerd', 'mirror'), other)).toEqual([
    expect.stringMatching(
      /^\/etc\/docker\/daemon\.json:3 dockerd: the proxy serves mirror requests from registry\.example\.com: .*; remove the mirror/,
    ),
  ]);
});

describe('egress rules', () => {
  const rules = '/etc/iptables/pullwarden.rules';
  const nft = '/etc/nftables.d/pullwarden.nft';

  test('a host that is not refused any more', () => {
    const { [nft]: _nft, ...content } = generate(lock, 'dockerd');
    const text = content[rules]?.replace(/^.*auth\.docker\.io.*\n/m, '') ?? '';
    const lines = examine({ ...content, [rules]: text });
    expect(lines).toEqual([
      expect.stringMatching(/^\/etc\/docker\/daemon\.json:1 dockerd: pulls go directly to the registries/),
      expect.stringMatching(
        /^\/etc\/iptables\/pullwarden\.rules:1 egress: no rule rejects auth\.docker\.io; -A PULLWARDEN/,
      ),
    ]);
  });

  test('rules that nothing loads', () => {
    const { '/etc/systemd/system/pullwarden-egress.service': _unit, ...content } = generate(
      lock,
      'containerd',
    );
    expect(examine(content)).toEqual([
      expect.stringMatching(/^\S+rules:1 egress: these rules are not loaded at boot; /),
    ]);
  });

  test('nftables instead of iptables is as good, when it is loaded and refuses', () => {
    const { [rules]: _rules, ...content } = generate(lock, 'dockerd');
    const loaded = { ...content, '/etc/nftables.conf': 'include "/etc/nftables.d/*.nft"\n' };
    expect(examine(loaded)).toEqual([]);
    const open = { ...loaded, [nft]: (content[nft] ?? '').replace(/meta skuid 0 tcp/, '# meta skuid 0 tcp') };
    expect(examine(open)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^\S+pullwarden\.nft:\d+ egress: no rule rejects the traffic of root/),
      ]),
    );
  });
});

describe('what is no hole', () => {
  test('a node without any client', () => {
    expect(examine({ '/etc/hosts': '127.0.0.1 localhost\n', '/etc/passwd': '' })).toEqual([]);
  });

  test('a registry that is blocked or overridden in /etc/hosts', () => {
    const content = {
      '/etc/hosts': '0.0.0.0 auth.docker.io\n10.0.0.5 proxy.example.com\n10.0.0.5 registry-1.docker.io\n',
    };
    expect(examine(content)).toEqual([]);
  });

  test('exemptions that name no registry, or where there is no proxy to be exempted from', () => {
    const dropIn = '/etc/systemd/system/docker.service.d/99.conf';
    const locked = withoutEgress(generate(lock, 'dockerd', 'https-proxy'));
    expect(
      examine({ ...locked, [dropIn]: '[Service]\nEnvironment=NO_PROXY=localhost,10.0.0.0/8,.svc\n' }),
    ).toEqual([]);
    const host = generate(lock, 'dockerd');
    expect(examine({ ...host, [dropIn]: '[Service]\nEnvironment=NO_PROXY=registry-1.docker.io\n' })).toEqual(
      [],
    );
  });

  test('containerd below dockerd, which pulls nothing for Kubernetes', () => {
    const content = {
      ...generate(lock, 'dockerd'),
      '/etc/containerd/config.toml': 'disabled_plugins = ["cri"]\n',
    };
    expect(examine(content)).toEqual([]);
    expect(examine(withoutEgress({ '/etc/containerd/config.toml': 'disabled_plugins = ["cri"]\n' }))).toEqual(
      [],
    );
  });

  test('an entry of the proxy’s own among the registries', () => {
    const later = '/etc/containers/registries.conf.d/999-zz.conf';
    const content = withoutEgress(generate(lock, 'podman'));
    expect(examine({ ...content, [later]: '[[registry]]\nlocation = "proxy.example.com:5050"\n' })).toEqual(
      [],
    );
  });

  test('the flag of k3s on its command line', () => {
    const { '/etc/rancher/k3s/config.yaml.d/90-pullwarden.yaml': _flag, ...content } = withoutEgress(
      generate(lock, 'k3s'),
    );
    const unit = '[Service]\nExecStart=/usr/local/bin/k3s server \\\n  --disable-default-registry-endpoint\n';
    expect(examine({ ...content, '/etc/systemd/system/k3s.service': unit })).toEqual([]);
  });

  test('dockerd’s containerd image store, locked by hosts.toml alone', () => {
    const content = withoutEgress(generate(lock, 'dockerd'));
    const daemon = JSON.stringify({ features: { 'containerd-snapshotter': true } });
    expect(examine({ ...content, '/etc/docker/daemon.json': daemon })).toEqual([]);
  });
});

test('what a file says cannot break a line in two', () => {
  const content = {
    '/etc/docker/daemon.json': JSON.stringify({ 'registry-mirrors': ['https://a\nb\u001b[2J'] }),
  };
  for (const line of examine(content)) expect(line).not.toMatch(/\p{Cc}/u);
});
