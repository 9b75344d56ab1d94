/** `clients CLIENT`: client configuration that fails closed, and the steps that complete the lock. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findClient } from '../clients/client-names.ts';
import { createLock } from '../clients/lock.ts';
import { LockError } from '../clients/lock-error.ts';
import {
  CLIENTS,
  type ClientName,
  printGuide,
  printKit,
  printWarnings,
  renderKit,
} from '../clients/render.ts';
import type { ClientFile, ClientKit } from '../clients/types.ts';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import { CommandError, type CommandIo } from './io.ts';

export type ClientsOptions = {
  readonly config: string;
  readonly proxy?: string | undefined;
  readonly ca?: string | undefined;
  readonly as?: string | undefined;
  /** Folder to write the files below; undefined: everything is printed. */
  readonly out?: string | undefined;
};

/**
 * @returns the exit code, 0.
 * @throws CommandError or ConfigError when there is nothing to print, or a file must not be overwritten.
 */
export async function runClients(client: string, options: ClientsOptions, io: CommandIo): Promise<number> {
  const name = findClient(client, CLIENTS);
  if (name === undefined) {
    throw new CommandError(`unknown client "${client}"; write one of ${CLIENTS.join(', ')}`);
  }
  const kit = render(name, await loadConfig(options.config), options);
  if (options.out === undefined) {
    io.out(printKit(kit));
    return 0;
  }
  const written = await writeFiles(kit.files, options.out);
  io.out([...written, '', ...printWarnings(kit.warnings), ...printGuide(kit)].join('\n'));
  return 0;
}

function render(client: ClientName, config: Config, options: ClientsOptions): ClientKit {
  try {
    return renderKit(client, createLock(config, options), options.as);
  } catch (error) {
    if (error instanceof LockError) throw new CommandError(error.message);
    throw error;
  }
}

/** All or nothing: what is there and says something else is never overwritten. @returns one line for each file. */
async function writeFiles(files: readonly ClientFile[], folder: string): Promise<readonly string[]> {
  const places = files.map((file) => ({ ...file, place: join(folder, file.path) }));
  for (const { place, content } of places) {
    const there = await readFile(place, 'utf8').catch(missing);
    if (there !== undefined && there !== content) {
      throw new CommandError(
        `${place} exists with other content; nothing was written; name an empty folder with --out and merge by hand`,
      );
    }
  }
  for (const { place, content } of places) {
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, content);
  }
  return places.map(
    ({ place, merge }) => `wrote ${place}${merge ? ' (merge it into the existing file of the node)' : ''}`,
  );
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw new CommandError(`${error.path} cannot be read: ${error.code}`);
  return undefined;
}
