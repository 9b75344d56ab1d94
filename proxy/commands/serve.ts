/** `serve`: runs the proxy until it is told to stop; SIGHUP reads the configuration again. */
import { type CheckedConfig, checkConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import { type Runtime, type RuntimeOptions, startRuntime } from '../runtime/start.ts';
import { readVersion } from '../version.ts';
import { CommandError, type CommandIo } from './io.ts';
import { createReloads, createWarnOf, reloadFrom } from './reload.ts';
import type { CaughtSignals } from './signals.ts';

/** How long running pulls may go on after the first signal to stop, in milliseconds. */
const GRACE_MS = 30_000;
/** How long the last log lines may take when no pull is left, in milliseconds. */
const LAST_LINES_MS = 1_000;

export type ServeDeps = {
  /** Caught before this command was even loaded, which takes longer than the start. */
  readonly signals: CaughtSignals;
  readonly err: CommandIo['err'];
  /** As `process.version` has it. */
  readonly node: string;
  readonly revision: string;
  /** Where log lines go; standard output when absent. */
  readonly logTo?: RuntimeOptions['logTo'];
};

/**
 * @returns the exit code once the proxy has stopped: 0, also when it was told to before it served. Then nothing is left
 *   to wait for, but after a second signal connections may still be open, and lines that no reader takes: the process
 *   must end whatever they do.
 * @throws ConfigError, CommandError or TrustError.
 */
export async function runServe(file: string, deps: ServeDeps): Promise<number> {
  const { signals, err } = deps;
  const starting = start(file, deps);
  const started = await Promise.race([starting, signals.stop]);
  if (typeof started === 'string') {
    err(`pullwarden: received ${started} before the proxy was ready; stopping`);
    // The start may still succeed or fail; neither is reported any more.
    starting.then(({ runtime }) => runtime.close(0)).catch(() => undefined);
    return 0;
  }
  await serve(file, started, signals);
  return 0;
}

async function serve(
  file: string,
  { config, warnings, runtime }: Started,
  signals: CaughtSignals,
): Promise<void> {
  const { log, port, adminPort } = runtime;
  const { address } = config.listen;
  const admin = `http://${config.admin.address}:${adminPort}`;
  log.info({ address, port, admin, policy_hash: config.hash }, 'serving pulls');
  const warnOf = createWarnOf();
  warnOf(log, warnings);
  const reloads = createReloads((hasEnded) => reloadFrom(file, config, { runtime, warnOf }, hasEnded));
  signals.onReload(reloads.request);
  const signal = await signals.stop;
  reloads.end();
  log.info({ signal, grace_ms: GRACE_MS }, 'stopping: running pulls may finish');
  await Promise.race([runtime.close(GRACE_MS), signals.stopAtOnce]);
  log.info({}, 'stopped');
  await Promise.race([log.drain(LAST_LINES_MS), signals.stopAtOnce]);
}

type Started = CheckedConfig & { readonly runtime: Runtime };

async function start(file: string, { err, signals, ...options }: ServeDeps): Promise<Started> {
  const { config, warnings } = await checkConfig(file);
  try {
    return { config, warnings, runtime: await startRuntime(config, { version: readVersion(), ...options }) };
  } catch (error) {
    throw toListenError(error, config) ?? error;
  }
}

function toListenError(error: unknown, config: Config): CommandError | undefined {
  const { code, port } = (error ?? {}) as { readonly code?: string; readonly port?: number };
  const key = port === config.admin.port ? 'admin' : 'listen';
  switch (code) {
    case 'EADDRINUSE':
      return new CommandError(
        `port ${port} is in use by another program; stop it or change ${key}.port in ${config.file}`,
      );
    case 'EACCES':
      return new CommandError(
        `this user has no permission to use port ${port}; change ${key}.port in ${config.file}`,
      );
    case 'EADDRNOTAVAIL':
      return new CommandError(
        `this machine has no address ${config[key].address}; change ${key}.address in ${config.file}`,
      );
    default:
      return undefined;
  }
}
