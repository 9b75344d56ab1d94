/** buildkitd.toml, which enforces nothing by itself (registry-clients.md §2.5). */

import { hasEgressLock } from '../egress/examine.ts';
import { isAtProxy, isProxyUrl } from '../node/addresses.ts';
import { entries, get, parseToml, texts } from '../node/data.ts';
import { assignments, effective, readService } from '../node/environment.ts';
import { hasProgram, listHomes } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';

const CLIENT = 'buildkit';
const CONFIG = '/etc/buildkit/buildkitd.toml';

export function examineBuildkit(scene: Scene): readonly Hole[] {
  const { files } = scene;
  const own = listHomes(files).map((home) => `${home}/.config/buildkit/buildkitd.toml`);
  const there = [CONFIG, ...own].filter((file) => files.read(file) !== undefined);
  const paths = hasProgram(files, 'buildkitd') ? [...new Set([CONFIG, ...there])] : there;
  return paths.flatMap((file) => [...examineFile(scene, file), ...examineLock(scene, file)]);
}

/** BuildKit always falls back to the registry itself, so the firewall or an HTTP proxy must prevent that. */
function examineLock(scene: Scene, file: string): readonly Hole[] {
  const https = effective(assignments(readService(scene.files, 'buildkit')), 'HTTPS_PROXY');
  const isProxied = https !== undefined && isProxyUrl(scene.lock.proxy, https.value);
  if (isProxied || hasEgressLock(scene)) return [];
  const open = 'when the proxy refuses, BuildKit falls back to the registry itself, regardless of this file';
  const write = 'write the egress rules of "pullwarden clients buildkit"';
  return [{ file, line: 1, client: CLIENT, open, write }];
}

function examineFile(scene: Scene, file: string): readonly Hole[] {
  const { files, lock } = scene;
  const text = files.read(file) ?? '';
  const parsed = parseToml(text);
  const write = `write mirrors = ["${lock.proxy.authority}"]`;
  if (parsed.kind === 'broken') {
    return [
      {
        file,
        line: parsed.line,
        client: CLIENT,
        open: `${parsed.message}: the client ignores the whole file`,
        write,
      },
    ];
  }
  const registries = entries(get(parsed.data, 'registry'));
  const named = new Set(registries.map(([name]) => name));
  const missing = lock.names
    .filter((name) => !named.has(name) && !hasEgressLock(scene))
    .map((name) => ({
      file,
      line: 1,
      client: CLIENT,
      open: `no [registry."${name}"], so pulls go directly to ${name}`,
      write: `write [registry."${name}"] with mirrors = ["${lock.proxy.authority}"]`,
    }));
  return [
    ...missing,
    ...registries.flatMap(([name, settings]) => examineRegistry(scene, file, text, name, settings)),
  ];
}

function examineRegistry(
  { lock: { proxy } }: Scene,
  file: string,
  text: string,
  name: string,
  settings: unknown,
): readonly Hole[] {
  const header = `registry."${name}"`;
  const hole = (line: number, open: string, write: string): Hole => ({
    file,
    line,
    client: CLIENT,
    open,
    write,
  });
  if (isAtProxy(proxy, name)) {
    return ['insecure', 'http']
      .filter((key) => proxy.scheme === 'https' && get(settings, key) === true)
      .map((key) =>
        hole(
          lineOf(text, header, new RegExp(`\\b${key}\\s*=`)),
          `${key} = true: anyone on the network path can impersonate the proxy`,
          `remove ${key}`,
        ),
      );
  }
  const mirrors = texts(get(settings, 'mirrors'));
  const write = `write mirrors = ["${proxy.authority}"]`;
  if (mirrors.length === 0)
    return [hole(lineOf(text, header), `${name} has no mirror, so pulls go directly to ${name}`, write)];
  return mirrors
    .filter((mirror) => !isAtProxy(proxy, mirror.replace(/^https?:\/\//, '')))
    .map((mirror) =>
      hole(lineOf(text, header, mirror), `the mirror ${mirror} of ${name} is not the proxy`, write),
    );
}
