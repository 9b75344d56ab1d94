/** Ways around registries.yaml, buildkitd.toml and DNS. */
import { P, type Planted, plant, unlocked } from './plant.ts';

const K3S = '/etc/rancher/k3s';
const BUILDKIT = '/etc/buildkit/buildkitd.toml';

export const OTHERS: readonly Planted[] = [
  plant('k3s without the flag', 'k3s', { [`${K3S}/config.yaml.d/90-pullwarden.yaml`]: undefined }, [
    `${K3S}/config.yaml:1 k3s: `,
    'falls back to the registry itself',
  ]),
  plant(
    'k3s with the flag switched off',
    'k3s',
    {
      [`${K3S}/config.yaml.d/95-later.yaml`]: 'node-label: [a=b]\ndisable-default-registry-endpoint: false\n',
    },
    [`${K3S}/config.yaml.d/95-later.yaml:2 k3s: `, 'falls back to the registry itself'],
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
    'invalid YAML',
  ]),
  plant(
    'RKE2 without anything',
    'nothing',
    { '/etc/rancher/rke2/config.yaml': 'token: a\n' },
    ['/etc/rancher/rke2/config.yaml:1 rke2: ', 'falls back to the registry itself'],
    ['/etc/rancher/rke2/registries.yaml:1 rke2: ', 'no such file'],
  ),

  unlocked(
    plant('BuildKit without a firewall', 'buildkit', {}, [
      `${BUILDKIT}:1 buildkit: `,
      'regardless of this file',
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
    'invalid TOML',
  ]),

  plant(
    'a fixed address of Docker Hub',
    'containerd',
    { '/etc/hosts': '127.0.0.1 localhost\n# see wiki\n44.205.64.79 registry-1.docker.io\n' },
    ['/etc/hosts:3 hosts: ', 'registry-1.docker.io has the fixed address 44.205.64.79'],
  ),
];
