/** `serve`: runs the proxy until it is told to stop; SIGHUP reads the configuration again. */
import { ConfigError } from '../config/errors.ts';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import { type Runtime, startRuntime } from '../runtime.ts';
import { readVersion } from '../version.ts';
import { CommandError } from './io.ts';
import { type Signals, untilStopped } from './signals.ts';

/** How long running pulls may go on after the first signal to stop, in milliseconds. */
const GRACE_MS = 30_000;
/** How long the last log lines may take when no pull is left, in milliseconds. */
const LAST_LINES_MS = 1_000;

/**
 * @returns the exit code once the proxy has stopped: 0. Then nothing is left to wait for, but after a second signal
 *   connections may still be open, and lines that no reader takes: the process must end whatever they do.
 * @throws ConfigError, CommandError or TrustError.
 */
export async function runServe(
  file: string,
  { signals, revision }: { readonly signals: Signals; readonly revision: string },
): Promise<number> {
  const config = await loadConfig(file);
  const runtime = await start(config, { node: signals.version, revision });
  const { log, port, adminPort } = runtime;
  log.info(
    {
      address: config.listen.address,
      port,
      admin: `http://${config.admin.address}:${adminPort}`,
      policy: config.hash,
    },
    'serving pulls',
  );
  const reload = () => void reloadFrom(file, config, runtime);
  signals.on('SIGHUP', reload);
  const signal = await untilStopped(signals);
  log.info({ signal, grace_ms: GRACE_MS }, 'stopping: running pulls may finish');
  // A second signal does not wait for them.
  const cut = new AbortController();
  untilStopped(signals).then(
    () => cut.abort(),
    () => undefined,
  );
  await Promise.race([runtime.close(GRACE_MS), aborted(cut.signal)]);
  signals.off('SIGHUP', reload);
  log.info({}, 'stopped');
  await Promise.race([log.drain(LAST_LINES_MS), aborted(cut.signal)]);
  return 0;
}

async function start(
  config: Config,
  built: { readonly node: string; readonly revision: string },
): Promise<Runtime> {
  try {
    return await startRuntime(config, { version: readVersion(), ...built });
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
        `port ${port} may not be used by this user; change ${key}.port in ${config.file}`,
      );
    case 'EADDRNOTAVAIL':
      return new CommandError(
        `this machine has no address ${config[key].address}; change ${key}.address in ${config.file}`,
      );
    default:
      return undefined;
  }
}

/** What cannot change under a running proxy: where it listens, what it remembers. Certificates and tunnels can. */
function fixedParts({ listen, admin, log, trust }: Config, first: Config) {
  const { address, port, tls, connect } = listen;
  const asksClients = tls && { clientCa: tls.clientCa !== undefined };
  return {
    // Taken away, it counts at once; what was not there at the start is not answered.
    listen: { address, port, tls: asksClients, connect: !first.listen.connect && connect !== undefined },
    admin: { address: admin.address, port: admin.port },
    log,
    'trust.state': trust.state,
  };
}

/** Everything else is replaced as a whole. */
async function reloadFrom(file: string, first: Config, runtime: Runtime): Promise<void> {
  const { log } = runtime;
  try {
    const config = await loadConfig(file);
    runtime.reload(config);
    log.info({ policy: config.hash }, 'configuration reloaded');
    const [now, then] = [fixedParts(config, first), fixedParts(first, first)];
    for (const key of ['listen', 'admin', 'log', 'trust.state'] as const) {
      if (JSON.stringify(now[key]) !== JSON.stringify(then[key])) {
        log.warn({ key }, 'this part of the configuration changed and counts after a restart');
      }
    }
  } catch (error) {
    const reason = error instanceof ConfigError ? error.message : String(error);
    runtime.reloadFailed(reason);
    log.error({ detail: reason }, 'configuration not reloaded; the last good one stays in force');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
