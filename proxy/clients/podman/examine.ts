/**
 * registries.conf of podman, CRI-O, skopeo and buildah: the system's, and what each account puts in its place
 * (registry-clients.md §2.4).
 */

import { hasEgressLock } from '../egress/examine.ts';
import { isAtProxy } from '../node/addresses.ts';
import { asTable, get, list, parseToml, type Table, texts } from '../node/data.ts';
import { hasProgram, listFiles, listHomes } from '../node/homes.ts';
import { lineOf, linesOf, lineWithin } from '../node/lines.ts';
import type { Hole, NodeFiles, Scene } from '../node/types.ts';
import { examinePolicy } from './policy-json.ts';

export const CLIENT = 'podman';
const FOLDER = '/etc/containers';
const PROGRAMS = ['podman', 'skopeo', 'buildah', 'crio'];

type Source = { readonly file: string; readonly text: string; readonly data: Table };
type Entry = {
  readonly prefix: string;
  readonly settings: Table;
  readonly source: Source;
  /** Its lines in the file, from 1, without the end. */
  readonly line: number;
  readonly end: number;
};

export function examineRegistriesConf(scene: Scene): readonly Hole[] {
  const { files } = scene;
  const system = [`${FOLDER}/registries.conf`, ...dropIns(files, FOLDER)];
  const isThere = hasProgram(files, ...PROGRAMS) || system.some((file) => files.read(file) !== undefined);
  const homes = listHomes(files).flatMap((home) => homeFiles(files, `${home}/.config/containers`, system));
  const scopes = [...(isThere ? [system] : []), ...homes];
  return [
    ...scopes.flatMap((paths) => examineScope(scene, paths)),
    ...(scopes.length > 0 ? examinePolicy(scene) : []),
  ];
}

function dropIns(files: NodeFiles, folder: string): readonly string[] {
  return listFiles(files, `${folder}/registries.conf.d`, '.conf');
}

/** An account's registries.conf replaces everything of the system's; without one its drop-ins are added. */
function homeFiles(
  files: NodeFiles,
  folder: string,
  system: readonly string[],
): readonly (readonly string[])[] {
  const own = dropIns(files, folder);
  const main = `${folder}/registries.conf`;
  if (files.read(main) !== undefined) return [[main, ...own]];
  return own.length > 0 ? [[...system, ...own]] : [];
}

function examineScope(scene: Scene, paths: readonly string[]): readonly Hole[] {
  const holes: Hole[] = [];
  const sources = paths.flatMap((file) => readSource(scene, file, holes));
  const counted = countedEntries(sources);
  const [main = `${FOLDER}/registries.conf`] = paths;
  return [
    ...holes,
    ...counted.flatMap((entry) => examineEntry(scene, entry)),
    ...examineSearch(scene, sources, counted),
    ...(holes.length > 0 || hasEgressLock(scene) ? [] : examineMissing(scene, main, counted)),
  ];
}

function readSource({ files, lock }: Scene, file: string, holes: Hole[]): readonly Source[] {
  const text = files.read(file);
  if (text === undefined) return [];
  const parsed = parseToml(text);
  const write = `write [[registry]] entries with blocked = true and a mirror at ${lock.proxy.authority}`;
  if (parsed.kind === 'broken') {
    holes.push({
      file,
      line: parsed.line,
      client: CLIENT,
      open: `${parsed.message}: the client ignores the whole file`,
      write,
    });
    return [];
  }
  if (get(parsed.data, 'registries') !== undefined) {
    const open =
      'the old format ([registries.search] and so on) supports neither mirrors nor blocked = true with a mirror';
    holes.push({ file, line: lineOf(text, /\[registries[.\]]/), client: CLIENT, open, write });
    return [];
  }
  return [{ file, text, data: parsed.data }];
}

