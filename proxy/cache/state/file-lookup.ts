/**
 * Whether a file is there. Of a name that somebody made up none is, and to learn that takes one question to the disk and
 * no error: a rejected promise of `node:fs/promises` collects a stack that nobody reads.
 */
import { type Stats, stat } from 'node:fs';

/** @returns undefined when there is no such file. @throws the system's error when that cannot be told. */
export function statIfThere(path: string): Promise<Stats | undefined> {
  return new Promise((resolve, reject) => {
    stat(path, (error, stats) => {
      if (error === null) resolve(stats);
      else if (error.code === 'ENOENT') resolve(undefined);
      else reject(error);
    });
  });
}
