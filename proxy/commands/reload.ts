/** A reload: reads the configuration again while the proxy serves. */
import { ConfigError } from '../config/errors.ts';
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import type { Runtime } from '../runtime.ts';

export type Reloads = {
  /** Reloads once more; asked while one is under way, once more after it, however often. */
  readonly request: () => void;
  /** None begins any more, and one under way changes nothing. */
  readonly end: () => void;
};

/** One after the other, so that the file as it was last read is the one in force. `reload` does not throw. */
export function createReloads(reload: (hasEnded: () => boolean) => Promise<void>): Reloads {
  let isWanted = false;
  let isRunning = false;
  let isEnded = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    while (isWanted && !isEnded) {
      isWanted = false;
      await reload(() => isEnded);
    }
    isRunning = false;
  };
  return {
    request: () => {
      isWanted = true;
      if (!isRunning) void run();
    },
    end: () => {
      isEnded = true;
    },
  };
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
export async function reloadFrom(
  file: string,
  first: Config,
  runtime: Runtime,
  hasEnded: () => boolean,
): Promise<void> {
  const { log } = runtime;
  try {
    const config = await loadConfig(file);
    if (hasEnded()) return;
    runtime.reload(config);
    log.info({ policy: config.hash }, 'configuration reloaded');
    const [now, then] = [fixedParts(config, first), fixedParts(first, first)];
    for (const key of ['listen', 'admin', 'log', 'trust.state'] as const) {
      if (JSON.stringify(now[key]) !== JSON.stringify(then[key])) {
        log.warn({ key }, 'this part of the configuration changed and counts after a restart');
      }
    }
  } catch (error) {
    if (hasEnded()) return;
    const reason = error instanceof ConfigError ? error.message : String(error);
    runtime.reloadFailed(reason);
    log.error({ detail: reason }, 'configuration not reloaded; the last good one stays in force');
  }
}
