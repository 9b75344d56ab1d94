/** Ways around dockerd’s settings, and what its containers are given. */
import { json, P, type Planted, plant, unlocked } from './plant.ts';

const DAEMON = '/etc/docker/daemon.json';
const DOCKER_DROP_IN = '/etc/systemd/system/docker.service.d/95-corporate.conf';

export const DOCKERD: readonly Planted[] = [
  unlocked(
    plant('dockerd as mirror without a firewall', 'dockerd mirror', {}, [
      `${DAEMON}:3 dockerd: `,
      'fail-open',
    ]),
  ),
  unlocked(
    plant('dockerd with nothing but itself', 'nothing', { '/usr/bin/dockerd': '' }, [
      `${DAEMON}:1 dockerd: `,
      'directly to the registries',
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
    [`${DAEMON}:3 dockerd: `, 'the certificate of the proxy is not verified'],
  ),
  plant(
    'another insecure registry',
    'dockerd',
    { [DAEMON]: json({ debug: true, 'insecure-registries': ['registry.internal.example.com:5000'] }) },
    [`${DAEMON}:4 dockerd: `, 'go directly to it, without TLS'],
  ),
  plant('every registry insecure', 'dockerd', { [DAEMON]: json({ 'insecure-registries': ['0.0.0.0/0'] }) }, [
    `${DAEMON}:3 dockerd: `,
    '0.0.0.0/0',
  ]),
  plant('a comma too many in daemon.json', 'dockerd mirror', { [DAEMON]: '{\n  "debug": true,\n}\n' }, [
    `${DAEMON}:3 dockerd: `,
    'invalid JSON: the client ignores the whole file',
  ]),
  plant(
    'the corporate proxy in a drop-in, past the firewall',
    'dockerd',
    { [DOCKER_DROP_IN]: '[Service]\nEnvironment="HTTPS_PROXY=http://me:secret@web.corp:3128"\n' },
    [`${DOCKER_DROP_IN}:2 dockerd: `, 'the HTTP proxy http://***@web.corp:3128 can reach registries'],
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
    [`${DOCKER_DROP_IN}:2 dockerd: `, 'NO_PROXY exempts .docker.io'],
  ),
  plant(
    'an exemption of everything in daemon.json',
    'dockerd https-proxy',
    { [DAEMON]: json({ proxies: { 'no-proxy': '*' } }) },
    [`${DAEMON}:3 dockerd: `, 'NO_PROXY exempts *'],
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
];
