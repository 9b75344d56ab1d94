/** Holes as people make them: each is planted into a node that is otherwise locked by the generated files. */
import type { NodeContent } from './kit.ts';

/** Which generated files the node has; `open` are those without the firewall, so that a client's own must hold. */
export type Base =
  | 'dockerd'
  | 'dockerd mirror'
  | 'dockerd https-proxy'
  | 'containerd'
  | 'podman'
  | 'podman remap'
  | 'k3s'
  | 'buildkit'
  | 'nothing';

export type Planted = {
  readonly name: string;
  readonly base: Base;
  /** Whether the firewall's files are there. */
  readonly egress: boolean;
  /** undefined takes a file away. */
  readonly plant: Readonly<Record<string, string | undefined>>;
  /** The beginning of each line doctor prints, and words of it. */
  readonly found: readonly (readonly [start: string, words: string])[];
};

const P = 'https://proxy.example.com:5050';
const DAEMON = '/etc/docker/daemon.json';
const DOCKER_DROP_IN = '/etc/systemd/system/docker.service.d/95-corporate.conf';
const CERTS = '/etc/containerd/certs.d';
const CONTAINERD = '/etc/containerd/config.toml';
const CONTAINERS = '/etc/containers/registries.conf.d/999-pullwarden.conf';
const LATER = '/etc/containers/registries.conf.d/999-zz.conf';
const K3S = '/etc/rancher/k3s';
const BUILDKIT = '/etc/buildkit/buildkitd.toml';

const json = (value: unknown) => JSON.stringify(value, undefined, 2);
const hosts = (...lines: readonly string[]) => `${lines.join('\n')}\n`;

function plant(name: string, base: Base, files: Planted['plant'], ...found: Planted['found']): Planted {
  return {
    name,
    base,
    egress: ['dockerd', 'dockerd mirror', 'buildkit'].includes(base),
    plant: files,
    found,
  };
}

function unlocked(planted: Planted): Planted {
  return { ...planted, egress: false };
}

