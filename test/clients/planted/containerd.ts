/** Ways around hosts.toml and config.toml. */
import { hosts, P, type Planted, plant } from './plant.ts';

const CERTS = '/etc/containerd/certs.d';
const CONTAINERD = '/etc/containerd/config.toml';

export const HOSTS: readonly Planted[] = [
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
      'falls back to server https://registry-1.docker.io when the proxy refuses',
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
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'the client ignores the file'],
  ),
  plant(
    'hosts.toml with a value of the wrong type',
    'containerd',
    {
      [`${CERTS}/_default/hosts.toml`]: hosts(`server = "${P}"`, `[host."${P}"]`, '  capabilities = "pull"'),
    },
    [
      `${CERTS}/_default/hosts.toml:3 containerd: `,
      '`capabilities` must be an array, so the client ignores the file',
    ],
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
    [`${CERTS}/_default/hosts.toml:3 containerd: `, 'may hold only pull, resolve, push and referrers'],
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
    [`${CONTAINERD}:3 containerd: `, 'containerd ignores this table in a file with version = 3'],
  ),
  plant(
    'config_path of version 3 in a file of version 2',
    'containerd',
    {
      [CONTAINERD]: `version = 2\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "${CERTS}"\n`,
    },
    [`${CONTAINERD}:3 containerd: `, 'containerd ignores this table in a file with version = 2'],
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
    'invalid TOML',
  ]),
];
