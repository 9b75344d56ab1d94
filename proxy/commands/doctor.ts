/** `doctor`: reads this node's client configuration and names every way around the proxy. */
import { examineNode, formatHole } from '../clients/examine.ts';
import { openRoot } from '../clients/node/node-files.ts';
import { findLock, type LockSource } from './find-lock.ts';
import { CommandError, type CommandIo } from './io.ts';

export type DoctorOptions = LockSource & {
  /** Where the node's file system is. */
  readonly root: string;
};

/**
 * @returns 0 when there is no hole, 2 when there are, 1 when there is none in what could be read and something could
 * not be.
 * @throws CommandError or ConfigError when it cannot be told what to look for.
 */
export async function runDoctor(options: DoctorOptions, io: CommandIo): Promise<number> {
  const lock = await findLock(options, 'doctor');
  const files = openRoot(options.root);
  if (files.list('/').length === 0) {
    throw new CommandError(
      `--root ${options.root} must be the root folder of a node's file system; no files were found there`,
    );
  }
  const holes = examineNode({ files, lock });
  for (const hole of holes) io.out(formatHole(hole));
  const unreadable = files.unreadable();
  for (const [path, cause] of unreadable) {
    io.err(`pullwarden: ${path} cannot be read (${cause}); run doctor as root`);
  }
  if (holes.length > 0) return 2;
  if (unreadable.size > 0) return 1;
  io.out(
    `no way around ${lock.proxy.url} found in the client configuration below ${options.root}; doctor reads files, not running programs: run "pullwarden canary" to prove the rest with a pull`,
  );
  return 0;
}
