/**
 * containerd's config.toml in each of its schemas, and the hosts.toml files it leads to (registry-clients.md §2.1, §2.2).
 */
import { posix } from 'node:path';
import { hasEgressLock } from '../egress/examine.ts';
import { examineHostsFolder } from '../hosts-toml/examine.ts';
import { entries, get, parseToml, type Table, texts } from '../node/data.ts';
import { hasProgram } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, NodeFiles, Scene } from '../node/types.ts';

const CLIENT = 'containerd';
const CONFIG = '/etc/containerd/config.toml';
const CERTS_D = '/etc/containerd/certs.d';
const WRITE = `write config_path = "${CERTS_D}"`;

const V1 = 'cri';
const V2 = 'io.containerd.grpc.v1.cri';
const V3 = 'io.containerd.cri.v1.images';

type Source = { readonly file: string; readonly text: string; readonly data: Table };

export function examineContainerd(scene: Scene): readonly Hole[] {
  const { files } = scene;
  const isThere = hasProgram(files, 'containerd') || files.list('/etc/containerd').length > 0;
  if (!isThere) return [];
  const broken: Hole[] = [];
  const sources = readConfig(files, broken);
  const folders = sources.flatMap((source) => configPaths(source));
  const pullsImages = !sources.some(({ data }) => isCriDisabled(data));
  const mustBeComplete = pullsImages && !hasEgressLock(scene);
  return [
    ...broken,
    ...sources.flatMap(examineOldStyle),
    ...(mustBeComplete || folders.length > 0 ? examineConfigPath(sources, folders, broken.length > 0) : []),
    ...[...new Set([CERTS_D, ...folders])].flatMap((folder) =>
      examineHostsFolder(scene, {
        client: CLIENT,
        folder,
        isComplete: folders.includes(folder) || (mustBeComplete && folders.length === 0),
      }),
    ),
  ];
}

/** config.toml and what it imports. */
function readConfig(files: NodeFiles, broken: Hole[]): readonly Source[] {
  const [main] = readSource(files, CONFIG, broken);
  if (main === undefined) return [];
  const imports = texts(get(main.data, 'imports')).flatMap((pattern) => expand(files, pattern));
  return [main, ...imports.flatMap((path) => readSource(files, path, broken))];
}

function readSource(files: NodeFiles, file: string, broken: Hole[]): readonly Source[] {
  const text = files.read(file);
  if (text === undefined) return [];
  const parsed = parseToml(text);
  if (parsed.kind === 'read') return [{ file, text, data: parsed.data }];
  const open = `${parsed.message}: it sets no folder with hosts.toml`;
  broken.push({ file, line: parsed.line, client: CLIENT, open, write: WRITE });
  return [];
}

/** containerd imports by pattern; one star in the last part is what people write. */
function expand(files: NodeFiles, pattern: string): readonly string[] {
  const path = posix.resolve(posix.dirname(CONFIG), pattern);
  if (!path.includes('*')) return [path];
  const [before = '', after = ''] = posix.basename(path).split('*');
  const folder = posix.dirname(path);
  return files
    .list(folder)
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .map((name) => `${folder}/${name}`);
}

function isCriDisabled(data: Table): boolean {
  const disabled = texts(get(data, 'disabled_plugins'));
  return disabled.some((name) => [V1, V2, V3].includes(name));
}

/** A table of another version than the file's is not read. */
function pluginsOf(data: Table): readonly string[] {
  return get(data, 'version') === 3 ? [V3] : [V2, V1];
}

function configPaths({ data }: Source): readonly string[] {
  return pluginsOf(data).flatMap((plugin) =>
    texts(get(data, 'plugins', plugin, 'registry', 'config_path'))
      .flatMap((value) => value.split(':'))
      .filter((folder) => folder !== ''),
  );
}

function examineConfigPath(
  sources: readonly Source[],
  folders: readonly string[],
  isBroken: boolean,
): readonly Hole[] {
  const misplaced = sources.flatMap(examineMisplaced);
  if (folders.length > 0 || misplaced.length > 0 || isBroken) return misplaced;
  const [main] = sources;
  const line = main === undefined ? 1 : lineOf(main.text, /\bregistry"?\]/, 'config_path');
  const open = 'no config_path: pulls by Kubernetes ignore hosts.toml and go directly to the registry';
  return [{ file: CONFIG, line, client: CLIENT, open, write: WRITE }];
}

/** A config_path in the table of another schema looks right and has no effect. */
function examineMisplaced({ file, text, data }: Source): readonly Hole[] {
  const read = pluginsOf(data);
  const version = get(data, 'version') === 3 ? 3 : 2;
  return [V1, V2, V3]
    .filter((plugin) => !read.includes(plugin))
    .filter((plugin) => get(data, 'plugins', plugin, 'registry', 'config_path') !== undefined)
    .map((plugin) => ({
      file,
      line: lineOf(text, plugin, 'config_path'),
      client: CLIENT,
      open: `containerd ignores this table in a file with version = ${version}, so hosts.toml is ignored too`,
      write: `write config_path below [plugins."${version === 3 ? V3 : V2}".registry]`,
    }));
}

/** With `mirrors` containerd always falls back to the registry itself (registry-clients.md §2.2). */
function examineOldStyle({ file, text, data }: Source): readonly Hole[] {
  return [V1, V2, V3].flatMap((plugin) => {
    const registry = get(data, 'plugins', plugin, 'registry');
    const mirrors = entries(get(registry, 'mirrors')).map(([name]) => ({
      file,
      line: lineOf(text, /registry"?\.mirrors|mirrors\s*\]/, name),
      client: CLIENT,
      open: `registry.mirrors of ${name}: containerd always falls back to the registry itself, and rejects config_path beside it`,
      write: `remove it; ${WRITE}`,
    }));
    const skips = entries(get(registry, 'configs')).flatMap(([name, settings]) =>
      get(settings, 'tls', 'insecure_skip_verify') === true ? [name] : [],
    );
    return [
      ...mirrors,
      ...skips.map((name) => ({
        file,
        line: lineOf(text, /registry"?\.configs|configs\s*\]/, name, 'insecure_skip_verify'),
        client: CLIENT,
        open: `insecure_skip_verify for ${name}: anyone on the network path can impersonate it`,
        write: 'remove it; write ca into hosts.toml',
      })),
    ];
  });
}
