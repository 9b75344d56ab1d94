/** What commands that run on a node know of the proxy: its configuration, or its address alone. */
import { createLock, createLockWithoutConfig } from '../clients/lock.ts';
import { LockError } from '../clients/lock-error.ts';
import type { Lock } from '../clients/types.ts';
import { loadConfig } from '../config/load-config.ts';
import { CommandError } from './io.ts';

export type LockSource = {
  /** undefined: a node has none; the proxy's address is enough. */
  readonly config?: string | undefined;
  readonly proxy?: string | undefined;
};

/** @throws CommandError or ConfigError when the proxy cannot be told. */
export async function findLock({ config, proxy }: LockSource, command: string): Promise<Lock> {
  try {
    if (config !== undefined) return createLock(await loadConfig(config), { proxy, ca: undefined });
    if (proxy !== undefined) return createLockWithoutConfig(proxy, undefined);
  } catch (error) {
    if (error instanceof LockError) throw new CommandError(error.message);
    throw error;
  }
  throw new CommandError(`${command} needs the address of the proxy; give it with --proxy or --config`);
}
