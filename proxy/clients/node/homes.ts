/** Home folders and programs of a node. */
import type { NodeFiles } from './types.ts';

export function listHomes(files: NodeFiles): readonly string[] {
  const users = files.list('/home').filter((name) => name.endsWith('/'));
  return ['/root', ...users.map((name) => `/home/${name.slice(0, -1)}`)];
}

const PROGRAM_FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/bin', '/sbin'];

export function hasProgram(files: NodeFiles, ...names: readonly string[]): boolean {
  return PROGRAM_FOLDERS.some((folder) => {
    const there = files.list(folder);
    return names.some((name) => there.includes(name));
  });
}

/** Files of a folder with one of these endings, in the order programs read them. */
export function listFiles(
  files: NodeFiles,
  folder: string,
  ...endings: readonly string[]
): readonly string[] {
  return files
    .list(folder)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .toSorted()
    .map((name) => `${folder}/${name}`);
}
