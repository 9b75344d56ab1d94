/** Whether an address in a client's file is the proxy's. */
import type { ProxyEndpoint } from '../types.ts';

/** An address with a scheme, as in hosts.toml; without one containerd takes https. `/v2` at its end changes nothing. */
export function isProxyUrl({ url }: ProxyEndpoint, text: string): boolean {
  const full = /^[a-z]+:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(full)) return false;
  const { origin, pathname, search, username } = new URL(full);
  return origin === url && /^\/(?:v2\/?)?$/.test(pathname) && search === '' && username === '';
}

/** `host[:port][/path]`, as in registries.conf and buildkitd.toml. */
export function isAtProxy({ scheme, authority }: ProxyEndpoint, location: string): boolean {
  const [place = ''] = location.toLowerCase().split('/');
  const defaultPort = scheme === 'https' ? ':443' : ':80';
  return place === authority || place === `${authority}${defaultPort}`;
}

/** What a NO_PROXY list takes out, in the words of the list: `*`, a host, or a domain with what is below it. */
export function exemptedHosts(noProxy: string, hosts: readonly string[]): readonly string[] {
  const entries = noProxy.split(/[\s,]+/).filter((entry) => entry !== '');
  return entries.filter((entry) => {
    const domain = entry
      .toLowerCase()
      .replace(/:[0-9]+$/, '')
      .replace(/^\*?\.?/, '');
    if (entry === '*') return true;
    return domain !== '' && hosts.some((host) => host === domain || host.endsWith(`.${domain}`));
  });
}
