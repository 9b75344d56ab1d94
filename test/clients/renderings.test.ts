/** The files as they are written, for one configuration. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LockError } from '../../proxy/clients/lock-error.ts';
import { CLIENTS, FORMS, printKit, renderKit } from '../../proxy/clients/render.ts';
import type { Lock } from '../../proxy/clients/types.ts';
import { removeFolders } from '../config/scratch.ts';
import { generate, loadLock } from './kit.ts';

let lock: Lock;

beforeAll(async () => {
  lock = await loadLock();
});

afterAll(removeFolders);

const HOSTS_TOML = `# All pulls go to https://proxy.example.com:5050 only. It is listed twice on purpose: without "server" containerd falls back to the
# registry itself, and containerd before 1.7.32 ignores a file without a [host] table.
server = "https://proxy.example.com:5050"
capabilities = ["pull", "resolve"]
ca = "/etc/pullwarden/ca.crt"

[host."https://proxy.example.com:5050"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/pullwarden/ca.crt"
`;

const EGRESS_FILES = [
  '/etc/iptables/pullwarden.rules',
  '/etc/systemd/system/pullwarden-egress.service',
  '/etc/nftables.d/pullwarden.nft',
  '/etc/pullwarden/network-policy.yaml',
];

const NAMES = [
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
  'registry.example.com',
];

function hostsPaths(folder: string): readonly string[] {
  return ['_default', ...NAMES].map((name) => `${folder}/${name}/hosts.toml`);
}

describe('containerd', () => {
  test('one hosts.toml for all registries, and the folder in config.toml', () => {
    const content = generate(lock, 'containerd');
    expect(Object.keys(content)).toEqual([
      ...hostsPaths('/etc/containerd/certs.d'),
      '/etc/containerd/config.toml',
      ...EGRESS_FILES,
    ]);
    for (const path of hostsPaths('/etc/containerd/certs.d')) expect(content[path]).toBe(HOSTS_TOML);
    expect(content['/etc/containerd/config.toml']).toBe(`version = 2

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
`);
  });

  test('a proxy that asks for certificates gets one', () => {
    const content = generate(
      { ...lock, proxy: { ...lock.proxy, wantsClientCertificate: true } },
      'containerd',
    );
    const line = 'client = [["/etc/pullwarden/client.cert", "/etc/pullwarden/client.key"]]';
    expect(content['/etc/containerd/certs.d/_default/hosts.toml']?.split(line)).toHaveLength(3);
  });

  test('a registry with a port has the folder containerd looks for first', () => {
    const content = generate({ ...lock, names: ['registry.example.com:5000'] }, 'containerd');
    expect(Object.keys(content)).toContain('/etc/containerd/certs.d/registry.example.com_5000_/hosts.toml');
  });
});

describe('dockerd', () => {
  test('as registry host: hosts.toml for the containerd image store, no mirror', () => {
    const content = generate(lock, 'dockerd');
    expect(Object.keys(content)).toEqual([...hostsPaths('/etc/docker/certs.d'), ...EGRESS_FILES]);
    expect(content['/etc/docker/certs.d/_default/hosts.toml']).toBe(HOSTS_TOML);
  });

  test('as registry host without TLS: dockerd has to be told', async () => {
    const content = generate(await loadLock('http://10.0.0.5:5050'), 'dockerd');
    expect(content['/etc/docker/daemon.json']).toBe(`{
  "insecure-registries": [
    "10.0.0.5:5050"
  ]
}
`);
  });

  test('as mirror: daemon.json, and the lock with it', () => {
    const content = generate(lock, 'dockerd', 'mirror');
    expect(content['/etc/docker/daemon.json']).toBe(`{
  "registry-mirrors": [
    "https://proxy.example.com:5050"
  ]
}
`);
    expect(Object.keys(content)).toEqual(expect.arrayContaining(EGRESS_FILES));
    const text = printKit(renderKit('dockerd', lock, 'mirror'));
    expect(text).toContain('! registry-mirrors ALONE IS FAIL-OPEN');
    expect(text).toContain('$ docker pull docker.io/library/hello-world:linux');
    const step = `canary: { image: "docker.io/library/hello-world:linux" }. dockerd uses a mirror for docker.io only`;
    expect(text).toContain(step);
    const own = { registry: 'docker.io', repository: 'team/canary', tag: 'never' };
    const ofHub = printKit(renderKit('dockerd', { ...lock, canary: own }, 'mirror'));
    expect(ofHub).toContain(
      '$ docker pull docker.io/team/canary:never\n  fails and shows "this proxy\'s test image"',
    );
    expect(ofHub).not.toContain(step);
  });

  test('as mirror where the proxy takes such requests for another registry: refused', () => {
    const other: Lock = { ...lock, defaultRegistry: 'registry.example.com' };
    expect(() => generate(other, 'dockerd', 'mirror')).toThrow(LockError);
    expect(() => generate(other, 'dockerd', 'mirror')).toThrow(/set defaultRegistry: docker\.io/);
  });

  test('as HTTPS_PROXY: a drop-in that empties NO_PROXY', () => {
    const content = generate(lock, 'dockerd', 'https-proxy');
    expect(
      content['/etc/systemd/system/docker.service.d/90-pullwarden.conf'],
    ).toBe(`# Every registry and every alias goes through the proxy. NO_PROXY is emptied: hosts it names bypass the proxy.
[Service]
Environment="HTTPS_PROXY=https://proxy.example.com:5050"
Environment="https_proxy=https://proxy.example.com:5050"
Environment="HTTP_PROXY=https://proxy.example.com:5050"
Environment="http_proxy=https://proxy.example.com:5050"
Environment="NO_PROXY=" "no_proxy="
`);
    const text = printKit(renderKit('dockerd', lock, 'https-proxy'));
    expect(text).toContain(
      '! The configuration has no certificate for index.docker.io, registry-1.docker.io',
    );
    expect(text).toContain(
      'subjectAltName=DNS:index.docker.io,DNS:registry-1.docker.io,DNS:registry.hub.docker.com,DNS:registry.example.com"',
    );
  });

  test('as HTTPS_PROXY with a certificate for every name there is nothing to warn of', () => {
    const text = printKit(renderKit('dockerd', { ...lock, intercepted: NAMES }, 'https-proxy'));
    expect(text).not.toContain('has no certificate');
  });
});

describe('podman', () => {
  const path = '/etc/containers/registries.conf.d/999-pullwarden.conf';

  test('blocked registries with a mirror, aliases included', () => {
    expect(generate(lock, 'podman')[path]).toBe(`# Pulls go to https://proxy.example.com:5050.
# "blocked" is the lock: the client never contacts the registry itself, and still uses the mirror.
# Clients treat each alias as another registry, so each has its own entry.
unqualified-search-registries = ["docker.io"]

[[registry]]
prefix = "docker.io"
location = "docker.io"
blocked = true
  [[registry.mirror]]
  location = "proxy.example.com:5050/docker.io"

[[registry]]
prefix = "index.docker.io"
location = "index.docker.io"
blocked = true
  [[registry.mirror]]
  location = "proxy.example.com:5050/docker.io"

[[registry]]
prefix = "registry-1.docker.io"
location = "registry-1.docker.io"
blocked = true
  [[registry.mirror]]
  location = "proxy.example.com:5050/docker.io"

[[registry]]
prefix = "registry.hub.docker.com"
location = "registry.hub.docker.com"
blocked = true
  [[registry.mirror]]
  location = "proxy.example.com:5050/docker.io"

[[registry]]
prefix = "registry.example.com"
location = "registry.example.com"
blocked = true
  [[registry.mirror]]
  location = "proxy.example.com:5050/registry.example.com"
`);
  });

  test('rewritten', () => {
    expect(generate(lock, 'podman', 'remap')[path]).toContain(`[[registry]]
prefix = "registry-1.docker.io"
location = "proxy.example.com:5050/docker.io"

[[registry]]
prefix = "registry.hub.docker.com"
`);
  });

  test('Docker Hub is blocked where the proxy does not serve it', () => {
    const registries = lock.registries.filter(({ name }) => name !== 'docker.io');
    const text = generate({ ...lock, registries }, 'podman')[path];
    expect(text).toContain('unqualified-search-registries = []');
    expect(text).toContain(`[[registry]]
prefix = "docker.io"
location = "docker.io"
blocked = true

`);
  });

  test('a policy that refuses every registry that is not named', () => {
    const accept = [{ type: 'insecureAcceptAnything' }];
    const names = [...NAMES, 'proxy.example.com:5050'];
    expect(JSON.parse(generate(lock, 'podman')['/etc/containers/policy.json'] ?? '')).toEqual({
      default: accept,
      transports: {
        docker: { '': [{ type: 'reject' }], ...Object.fromEntries(names.map((name) => [name, accept])) },
      },
    });
  });
});

test('k3s: every registry at the proxy, and the flag', () => {
  const content = generate({ ...lock, names: ['docker.io'] }, 'k3s');
  expect(
    content['/etc/rancher/k3s/registries.yaml'],
  ).toBe(`# All pulls go to https://proxy.example.com:5050. "*" is needed: pulls from a registry without an entry go directly to it.
mirrors:
  "*":
    endpoint: ["https://proxy.example.com:5050"]
  "docker.io":
    endpoint: ["https://proxy.example.com:5050"]
configs:
  "proxy.example.com:5050":
    tls:
      ca_file: "/etc/pullwarden/ca.crt"
`);
  expect(content['/etc/rancher/k3s/config.yaml.d/90-pullwarden.yaml']).toContain(
    '\ndisable-default-registry-endpoint: true\n',
  );
  expect(Object.keys(generate(lock, 'k3s', 'rke2'))).toContain('/etc/rancher/rke2/registries.yaml');
});

test('BuildKit: mirrors, and the warning that they enforce nothing', () => {
  const content = generate({ ...lock, names: ['docker.io', 'registry.example.com'] }, 'buildkit');
  expect(
    content['/etc/buildkit/buildkitd.toml'],
  ).toBe(`# Pulls go to https://proxy.example.com:5050 first. BuildKit falls back to the registry itself after a refusal: without the egress
# rules that "pullwarden clients buildkit" prints, this file enforces nothing.
[registry."docker.io"]
  mirrors = ["proxy.example.com:5050"]

[registry."registry.example.com"]
  mirrors = ["proxy.example.com:5050"]

[registry."proxy.example.com:5050"]
  http = false
  ca = ["/etc/pullwarden/ca.crt"]
`);
  expect(printKit(renderKit('buildkit', lock, undefined))).toContain('! buildkitd.toml alone is fail-open');
});

test.each(CLIENTS)('%s prints warnings, the files, the steps and the test', (client) => {
  for (const as of [undefined, ...FORMS[client]]) {
    const text = printKit(renderKit(client, lock, as));
    const headings = [...text.matchAll(/^---- (Warnings|File|Steps|Test)/gm)].map(([, name]) => name);
    expect([...new Set(headings)]).toEqual(['Warnings', 'File', 'Steps', 'Test']);
    expect(text).toMatch(/^[\n\x20-\x7e]+$/);
  }
});
