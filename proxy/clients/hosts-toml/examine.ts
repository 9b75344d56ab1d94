/** hosts.toml: the files below certs.d (registry-clients.md §2.1). */
import { isAtProxy, isProxyUrl } from '../node/addresses.ts';
import { asTable, entries, get, parseToml, type Table, texts } from '../node/data.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';

export type HostsFolder = {
  readonly client: string;
  readonly folder: string;
  /** Whether a registry without a folder of its own must be covered, and each folder have its hosts.toml. */
  readonly isComplete: boolean;
};

export function examineHostsFolder(
  scene: Scene,
  { client, folder, isComplete }: HostsFolder,
): readonly Hole[] {
  const { files, lock } = scene;
  const names = files.list(folder).filter((name) => name.endsWith('/'));
  const holes = names.flatMap((slashed) => {
    const name = slashed.slice(0, -1);
    const file = `${folder}/${name}/hosts.toml`;
    const text = files.read(file);
    if (text !== undefined) return examineHostsToml(scene, client, file, text);
    if (!isComplete || isAtProxy(lock.proxy, registryOf(name))) return [];
    const open = `${registryOf(name)} has a folder without hosts.toml, so _default does not apply and pulls go directly to ${registryOf(name)}`;
    return [{ file, line: 1, client, open, write: writeHosts(scene) }];
  });
  if (!isComplete || names.includes('_default/')) return holes;
  const open = 'there is no _default, so pulls from every registry without its own folder go directly to it';
  return [
    ...holes,
    { file: `${folder}/_default/hosts.toml`, line: 1, client, open, write: writeHosts(scene) },
  ];
}

/** The folder's registry; `host_5000_` stands for `host:5000`. */
function registryOf(folder: string): string {
  return folder.replace(/_([0-9]+)_$/, ':$1');
}

function writeHosts({ lock: { proxy } }: Scene): string {
  return `write server = "${proxy.url}" and [host."${proxy.url}"]`;
}

function examineHostsToml(scene: Scene, client: string, file: string, text: string): readonly Hole[] {
  const write = writeHosts(scene);
  const thrownAway = 'so the client ignores the file and pulls go directly to the registry';
  const parsed = parseToml(text);
  if (parsed.kind === 'broken') {
    return [{ file, line: parsed.line, client, open: `${parsed.message}, ${thrownAway}`, write }];
  }
  const fault = shapeFault(parsed.data);
  if (fault !== undefined) {
    const line = lineOf(text, keyAt(fault.key));
    return [{ file, line, client, open: `${fault.what}, ${thrownAway}`, write }];
  }
  return [
    ...examineServer(scene, client, file, text, parsed.data),
    ...examineHosts(scene, client, file, text, parsed.data),
  ];
}

function examineServer(
  { lock: { proxy } }: Scene,
  client: string,
  file: string,
  text: string,
  data: Table,
): readonly Hole[] {
  const server = get(data, 'server');
  const line = lineOf(text, keyAt('server'));
  const write = `write server = "${proxy.url}"`;
  if (typeof server !== 'string' || server === '') {
    return [
      { file, line: 1, client, open: 'no server: the client falls back to the registry itself', write },
    ];
  }
  if (!isProxyUrl(proxy, server)) {
    return [
      { file, line, client, open: `the client falls back to server ${server} when the proxy refuses`, write },
    ];
  }
  if (get(data, 'skip_verify') !== true) return [];
  return [unverified(client, file, lineOf(text, keyAt('skip_verify')))];
}

function examineHosts(
  scene: Scene,
  client: string,
  file: string,
  text: string,
  data: Table,
): readonly Hole[] {
  const { proxy } = scene.lock;
  const hosts = entries(get(data, 'host'));
  if (hosts.length === 0) {
    const open =
      'no [host] table: containerd before 1.7.32 ignores the file and pulls directly from the registry';
    return [{ file, line: 1, client, open, write: `add [host."${proxy.url}"]` }];
  }
  return hosts.flatMap(([host, settings]) => {
    const line = lineOf(text, host);
    if (!isProxyUrl(proxy, host)) {
      const open = `host ${host} is not the proxy, and clients fetch content from it regardless of its capabilities`;
      return [{ file, line, client, open, write: `keep [host."${proxy.url}"] only` }];
    }
    if (get(settings, 'skip_verify') !== true) return [];
    return [unverified(client, file, lineOf(text, host, keyAt('skip_verify')))];
  });
}

function unverified(client: string, file: string, line: number): Hole {
  const open = 'skip_verify = true: anyone on the network path can impersonate the proxy';
  return { file, line, client, open, write: 'write ca = "..." with the CA of the proxy instead' };
}

function keyAt(key: string): RegExp {
  return new RegExp(`(?:^|[\\s{,.["'])${key}["']?\\s*(?:=|[\\]."'])`);
}

type ShapeFault = { readonly key: string; readonly what: string };

/** A value of the wrong type is as bad as a syntax error: containerd then ignores the whole file. */
function shapeFault(data: Table): ShapeFault | undefined {
  const hosts = get(data, 'host');
  if (hosts !== undefined && asTable(hosts) === undefined)
    return { key: 'host', what: '`host` must be a table' };
  for (const [host, settings] of entries(hosts)) {
    const table = asTable(settings);
    if (table === undefined)
      return {
        key: host.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
        what: `\`host.${host}\` must be a table`,
      };
    const fault = settingsFault(table);
    if (fault !== undefined) return fault;
  }
  return settingsFault(data);
}

const CAPABILITIES: ReadonlySet<string> = new Set(['pull', 'resolve', 'push', 'referrers']);

function settingsFault(settings: Table): ShapeFault | undefined {
  for (const [key, value] of entries(settings)) {
    const what = explainSetting(key, value);
    if (what !== undefined) return { key, what };
  }
  return undefined;
}

function explainSetting(key: string, value: unknown): string | undefined {
  switch (key) {
    case 'server':
      return typeof value === 'string' ? undefined : '`server` must be a string';
    case 'skip_verify':
    case 'override_path':
      return typeof value === 'boolean' ? undefined : `\`${key}\` must be true or false`;
    case 'capabilities':
      if (!Array.isArray(value)) return '`capabilities` must be an array';
      return texts(value).length === value.length && texts(value).every((name) => CAPABILITIES.has(name))
        ? undefined
        : '`capabilities` may hold only pull, resolve, push and referrers';
    case 'ca':
    case 'client':
      return typeof value === 'string' || Array.isArray(value)
        ? undefined
        : `\`${key}\` must be a file name or an array of them`;
    default:
      return undefined;
  }
}
