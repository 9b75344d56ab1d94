/** The real programs, found where Debian puts them. Apart from parts.ts so that it can be used outside jest too. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Every real program the tests can drive, by the name it has in the messages. */
const PROGRAMS = [
  'docker-registry',
  'notary-server',
  'notary-signer',
  'notary',
  'dockerd',
  'docker',
  'skopeo',
  'podman',
  'buildah',
  'containerd',
  'ctr',
  'nginx',
  'openssl',
  'redis-server',
  'promtool',
  'wrk',
  'faketime',
  'ip',
  'nft',
  'iptables-restore',
  'ip6tables-restore',
] as const;

export type Part = (typeof PROGRAMS)[number];

/** Debian keeps its programs here; `/usr/bin` comes first so that its `docker` (20.10) wins over a newer one. */
export const SEARCH_PATH = ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/usr/local/sbin'];

/** Of no use to anybody else. */
const NEEDS_ROOT: ReadonlySet<Part> = new Set([
  'dockerd',
  'ip',
  'nft',
  'iptables-restore',
  'ip6tables-restore',
]);

const found = new Map<Part, string | undefined>();

/** Returns the absolute path of a part's program, or undefined where it cannot be used. */
export function findPart(part: Part): string | undefined {
  if (!found.has(part)) found.set(part, locate(part));
  return found.get(part);
}

/** Returns the absolute path of a part's program; inside `describeReal` it is always there. */
export function programOf(part: Part): string {
  const path = findPart(part);
  if (path === undefined)
    throw new Error(`${part} is not installed: list it among the parts of describeReal`);
  return path;
}

function locate(part: Part): string | undefined {
  if (NEEDS_ROOT.has(part) && process.getuid?.() !== 0) return undefined;
  const folders = [...SEARCH_PATH, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, part)).find((path) => isUsable(part, path));
}

function isUsable(part: Part, path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return false;
  }
  // The Docker CLI lost `docker trust` in version 29; one without it cannot sign and is no part of ours.
  return part !== 'docker' || spawnSync(path, ['trust', 'sign', '--help']).status === 0;
}
