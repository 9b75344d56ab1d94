/** What the tests of the client files share: one configuration, and a node in memory. */

import { createLock } from '../../proxy/clients/lock.ts';
import type { NodeFiles } from '../../proxy/clients/node/types.ts';
import { type ClientName, renderKit } from '../../proxy/clients/render.ts';
import type { ClientKit, Lock } from '../../proxy/clients/types.ts';
import { loadConfig } from '../../proxy/config/load-config.ts';
import type { Config } from '../../proxy/config/types.ts';
import { createFolder, write } from '../config/scratch.ts';

export const PROXY = 'https://proxy.example.com:5050';
export const CA = '/etc/pullwarden/ca.crt';

export const REGISTRIES = `defaultRegistry: docker.io
registries:
  - name: docker.io
    upstream: https://registry-1.docker.io
    aliases: [index.docker.io, registry-1.docker.io, registry.hub.docker.com]
    trust: { server: https://notary.example.com }
  - name: registry.example.com
    upstream: https://registry.internal.example.com:5000
    trust: { server: https://notary.example.com }
policy:
  rules:
    - { name: all, match: "**", mode: enforce }
`;

export function loadText(text: string): Promise<Config> {
  return loadConfig(write(createFolder(), 'pullwarden.yaml', text));
}

export async function loadLock(proxy = PROXY): Promise<Lock> {
  const ca = proxy.startsWith('https:') ? CA : undefined;
  return createLock(await loadText(REGISTRIES), { proxy, ca });
}

/** Content by path, on the node. */
export type NodeContent = Readonly<Record<string, string>>;

export function contentOf({ files }: ClientKit): NodeContent {
  return Object.fromEntries(files.map(({ path, content }) => [path, content]));
}

export function generate(lock: Lock, client: ClientName, as?: string): NodeContent {
  return contentOf(renderKit(client, lock, as));
}

/** The firewall's files taken away, so that a client's own have to hold. */
export function withoutEgress(content: NodeContent): NodeContent {
  return Object.fromEntries(
    Object.entries(content).filter(
      ([path]) => !/^\/etc\/(?:iptables|nftables\.d|systemd\/system\/pullwarden)/.test(path),
    ),
  );
}

export function openNode(content: NodeContent): NodeFiles {
  const paths = Object.keys(content);
  return {
    read: (path) => content[path],
    list: (folder) => {
      const start = folder === '/' ? '/' : `${folder}/`;
      const below = paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length));
      return [...new Set(below.map((path) => path.replace(/\/.*/, '/')))].toSorted();
    },
  };
}
