/** Ways around registries.conf and policy.json. */
import { json, type Planted, plant } from './plant.ts';

const CONTAINERS = '/etc/containers/registries.conf.d/999-pullwarden.conf';
const LATER = '/etc/containers/registries.conf.d/999-zz.conf';

export const PODMAN: readonly Planted[] = [
  plant(
    'a mirror beside a registry that is not blocked',
    'podman',
    {
      [LATER]: `[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\nblocked = false\n[[registry.mirror]]\nlocation = "proxy.example.com:5050/docker.io"\n`,
    },
    [`${LATER}:4 podman: `, 'pulls from docker.io go directly'],
  ),
  plant(
    'a more specific entry',
    'podman',
    { [LATER]: `# for the build team\n[[registry]]\nlocation = "docker.io/library"\n` },
    [`${LATER}:2 podman: `, 'pulls from docker.io/library go directly'],
  ),
  plant(
    'an entry for another registry',
    'podman remap',
    { [LATER]: `[[registry]]\nlocation = "quay.io"\n` },
    [`${LATER}:1 podman: `, 'pulls from quay.io go directly'],
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
    [`${LATER}:1 podman: `, 'short names are looked up at quay.io'],
  ),
  plant('the old format', 'podman', { [LATER]: `# old\n[registries.search]\nregistries = ["docker.io"]\n` }, [
    `${LATER}:2 podman: `,
    'the old format',
  ]),
  plant('registries.conf that is not TOML', 'podman', { [LATER]: `[[registry]]\nlocation = docker.io\n` }, [
    `${LATER}:2 podman: `,
    'invalid TOML',
  ]),
  plant(
    'an account’s registries.conf in the place of the system’s',
    'podman',
    {
      '/home/ci/.config/containers/registries.conf':
        'unqualified-search-registries = []\n[[registry]]\nprefix = "docker.io"\n[[registry]]\nprefix = "*.docker.io"\nlocation = "proxy.example.com:5050/docker.io"\n[[registry]]\nprefix = "registry.hub.docker.com"\nblocked = true\n[[registry]]\nprefix = "registry.example.com"\nblocked = true\n',
    },
    ['/home/ci/.config/containers/registries.conf:2 podman: ', 'pulls from docker.io go directly'],
  ),
  plant(
    'an account’s drop-in',
    'podman',
    { '/root/.config/containers/registries.conf.d/a.conf': '[[registry]]\nlocation = "docker.io"\n' },
    ['/root/.config/containers/registries.conf.d/a.conf:1 podman: ', 'pulls from docker.io go directly'],
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
    [
      '/etc/systemd/system/crio.service.d/a.conf:2 crio: ',
      'CONTAINERS_REGISTRIES_CONF replaces /etc/containers/registries.conf with /tmp/r.conf',
    ],
  ),
];
