import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempDir } from './process.ts';

/** The calendar time of one process, which a test moves while the process runs; its timers run on as they are. */
export interface Clock {
  /** Environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  /** Days ahead of the machine's time; negative ones lie behind it. */
  set(days: number): Promise<void>;
}

/** Works by the library of the part `faketime`. */
export async function createClock(): Promise<Clock> {
  const file = join(await makeTempDir('clock'), 'offset');
  const set = (days: number) => writeFile(file, `${days < 0 ? '' : '+'}${days}d\n`);
  await set(0);
  const env = {
    LD_PRELOAD: findLibrary(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  return { env, set };
}

/** Debian keeps it in a folder named after the architecture. */
function findLibrary(): string {
  const library = readdirSync('/usr/lib')
    .map((folder) => join('/usr/lib', folder, 'faketime', 'libfaketime.so.1'))
    .find((path) => existsSync(path));
  if (library === undefined) throw new Error('libfaketime.so.1 is not below /usr/lib; install faketime');
  return library;
}