/** By prefix; of two with one prefix the later file's counts. */
function countedEntries(sources: readonly Source[]): readonly Entry[] {
  const entries = sources.flatMap((source) => {
    const lines = linesOf(source.text, /^\s*\[\[\s*registry\s*\]\]/);
    return list(get(source.data, 'registry')).flatMap((item, at): readonly Entry[] => {
      const settings = asTable(item) ?? {};
      const [prefix] = texts([get(settings, 'prefix'), get(settings, 'location')]).filter(
        (text) => text !== '',
      );
      return prefix === undefined
        ? []
        : [
            {
              prefix,
              settings,
              source,
              line: lines[at] ?? 1,
              end: lines[at + 1] ?? Number.POSITIVE_INFINITY,
            },
          ];
    });
  });
  return [...new Map(entries.map((entry) => [entry.prefix, entry] as const)).values()];
}

function examineEntry(scene: Scene, entry: Entry): readonly Hole[] {
  const { settings, prefix } = entry;
  const { proxy } = scene.lock;
  const [location = prefix] = texts(get(settings, 'location')).filter((text) => text !== '');
  const mirrors = list(get(settings, 'mirror')).flatMap((mirror) => examineMirror(scene, entry, mirror));
  if (get(settings, 'blocked') === true) return mirrors;
  if (!isAtProxy(proxy, location)) {
    const open = `pulls from ${prefix} go directly to ${location === prefix ? 'it' : location}`;
    return [holeAt(entry, /^\s*blocked\s*=/, open, 'write blocked = true'), ...mirrors];
  }
  return [...(isInsecure(scene, settings) ? [insecureHole(entry)] : []), ...mirrors];
}

function holeAt({ source, ...section }: Entry, needle: string | RegExp, open: string, write: string): Hole {
  return {
    file: source.file,
    line: lineWithin(source.text, { start: section.line, end: section.end }, needle),
    client: CLIENT,
    open,
    write,
  };
}

function insecureHole(entry: Entry): Hole {
  const open = 'insecure = true: anyone on the network path can impersonate the proxy';
  return holeAt(entry, /^\s*insecure\s*=\s*true/, open, 'remove insecure = true');
}

function isInsecure({ lock }: Scene, settings: unknown): boolean {
  return lock.proxy.scheme === 'https' && get(settings, 'insecure') === true;
}

function examineMirror(scene: Scene, entry: Entry, mirror: unknown): readonly Hole[] {
  const { proxy } = scene.lock;
  const [location = ''] = texts(get(mirror, 'location'));
  if (isAtProxy(proxy, location)) return isInsecure(scene, mirror) ? [insecureHole(entry)] : [];
  const open = `the mirror ${location} of ${entry.prefix} is not the proxy`;
  return [holeAt(entry, `"${location}"`, open, `write location = "${proxy.authority}/..."`)];
}

/** The entry that speaks for a name: the one with the longest prefix. */
function findEntry(entries: readonly Entry[], name: string): Entry | undefined {
  return entries
    .filter(({ prefix }) =>
      prefix.startsWith('*.')
        ? name.endsWith(prefix.slice(1))
        : name === prefix || name.startsWith(`${prefix}/`),
    )
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

/** Short names go to these registries; each must have an entry, which is judged by itself. */
function examineSearch(scene: Scene, sources: readonly Source[], entries: readonly Entry[]): readonly Hole[] {
  const source = sources.findLast(({ data }) => get(data, 'unqualified-search-registries') !== undefined);
  if (source === undefined) return [];
  const known = new Set(scene.lock.names);
  return texts(get(source.data, 'unqualified-search-registries'))
    .filter(
      (name) =>
        findEntry(entries, name) === undefined && !known.has(name) && !isAtProxy(scene.lock.proxy, name),
    )
    .map((name) => ({
      file: source.file,
      line: lineOf(source.text, 'unqualified-search-registries', `"${name}"`),
      client: CLIENT,
      open: `short names are looked up at ${name}, and those pulls go directly to it`,
      write: 'remove it from unqualified-search-registries',
    }));
}

function examineMissing({ lock }: Scene, file: string, entries: readonly Entry[]): readonly Hole[] {
  return lock.names
    .filter((name) => findEntry(entries, name) === undefined)
    .map((name) => ({
      file,
      line: 1,
      client: CLIENT,
      open: `no entry covers ${name}, so pulls go directly to ${name}`,
      write: `write [[registry]] with prefix = "${name}", blocked = true and a mirror at ${lock.proxy.authority}`,
    }));
}
