/** A node's files, below the folder its root is mounted at. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { NodeFiles } from './types.ts';

/** Far above any of these files. */
const MAX_BYTES = 1024 * 1024;
/** As many as Linux follows. */
const MAX_LINKS = 40;

export type RootFiles = NodeFiles & {
  /** Paths that are there and could not be read, with the cause. */
  readonly unreadable: () => ReadonlyMap<string, string>;
};

export function openRoot(root: string): RootFiles {
  const unreadable = new Map<string, string>();
  const guard = <T>(path: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') unreadable.set(path, code);
      return undefined;
    }
  };
  return {
    read: (path) => guard(path, () => readText(join(root, resolveLinks(root, path)))),
    list: (folder) => guard(folder, () => listFolder(root, folder)) ?? [],
    unreadable: () => unreadable,
  };
}

function readText(file: string): string | undefined {
  const stat = statSync(file);
  if (stat.isDirectory()) return undefined;
  if (!stat.isFile() || stat.size > MAX_BYTES)
    throw Object.assign(new Error(), { code: `no file below ${MAX_BYTES} bytes` });
  return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
}

function listFolder(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, resolveLinks(root, folder)))
    .toSorted()
    .map((name) => (isFolder(root, `${folder}/${name}`) ? `${name}/` : name));
}

function isFolder(root: string, path: string): boolean {
  try {
    return statSync(join(root, resolveLinks(root, path))).isDirectory();
  } catch {
    return false;
  }
}

/** Where a path of the node leads. An absolute link means the node's root, not that of the machine doctor runs on. */
function resolveLinks(root: string, path: string): string {
  let left = path.split('/').filter((part) => part !== '');
  let at = '/';
  for (let links = 0; left.length > 0; ) {
    const [part = '', ...rest] = left;
    left = rest;
    const next = posix.join(at, part);
    if (!lstatSync(join(root, next)).isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw Object.assign(new Error(), { code: 'ELOOP' });
    const target = readlinkSync(join(root, next));
    left = [...target.split('/').filter((name) => name !== ''), ...left];
    if (target.startsWith('/')) at = '/';
  }
  return at;
}