export const PLANTED: readonly Planted[] = [
  unlocked(
    plant('dockerd as mirror without a firewall', 'dockerd mirror', {}, [
      `${DAEMON}:3 dockerd: `,
      'fail-open',
    ]),
  ),
  unlocked(
    plant('dockerd with nothing but itself', 'nothing', { '/usr/bin/dockerd': '' }, [
      `${DAEMON}:1 dockerd: `,
      'asked themselves',
    ]),
  ),
  plant(
    'a second mirror',
    'dockerd mirror',
    { [DAEMON]: json({ 'registry-mirrors': [P, 'https://mirror.gcr.io'] }) },
    [`${DAEMON}:4 dockerd: `, 'mirror https://mirror.gcr.io is not the proxy'],
  ),
  plant(
    'the proxy without TLS as mirror',
    'dockerd mirror',
    { [DAEMON]: json({ 'registry-mirrors': [P.replace('https', 'http')] }) },
    [`${DAEMON}:3 dockerd: `, 'is not the proxy'],
  ),
  plant(
    'a mirror on dockerd’s command line',
    'dockerd',
    {
      [DOCKER_DROP_IN]:
        '[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --registry-mirror=https://mirror.gcr.io\n',
    },
    [`${DOCKER_DROP_IN}:3 dockerd: `, 'mirror https://mirror.gcr.io'],
  ),
  plant(
    'the proxy among the insecure registries',
    'dockerd mirror',
    { [DAEMON]: json({ 'insecure-registries': ['proxy.example.com:5050'] }) },
    [`${DAEMON}:3 dockerd: `, 'certificate is not verified'],
  ),
  plant(
    'another insecure registry',
    'dockerd',
    { [DAEMON]: json({ debug: true, 'insecure-registries': ['registry.internal.example.com:5000'] }) },
    [`${DAEMON}:4 dockerd: `, 'pulled from directly'],
  ),
  plant('every registry insecure', 'dockerd', { [DAEMON]: json({ 'insecure-registries': ['0.0.0.0/0'] }) }, [
    `${DAEMON}:3 dockerd: `,
    '0.0.0.0/0',
  ]),
  plant('a comma too many in daemon.json', 'dockerd mirror', { [DAEMON]: '{\n  "debug": true,\n}\n' }, [
    `${DAEMON}:3 dockerd: `,
    'not JSON',
  ]),
  plant(
    'the corporate proxy in a drop-in, past the firewall',
    'dockerd',
    { [DOCKER_DROP_IN]: '[Service]\nEnvironment="HTTPS_PROXY=http://me:secret@web.corp:3128"\n' },
    [`${DOCKER_DROP_IN}:2 dockerd: `, 'the HTTP proxy http://***@web.corp:3128 leads to registries'],
  ),
  plant(
    'the corporate proxy in daemon.json',
    'dockerd',
    { [DAEMON]: json({ proxies: { 'https-proxy': 'http://web.corp:3128' } }) },
    [`${DAEMON}:3 dockerd: `, 'http://web.corp:3128'],
  ),
  plant(
    'the corporate proxy in /etc/default/docker',
    'dockerd',
    { '/etc/default/docker': '# shell\nexport HTTPS_PROXY="http://web.corp:3128"\n' },
    ['/etc/default/docker:2 dockerd: ', 'http://web.corp:3128'],
  ),
  plant(
    'a later drop-in that exempts a registry',
    'dockerd https-proxy',
    { [DOCKER_DROP_IN]: '[Service]\nEnvironment="NO_PROXY=localhost,.docker.io"\n' },
    [`${DOCKER_DROP_IN}:2 dockerd: `, 'NO_PROXY takes out .docker.io'],
  ),
  plant(
    'an exemption of everything in daemon.json',
    'dockerd https-proxy',
    { [DAEMON]: json({ proxies: { 'no-proxy': '*' } }) },
    [`${DAEMON}:3 dockerd: `, 'NO_PROXY takes out *'],
  ),
  plant(
    'an exemption in an environment file',
    'dockerd https-proxy',
    {
      [DOCKER_DROP_IN]: '[Service]\nEnvironmentFile=-/etc/docker.env\n',
      '/etc/docker.env': 'NO_PROXY=registry.example.com\n',
    },
    ['/etc/docker.env:1 dockerd: ', 'registry.example.com'],
  ),
  plant(
    'containers with another HTTP proxy',
    'dockerd',
    {
      '/home/ci/.docker/config.json': json({ proxies: { default: { httpsProxy: 'http://web.corp:3128' } } }),
    },
    ['/home/ci/.docker/config.json:4 docker-cli: ', 'http://web.corp:3128'],
  ),
  plant(
    'containers with an exemption',
    'dockerd',
    {
      '/root/.docker/config.json': json({
        proxies: { default: { httpsProxy: P, noProxy: 'quay.io,registry-1.docker.io' } },
      }),
    },
    ['/root/.docker/config.json:5 docker-cli: ', 'registry-1.docker.io'],
  ),
  plant(
    'a folder of certificates that hides _default from the containerd image store',
    'dockerd',
    { '/etc/docker/certs.d/quay.io/ca.crt': '' },
    ['/etc/docker/certs.d/quay.io/hosts.toml:1 dockerd: ', 'quay.io has a folder without hosts.toml'],
  ),

  plant(
    'hosts.toml with server only',
    'containerd',
    { [`${CERTS}/docker.io/hosts.toml`]: hosts(`server = "${P}"`) },
    [`${CERTS}/docker.io/hosts.toml:1 containerd: `, 'no [host] table'],
  ),
  plant(
    'hosts.toml without server',
    'containerd',
    { [`${CERTS}/docker.io/hosts.toml`]: hosts(`[host."${P}"]`, '  capabilities = ["pull", "resolve"]') },
    [`${CERTS}/docker.io/hosts.toml:1 containerd: `, 'no server'],
  ),
  plant(
    'hosts.toml with the registry as server',
    'containerd',
    {
      [`${CERTS}/docker.io/hosts.toml`]: hosts(
        '# mirror',
        'server = "https://registry-1.docker.io"',
        `[host."${P}"]`,
      ),
    },
    [
      `${CERTS}/docker.io/hosts.toml:2 containerd: `,
      'https://registry-1.docker.io is asked when the proxy refuses',
    ],
  ),
  plant(
    'hosts.toml with a second host',
    'containerd',
    {
      [`${CERTS}/_default/hosts.toml`]: hosts(
        `server = "${P}"`,
        `[host."${P}"]`,
        '[host."https://mirror.gcr.io"]',
      ),
    },
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'host https://mirror.gcr.io is not the proxy'],
  ),
  plant(
    'hosts.toml with a bracket missing',
    'containerd',
    { [`${CERTS}/_default/hosts.toml`]: hosts(`server = "${P}"`, '', `[host."${P}"`) },
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'thrown away'],
  ),
  plant(
    'hosts.toml with a value of the wrong type',
    'containerd',
    {
      [`${CERTS}/_default/hosts.toml`]: hosts(`server = "${P}"`, `[host."${P}"]`, '  capabilities = "pull"'),
    },
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'capabilities is no list, so it is thrown away'],
  ),
  plant(
    'hosts.toml with a capability misspelt',
    'containerd',
    {
      [`${CERTS}/_default/hosts.toml`]: hosts(
        `server = "${P}"`,
        `[host."${P}"]`,
        '  capabilities = ["pull", "resolv"]',
      ),
    },
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'does not exist'],
  ),
  plant(
    'hosts.toml that verifies nothing',
    'containerd',
    { [`${CERTS}/_default/hosts.toml`]: hosts(`server = "${P}"`, `[host."${P}"]`, '  skip_verify = true') },
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'skip_verify'],
  ),
  plant('no _default', 'containerd', { [`${CERTS}/_default/hosts.toml`]: undefined }, [
    `${CERTS}/_default/hosts.toml:1 containerd: `,
    'there is no _default',
  ]),
  plant('a registry’s folder without hosts.toml', 'containerd', { [`${CERTS}/quay.io_443_/ca.crt`]: '' }, [
    `${CERTS}/quay.io_443_/hosts.toml:1 containerd: `,
    'quay.io:443 has a folder without hosts.toml',
  ]),
  plant(
    'no config_path',
    'containerd',
    { [CONTAINERD]: 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "pause"\n' },
    [`${CONTAINERD}:1 containerd: `, 'no config_path'],
  ),
  plant(
    'config_path of version 2 in a file of version 3',
    'containerd',
    {
      [CONTAINERD]: `version = 3\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${CERTS}"\n`,
    },
    [`${CONTAINERD}:3 containerd: `, 'not read in a file with version = 3'],
  ),
  plant(
    'config_path of version 3 in a file of version 2',
    'containerd',
    {
      [CONTAINERD]: `version = 2\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "${CERTS}"\n`,
    },
    [`${CONTAINERD}:3 containerd: `, 'not read in a file with version = 2'],
  ),
  plant(
    'config_path elsewhere, where a file is open',
    'containerd',
    {
      [CONTAINERD]:
        'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/opt/certs.d"\n',
      '/opt/certs.d/_default/hosts.toml': hosts('server = "https://quay.io"', `[host."${P}"]`),
    },
    ['/opt/certs.d/_default/hosts.toml:1 containerd: ', 'https://quay.io'],
  ),
  plant(
    'the old mirrors',
    'containerd',
    {
      [CONTAINERD]: `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${CERTS}"\n  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n    endpoint = ["${P}"]\n`,
    },
    [`${CONTAINERD}:4 containerd: `, 'registry.mirrors of docker.io'],
  ),
  plant(
    'an import with the old mirrors',
    'containerd',
    {
      [CONTAINERD]: `version = 2\nimports = ["conf.d/*.toml"]\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${CERTS}"\n`,
      '/etc/containerd/conf.d/10.toml': `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."quay.io"]\n  endpoint = ["${P}"]\n`,
    },
    ['/etc/containerd/conf.d/10.toml:2 containerd: ', 'registry.mirrors of quay.io'],
  ),
  plant('config.toml that is not TOML', 'containerd', { [CONTAINERD]: 'version = 2\n[plugins\n' }, [
    `${CONTAINERD}:2 containerd: `,
    'not TOML',
  ]),

  plant(
    'a mirror beside a registry that is not blocked',
    'podman',
    {
      [LATER]: `[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\nblocked = false\n[[registry.mirror]]\nlocation = "proxy.example.com:5050/docker.io"\n`,
    },
    [`${LATER}:4 podman: `, 'docker.io is asked itself'],
  ),
  plant(
    'a more specific entry',
    'podman',
    { [LATER]: `# for the build team\n[[registry]]\nlocation = "docker.io/library"\n` },
    [`${LATER}:2 podman: `, 'docker.io/library is asked itself'],
  ),
  plant(
    'an entry for another registry',
    'podman remap',
    { [LATER]: `[[registry]]\nlocation = "quay.io"\n` },
    [`${LATER}:1 podman: `, 'quay.io is asked itself'],
  ),
  plant(
    'a second mirror of a blocked registry',
    'podman',
    {
      [LATER]: `[[registry]]\nlocation = "docker.io"\nblocked = true\n[[registry.mirror]]\nlocation = "proxy.example.com:5050/docker.io"\n[[registry.mirror]]\nlocation = "mirror.gcr.io"\n`,
    },
    [`${LATER}:7 podman: `, 'mirror mirror.gcr.io of docker.io'],
  ),
  plant(
    'a mirror that is not verified',
    'podman',
    {
      [LATER]: `[[registry]]\nlocation = "docker.io"\nblocked = true\n[[registry.mirror]]\nlocation = "proxy.example.com:5050/docker.io"\ninsecure = true\n`,
    },
    [`${LATER}:6 podman: `, 'insecure = true'],
  ),
  plant(
    'an alias without an entry',
    'podman',
    {
      [CONTAINERS]: undefined,
      '/etc/containers/registries.conf': [
        'docker.io',
        'index.docker.io',
        'registry.hub.docker.com',
        'registry.example.com',
      ]
        .map((name) => `[[registry]]\nprefix = "${name}"\nlocation = "proxy.example.com:5050/x"\n`)
        .join(''),
    },
    ['/etc/containers/registries.conf:1 podman: ', 'no entry covers registry-1.docker.io'],
  ),
  plant(
    'short names looked for elsewhere',
    'podman',
    { [LATER]: 'unqualified-search-registries = ["docker.io", "quay.io"]\n' },
    [`${LATER}:1 podman: `, 'short names are looked for at quay.io'],
  ),
  plant('the old format', 'podman', { [LATER]: `# old\n[registries.search]\nregistries = ["docker.io"]\n` }, [
    `${LATER}:2 podman: `,
    'the old format',
  ]),
  plant('registries.conf that is not TOML', 'podman', { [LATER]: `[[registry]]\nlocation = docker.io\n` }, [
    `${LATER}:2 podman: `,
    'not TOML',
  ]),
  plant(
    'an account’s registries.conf in the place of the system’s',
    'podman',
    {
      '/home/ci/.config/containers/registries.conf':
        'unqualified-search-registries = []\n[[registry]]\nprefix = "docker.io"\n[[registry]]\nprefix = "*.docker.io"\nlocation = "proxy.example.com:5050/docker.io"\n[[registry]]\nprefix = "registry.hub.docker.com"\nblocked = true\n[[registry]]\nprefix = "registry.example.com"\nblocked = true\n',
    },
    ['/home/ci/.config/containers/registries.conf:2 podman: ', 'docker.io is asked itself'],
  ),
  plant(
    'an account’s drop-in',
    'podman',
    { '/root/.config/containers/registries.conf.d/a.conf': '[[registry]]\nlocation = "docker.io"\n' },
    ['/root/.config/containers/registries.conf.d/a.conf:1 podman: ', 'docker.io is asked itself'],
  ),
  plant(
    'a policy that accepts every registry',
    'podman',
    { '/etc/containers/policy.json': json({ default: [{ type: 'insecureAcceptAnything' }] }) },
    ['/etc/containers/policy.json:1 podman: ', 'accepts registries that registries.conf does not name'],
  ),
  plant(
    'another registries.conf for CRI-O',
    'podman',
    {
      '/etc/systemd/system/crio.service.d/a.conf':
        '[Service]\nEnvironment=CONTAINERS_REGISTRIES_CONF=/tmp/r.conf\n',
    },
    ['/etc/systemd/system/crio.service.d/a.conf:2 crio: ', 'CONTAINERS_REGISTRIES_CONF puts /tmp/r.conf'],
  ),

  plant('k3s without the flag', 'k3s', { [`${K3S}/config.yaml.d/90-pullwarden.yaml`]: undefined }, [
    `${K3S}/config.yaml:1 k3s: `,
    'asked when the proxy refuses',
  ]),
  plant(
    'k3s with the flag switched off',
    'k3s',
    {
      [`${K3S}/config.yaml.d/95-later.yaml`]: 'node-label: [a=b]\ndisable-default-registry-endpoint: false\n',
    },
    [`${K3S}/config.yaml.d/95-later.yaml:2 k3s: `, 'asked when the proxy refuses'],
  ),
  plant(
    'k3s without "*"',
    'k3s',
    { [`${K3S}/registries.yaml`]: `# ours\nmirrors:\n  docker.io:\n    endpoint: ["${P}"]\n` },
    [`${K3S}/registries.yaml:2 k3s: `, 'no mirror "*"'],
  ),
  plant(
    'k3s with a second endpoint',
    'k3s',
    {
      [`${K3S}/registries.yaml`]: `mirrors:\n  "*":\n    endpoint:\n      - "${P}/v2"\n      - "https://registry-1.docker.io"\n`,
    },
    [`${K3S}/registries.yaml:5 k3s: `, 'endpoint https://registry-1.docker.io of * is not the proxy'],
  ),
  plant(
    'k3s with a registry without endpoint',
    'k3s',
    { [`${K3S}/registries.yaml`]: `mirrors:\n  "*":\n    endpoint: ["${P}"]\n  quay.io:\n` },
    [`${K3S}/registries.yaml:4 k3s: `, 'quay.io has no endpoint'],
  ),
  plant(
    'k3s that does not verify the proxy',
    'k3s',
    {
      [`${K3S}/registries.yaml`]: `mirrors:\n  "*":\n    endpoint: ["${P}"]\nconfigs:\n  "proxy.example.com:5050":\n    tls:\n      insecure_skip_verify: true\n`,
    },
    [`${K3S}/registries.yaml:7 k3s: `, 'insecure_skip_verify'],
  ),
  plant('registries.yaml that is not YAML', 'k3s', { [`${K3S}/registries.yaml`]: 'mirrors:\n\t"*":\n' }, [
    `${K3S}/registries.yaml:2 k3s: `,
    'not YAML',
  ]),
  plant(
    'RKE2 without anything',
    'nothing',
    { '/etc/rancher/rke2/config.yaml': 'token: a\n' },
    ['/etc/rancher/rke2/config.yaml:1 rke2: ', 'asked when the proxy refuses'],
    ['/etc/rancher/rke2/registries.yaml:1 rke2: ', 'no such file'],
  ),

  unlocked(
    plant('BuildKit without a firewall', 'buildkit', {}, [
      `${BUILDKIT}:1 buildkit: `,
      'whatever stands here',
    ]),
  ),
  plant(
    'BuildKit with another mirror',
    'buildkit',
    { [BUILDKIT]: '[registry."docker.io"]\n  mirrors = ["proxy.example.com:5050",\n    "mirror.gcr.io"]\n' },
    [`${BUILDKIT}:3 buildkit: `, 'mirror mirror.gcr.io of docker.io'],
  ),
  plant(
    'BuildKit with a registry without mirror',
    'buildkit',
    { [BUILDKIT]: '[registry."quay.io"]\n  http = true\n' },
    [`${BUILDKIT}:1 buildkit: `, 'quay.io has no mirror'],
  ),
  plant(
    'BuildKit that does not verify the proxy',
    'buildkit',
    { [BUILDKIT]: '[registry."proxy.example.com:5050"]\n  insecure = true\n' },
    [`${BUILDKIT}:2 buildkit: `, 'insecure = true'],
  ),
  plant('buildkitd.toml that is not TOML', 'buildkit', { [BUILDKIT]: 'debug = yes\n' }, [
    `${BUILDKIT}:1 buildkit: `,
    'not TOML',
  ]),

  plant(
    'a fixed address of Docker Hub',
    'containerd',
    { '/etc/hosts': '127.0.0.1 localhost\n# see wiki\n44.205.64.79 registry-1.docker.io\n' },
    ['/etc/hosts:3 hosts: ', 'registry-1.docker.io has the fixed address 44.205.64.79'],
  ),
];

/** The node of a planted hole. */
export function applyPlant(content: NodeContent, { plant: files }: Planted): NodeContent {
  const merged = { ...content, ...files };
  return Object.fromEntries(
    Object.entries(merged).flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])),
  );
}
