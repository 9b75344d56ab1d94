import { randomUUID } from 'node:crypto';
import { rename, rm, stat, writeFile } from 'node:fs/promises';

/** Replaces a file as a whole, keeping its mode: a reader sees the old text or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.tmp`;
  try {
    const { mode } = await stat(path);
    await writeFile(unfinished, text, { mode });
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
