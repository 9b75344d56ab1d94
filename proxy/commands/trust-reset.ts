/** `trust reset IMAGE --reason …`: forgets a repository on purpose, after it was re-created, and keeps a record. */
import { resetFileState } from '../cache/state/state-reset.ts';
import { loadConfig } from '../config/load-config.ts';
import { findImage } from './image.ts';
import { CommandError, type CommandIo } from './io.ts';

export type TrustResetOptions = { readonly config: string; readonly reason: string };

/** @returns 0. @throws CommandError when there is nothing to forget, ConfigError, or TrustError (`state`). */
export async function runTrustReset(
  image: string,
  options: TrustResetOptions,
  io: CommandIo,
): Promise<number> {
  const config = await loadConfig(options.config);
  const { gun } = findImage(image, config);
  const reason = options.reason.trim();
  if (reason === '') throw new CommandError('--reason is empty; give a reason for the record');
  const { state } = config.trust;
  if (state.kind !== 'file') {
    throw new CommandError(`trust.state in ${config.file} is kept in memory; restart the proxy to remove it`);
  }
  const archive = await resetFileState(state.path, gun, reason, new Date());
  if (archive === undefined) throw new CommandError(`no trust data of ${gun} is stored in ${state.path}`);
  io.out(`the trust data of ${gun} was removed; a copy is kept in ${archive}`);
  io.out(
    'The next pull is a first contact again: the root key must match a pin, or trust.firstUse must be accept.',
  );
  return 0;
}
