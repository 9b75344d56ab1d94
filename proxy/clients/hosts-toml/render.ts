/** The hosts.toml that fails closed in every containerd, and in dockerd's containerd image store. */
import type { ClientFile, Lock, ProxyEndpoint } from '../types.ts';

/** Where the node keeps the certificate it shows to a proxy that asks for one. */
export const CLIENT_CERTIFICATE = {
  cert: '/etc/pullwarden/client.cert',
  key: '/etc/pullwarden/client.key',
} as const;

/** A TOML basic string. What comes here has no control characters, so JSON's escapes are TOML's. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

/**
 * The proxy as `server` *and* as `[host]` (registry-clients.md §0.3, §0.4): without `server` the registry itself
 * is the last resort, and containerd before 1.7.32 ignores a file without a `[host]` table.
 */
export function renderHostsToml(proxy: ProxyEndpoint): string {
  const settings = hostSettings(proxy);
  return [
    `# All pulls go to ${proxy.url} only. It is listed twice on purpose: without "server" containerd falls back to the`,
    '# registry itself, and containerd before 1.7.32 ignores a file without a [host] table.',
    `server = ${quote(proxy.url)}`,
    ...settings,
    '',
    `[host.${quote(proxy.url)}]`,
    ...settings.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function hostSettings({ ca, wantsClientCertificate }: ProxyEndpoint): readonly string[] {
  const { cert, key } = CLIENT_CERTIFICATE;
  return [
    'capabilities = ["pull", "resolve"]',
    ...(ca === undefined ? [] : [`ca = ${quote(ca)}`]),
    ...(wantsClientCertificate ? [`client = [[${quote(cert)}, ${quote(key)}]]`] : []),
  ];
}

/**
 * `_default` for every registry there is, and one folder for each configured one, so that no older file
 * applies (registry-clients.md §2.1: a registry's own folder wins over `_default`).
 */
export function renderHostsFolder(folder: string, { proxy, names }: Lock): readonly ClientFile[] {
  const content = renderHostsToml(proxy);
  return ['_default', ...names.map(hostsFolderName)].map((name) => ({
    path: `${folder}/${name}/hosts.toml`,
    content,
    merge: false,
  }));
}

/** registry-clients.md §2.1, lookup order: `host_port_` comes before `host:port`. */
export function hostsFolderName(registry: string): string {
  const [, host, port] = /^(.+):([0-9]+)$/.exec(registry) ?? [];
  return host === undefined ? registry : `${host}_${port}_`;
}
