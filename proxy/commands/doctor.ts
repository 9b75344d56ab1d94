/** `doctor`: reads this node's client configuration and names every way around the proxy. */
import { examineNode, formatHole } from '../clients/doctor/examine.ts';
import { openRoot } from '../clients/doctor/node-files.ts';
import { createLock, createLockWithoutConfig } from '../clients/lock.ts';
import { LockError } from '../clients/lock-error.ts';
import type { Lock } from '../clients/types.ts';
import { loadConfig } from '../config/load-config.ts';
import { CommandError, type CommandIo } from './io.ts';

export type DoctorOptions = {
  /** undefined: a node has none; the proxy's address is enough. */
  readonly config: string | undefined;
  readonly proxy: string | undefined;
  /** Where the node's file system is. */
  readonly root: string;
};

/**
 * @returns 0 when there is no hole, 2 when there are, 1 when there is none in what could be read and something could
 * not be.
 * @throws CommandError or ConfigError when it cannot be told what to look for.
 */
export async function runDoctor(options: DoctorOptions, io: CommandIo): Promise<number> {
  const lock = await findLock(options);
  const files = openRoot(options.root);
  if (files.list('/').length === 0) {
    throw new CommandError(`${options.root} is no folder with a node's files; name its root with --root`);
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
    `no hole in the client configuration below ${options.root} for ${lock.proxy.url}; files were read, not the running programs: the test pull of "pullwarden clients" proves the rest`,
  );
  return 0;
}

async function findLock({ config, proxy }: DoctorOptions): Promise<Lock> {
  try {
    if (config !== undefined) return createLock(await loadConfig(config), { proxy, ca: undefined });
    if (proxy !== undefined) return createLockWithoutConfig(proxy, undefined);
  } catch (error) {
    if (error instanceof LockError) throw new CommandError(error.message);
    throw error;
  }
  throw new CommandError('doctor must know the proxy; name it with --proxy or --config');
}
