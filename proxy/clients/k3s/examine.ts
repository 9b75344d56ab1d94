/** k3s and RKE2 (registry-clients.md §2.3). */

import { hasEgressLock } from '../egress/examine.ts';
import { isAtProxy, isProxyUrl } from '../node/addresses.ts';
import { asTable, entries, get, parseYaml, type Table, texts } from '../node/data.ts';
import { readService } from '../node/environment.ts';
import { hasProgram, listFiles } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';

const FLAG = 'disable-default-registry-endpoint';

type Source = { readonly file: string; readonly text: string; readonly data: Table };

export function examineK3s(scene: Scene): readonly Hole[] {
  return ['k3s', 'rke2'].flatMap((client) => examineDistribution(scene, client));
}

function examineDistribution(scene: Scene, client: string): readonly Hole[] {
  const { files } = scene;
  const folder = `/etc/rancher/${client}`;
  if (!hasProgram(files, client) && files.list(folder).length === 0) return [];
  const holes: Hole[] = [];
  const names = [`${folder}/config.yaml`, ...listFiles(files, `${folder}/config.yaml.d`, '.yaml', '.yml')];
  const settings = names.flatMap((file) => readSource(scene, client, file, holes));
  const moved = settings.flatMap(({ data }) => texts(get(data, 'private-registry'))).at(-1);
  const registries = moved ?? `${folder}/registries.yaml`;
  return [
    ...holes,
    ...examineFlag(scene, client, settings, `${folder}/config.yaml`),
    ...examineRegistries(scene, client, registries),
  ];
}

function readSource({ files }: Scene, client: string, file: string, holes: Hole[]): readonly Source[] {
  const text = files.read(file);
  if (text === undefined) return [];
  const parsed = parseYaml(text);
  if (parsed.kind === 'read') return [{ file, text, data: parsed.data }];
  const open = `${parsed.message}: the client ignores the whole file`;
  holes.push({ file, line: parsed.line, client, open, write: 'correct it' });
  return [];
}

/** The last file with the flag decides; the flag may also be on the command line. */
function examineFlag(
  { files }: Scene,
  client: string,
  settings: readonly Source[],
  main: string,
): readonly Hole[] {
  const source = settings.findLast(({ data }) => get(data, FLAG) !== undefined);
  if (String(get(source?.data, FLAG)) === 'true') return [];
  const units = [client, `${client}-agent`, `${client}-server`].flatMap((unit) => readService(files, unit));
  const onCommandLine = units.some(({ text }) => new RegExp(`--${FLAG}(?!=false)`).test(text));
  if (source === undefined && onCommandLine) return [];
  return [
    {
      file: source?.file ?? main,
      line: source === undefined ? 1 : lineOf(source.text, FLAG),
      client,
      open: 'when the proxy refuses, the client falls back to the registry itself',
      write: `write ${FLAG}: true`,
    },
  ];
}

function examineRegistries(scene: Scene, client: string, file: string): readonly Hole[] {
  const { lock } = scene;
  const write = `write mirrors: {"*": {endpoint: ["${lock.proxy.url}"]}}`;
  const holes: Hole[] = [];
  const [source] = readSource(scene, client, file, holes);
  if (source === undefined) {
    if (holes.length > 0) return holes.map((hole) => ({ ...hole, write }));
    if (hasEgressLock(scene)) return [];
    return [
      {
        file,
        line: 1,
        client,
        open: 'there is no such file, so all pulls go directly to the registries',
        write,
      },
    ];
  }
  const mirrors = get(source.data, 'mirrors');
  const star =
    get(mirrors, '*') === undefined
      ? [
          {
            file,
            line: lineOf(source.text, 'mirrors'),
            client,
            open: 'no mirror "*": pulls from a registry without an entry go directly to it',
            write,
          },
        ]
      : [];
  return [
    ...star,
    ...entries(mirrors).flatMap(([name, mirror]) => examineMirror(scene, client, source, name, mirror)),
    ...examineTls(scene, client, source),
  ];
}

function examineMirror(
  { lock: { proxy } }: Scene,
  client: string,
  { file, text }: Source,
  name: string,
  mirror: unknown,
): readonly Hole[] {
  const endpoints = texts(get(mirror, 'endpoint'));
  const write = `write endpoint: ["${proxy.url}"]`;
  const keyed = new RegExp(`^\\s+["']?${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?\\s*:`);
  if (endpoints.length === 0) {
    const open = `${name} has no endpoint, so pulls go directly to ${name}`;
    return [{ file, line: lineOf(text, 'mirrors', keyed), client, open, write }];
  }
  return endpoints
    .filter((endpoint) => !isProxyUrl(proxy, endpoint))
    .map((endpoint) => ({
      file,
      line: lineOf(text, 'mirrors', keyed, endpoint),
      client,
      open: `the endpoint ${endpoint} of ${name} is not the proxy`,
      write,
    }));
}

function examineTls(
  { lock: { proxy } }: Scene,
  client: string,
  { file, text, data }: Source,
): readonly Hole[] {
  return entries(asTable(get(data, 'configs')))
    .filter(([name, settings]) => {
      const isSkipped = get(settings, 'tls', 'insecure_skip_verify') === true;
      return isSkipped && (isAtProxy(proxy, name) || name === '*');
    })
    .map(([name]) => ({
      file,
      line: lineOf(text, 'configs', name, 'insecure_skip_verify'),
      client,
      open: 'insecure_skip_verify: anyone on the network path can impersonate the proxy',
      write: 'write ca_file with the CA of the proxy instead',
    }));
}
