import { randomUUID } from 'node:crypto';
import { chmod, rename, rm, stat, writeFile } from 'node:fs/promises';

/** Who else may read a file that was not there. */
const NEW_MODE = 0o644;

/** Replaces a file as a whole, keeping its mode, or makes it: a reader sees the old text or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    const mode = await stat(path).then(({ mode }) => mode & 0o7777, whenMissing);
    await writeFile(unfinished, text, { mode: 0o600 });
    // Of the mode above the umask leaves what it likes.
    await chmod(unfinished, mode);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

function whenMissing(error: NodeJS.ErrnoException): number {
  if (error.code === 'ENOENT') return NEW_MODE;
  throw error;
}
