/** A folder for this process alone, with the folders above it. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from './claimed-write.ts';
import { statIfThere } from './file-lookup.ts';

/**
 * Not `mkdir` with `recursive`: where a system refuses with ENOENT although the folder above is there, as below /proc,
 * Node tries for ever.
 *
 * @throws Error when it cannot be made, and when a file has its name.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    const above = dirname(path);
    if (!hasCode(error, 'ENOENT') || above === path) throw error;
    // One that is there by now was made just then by another process, so this one is asked for once more.
    if ((await statIfThere(above)) === undefined) await makeFolder(above);
    await makeOne(path);
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    await requireFolder(path);
  }
}

async function requireFolder(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw new Error(`${path} is a file; name a folder`);
}
