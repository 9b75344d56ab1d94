/** dockerd: daemon.json, its unit, and what its clients hand to containers (registry-clients.md §1.1, §1.4, §1.5). */
import { DOCKER_HUB } from '../../names/reference.ts';
import { hasEgressLock } from '../egress/examine.ts';
import { examineHostsFolder } from '../hosts-toml/examine.ts';
import { isAtProxy, isProxyUrl } from '../node/addresses.ts';
import { get, parseJson, type Table, texts } from '../node/data.ts';
import { assignments, effective, optionValues, readService, type ServiceFiles } from '../node/environment.ts';
import { hasProgram } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';
import { examineProxies, type ProxySettings } from './proxies.ts';

const CLIENT = 'dockerd';
const DAEMON_JSON = '/etc/docker/daemon.json';
const CERTS_D = '/etc/docker/certs.d';

type Daemon = { readonly text: string; readonly data: Table; readonly service: ServiceFiles };

export function examineDockerd(scene: Scene): readonly Hole[] {
  const { files } = scene;
  const service = readService(files, 'docker', '/etc/default/docker', '/etc/sysconfig/docker');
  const text = files.read(DAEMON_JSON);
  const hasHosts = files.list(CERTS_D).includes('_default/');
  const isThere = text !== undefined || service.length > 0 || hasHosts || hasProgram(files, 'dockerd');
  if (!isThere) return [];
  const parsed = parseJson(text ?? '{}');
  if (parsed.kind === 'broken') {
    const open = `${parsed.message}: the client ignores the whole file`;
    return [{ file: DAEMON_JSON, line: parsed.line, client: CLIENT, open, write: 'correct it' }];
  }
  const daemon = { text: text ?? '', data: parsed.data, service };
  const usesContainerd = get(daemon.data, 'features', 'containerd-snapshotter') === true;
  const hosts = examineHostsFolder(scene, {
    client: CLIENT,
    folder: CERTS_D,
    isComplete: (usesContainerd && !hasEgressLock(scene)) || hasHosts,
  });
  const proxies = proxySettings(daemon);
  const isLockedByHosts = usesContainerd && hosts.length === 0;
  return [
    ...examineMirrors(scene, daemon),
    ...examineInsecure(scene, daemon),
    ...examineProxies(scene, CLIENT, proxies),
    ...hosts,
    ...(isLockedByHosts ? [] : examineLock(scene, daemon, proxies)),
  ];
}

/** daemon.json's `proxies` win over the environment (Docker 23 and later). */
function proxySettings({ text, data, service }: Daemon): ProxySettings {
  const environment = assignments(service);
  const pick = (key: string, variable: string) => {
    const value = get(data, 'proxies', key);
    if (typeof value === 'string') {
      return { value, file: DAEMON_JSON, line: lineOf(text, '"proxies"', `"${key}"`) };
    }
    return effective(environment, variable);
  };
  return {
    https: pick('https-proxy', 'HTTPS_PROXY'),
    http: pick('http-proxy', 'HTTP_PROXY'),
    exempt: pick('no-proxy', 'NO_PROXY'),
  };
}

type Setting = { readonly value: string; readonly file: string; readonly line: number };

function settings({ text, data, service }: Daemon, key: string, option: string): readonly Setting[] {
  const listed = texts(get(data, key)).map((value) => ({
    value,
    file: DAEMON_JSON,
    line: lineOf(text, `"${key}"`, value),
  }));
  return [...listed, ...optionValues(service, option)];
}

function mirrorsOf(daemon: Daemon): readonly Setting[] {
  return settings(daemon, 'registry-mirrors', '--registry-mirror');
}

function examineMirrors(scene: Scene, daemon: Daemon): readonly Hole[] {
  return mirrorsOf(daemon).flatMap(({ value, file, line }) => {
    const fault = faultOfMirror(scene, value);
    return fault === undefined ? [] : [{ file, line, client: CLIENT, ...fault }];
  });
}

function faultOfMirror({ lock }: Scene, url: string): Pick<Hole, 'open' | 'write'> | undefined {
  const { proxy, defaultRegistry } = lock;
  if (!isProxyUrl(proxy, url)) {
    return { open: `the mirror ${url} is not the proxy`, write: `write ${proxy.url} only` };
  }
  // Requests to a mirror name no registry (registry-clients.md §1.2); without a configuration it is not known whose images
  // these are.
  if (defaultRegistry === undefined || defaultRegistry === DOCKER_HUB) return undefined;
  return {
    open: `the proxy serves mirror requests from ${defaultRegistry}: its images arrive under Docker Hub's names`,
    write: `remove the mirror, or set defaultRegistry: ${DOCKER_HUB} at the proxy`,
  };
}

function examineInsecure({ lock: { proxy } }: Scene, daemon: Daemon): readonly Hole[] {
  return settings(daemon, 'insecure-registries', '--insecure-registry')
    .filter(({ value }) => !isLoopback(value) && !(proxy.scheme === 'http' && isAtProxy(proxy, value)))
    .map(({ value, file, line }) => ({
      file,
      line,
      client: CLIENT,
      open: isAtProxy(proxy, value)
        ? 'the certificate of the proxy is not verified: anyone on the network path can impersonate it'
        : `pulls from ${value} go directly to it, without TLS`,
      write: isAtProxy(proxy, value)
        ? `remove it; put the CA certificate into ${CERTS_D}/${proxy.authority}/ca.crt`
        : 'remove it',
    }));
}

function isLoopback(registry: string): boolean {
  return /^(?:localhost|127\.[0-9.]+|\[?::1\]?)(?:[:/][0-9]+)?$/.test(registry);
}

/** No setting in daemon.json keeps dockerd from contacting Docker Hub; HTTPS_PROXY and the firewall do. */
function examineLock(scene: Scene, daemon: Daemon, { https }: ProxySettings): readonly Hole[] {
  const isProxied = https !== undefined && isProxyUrl(scene.lock.proxy, https.value);
  if (isProxied || hasEgressLock(scene)) return [];
  const write = 'write the egress rules of "pullwarden clients dockerd"';
  const mirrors = mirrorsOf(daemon).filter(({ value }) => isProxyUrl(scene.lock.proxy, value));
  if (mirrors.length === 0) {
    const open = 'pulls go directly to the registries, bypassing the proxy';
    return [{ file: DAEMON_JSON, line: 1, client: CLIENT, open, write }];
  }
  return mirrors.map(({ file, line }) => ({
    file,
    line,
    client: CLIENT,
    open: 'registry-mirrors is fail-open: dockerd falls back to Docker Hub while the proxy is unreachable',
    write,
  }));
}
