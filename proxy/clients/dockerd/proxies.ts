/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, of the daemon and of the containers it runs (registry-clients.md §1.5 row B). */
import { exemptedHosts, isProxyUrl } from '../node/addresses.ts';
import { entries, get, parseJson } from '../node/data.ts';
import { listHomes } from '../node/homes.ts';
import { lineOf } from '../node/lines.ts';
import type { Hole, Scene } from '../node/types.ts';

type Setting = { readonly value: string; readonly file: string; readonly line: number };

export type ProxySettings = {
  readonly https: Setting | undefined;
  readonly http: Setting | undefined;
  readonly exempt: Setting | undefined;
};

/** Another HTTP proxy bypasses the egress rules; an exemption bypasses this proxy. */
export function examineProxies(scene: Scene, client: string, settings: ProxySettings): readonly Hole[] {
  const { proxy, blocked } = scene.lock;
  const set = [settings.https, settings.http].filter(
    (setting) => setting !== undefined && setting.value !== '',
  );
  const others = set.flatMap((setting) => {
    if (setting === undefined || isProxyUrl(proxy, setting.value)) return [];
    const { value, file, line } = setting;
    const open = `the HTTP proxy ${hideAccount(value)} can reach registries, bypassing this proxy and the egress rules`;
    return [{ file, line, client, open, write: `write ${proxy.url}, or remove it` }];
  });
  const { exempt } = settings;
  if (exempt === undefined || set.length === 0) return others;
  const exempted = exemptedHosts(exempt.value, blocked.names);
  if (exempted.length === 0) return others;
  const { file, line } = exempt;
  const open = `NO_PROXY exempts ${exempted.join(', ')}, so those pulls bypass the proxy`;
  return [...others, { file, line, client, open, write: `remove ${exempted.join(', ')}` }];
}

function hideAccount(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}

/** ~/.docker/config.json: what builds and containers get as their environment. */
export function examineDockerConfig(scene: Scene): readonly Hole[] {
  return listHomes(scene.files).flatMap((home) => {
    const file = `${home}/.docker/config.json`;
    const text = scene.files.read(file);
    if (text === undefined) return [];
    const parsed = parseJson(text);
    const client = 'docker-cli';
    if (parsed.kind === 'broken') {
      const open = `${parsed.message}: the HTTP proxies that containers get are unknown`;
      return [{ file, line: parsed.line, client, open, write: 'correct it' }];
    }
    return entries(get(parsed.data, 'proxies')).flatMap(([daemon, proxies]) => {
      const pick = (key: string): Setting | undefined => {
        const value = get(proxies, key);
        if (typeof value !== 'string' || value === '') return undefined;
        return { value, file, line: lineOf(text, '"proxies"', `"${daemon}"`, `"${key}"`) };
      };
      return examineProxies(scene, client, {
        https: pick('httpsProxy'),
        http: pick('httpProxy'),
        exempt: pick('noProxy'),
      });
    });
  });
}
