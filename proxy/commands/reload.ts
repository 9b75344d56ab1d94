/** A reload: reads the configuration again while the proxy serves. */
import { ConfigError, type ConfigFault, formatFault } from '../config/errors.ts';
import { checkConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import type { Runtime } from '../runtime/start.ts';

export type Reloads = {
  /** Requests a reload. Requests during a running reload cause one more after it. */
  readonly request: () => void;
  /** No reload starts after this, and a running one changes nothing. */
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

/** The keys that changed and cannot change under a running proxy: where it listens, what it remembers. */
function keysForRestart(now: Config, first: Config): readonly string[] {
  const [listen, listened] = [now.listen, first.listen];
  const [state, stored] = [now.trust.state, first.trust.state];
  const isMoved = state.kind === 'file' && stored.kind === 'file' && state.path !== stored.path;
  const changed: readonly (readonly [string, boolean])[] = [
    ['listen.address', listen.address !== listened.address],
    ['listen.port', listen.port !== listened.port],
    // Certificates and tunnels can change; whether there are any, and whether clients are asked for one, cannot.
    ['listen.tls', isGiven(listen.tls) !== isGiven(listened.tls)],
    ['listen.tls.clientCa', isGiven(listen.tls?.clientCa) !== isGiven(listened.tls?.clientCa)],
    // Removing it takes effect at once; adding it needs a restart.
    ['listen.connect', isGiven(listen.connect) && !isGiven(listened.connect)],
    ['admin.address', now.admin.address !== first.admin.address],
    ['admin.port', now.admin.port !== first.admin.port],
    ...logKeys(now).map((key) => [`log.${key}`, now.log[key] !== first.log[key]] as const),
    ['trust.state.kind', state.kind !== stored.kind],
    ['trust.state.path', isMoved],
  ];
  return changed.filter(([, isChanged]) => isChanged).map(([key]) => key);
}

/** All of them: the log is opened once. */
function logKeys({ log }: Config): readonly (keyof Config['log'])[] {
  return Object.keys(log) as (keyof Config['log'])[];
}

function isGiven(value: unknown): boolean {
  return value !== undefined;
}

/** Replaces everything else as a whole. */
export async function reloadFrom(
  file: string,
  first: Config,
  { runtime, warnOf }: { readonly runtime: Runtime; readonly warnOf: WarnOf },
  hasEnded: () => boolean,
): Promise<void> {
  const { log } = runtime;
  try {
    const { config, warnings } = await checkConfig(file);
    if (hasEnded()) return;
    runtime.reload(config);
    log.info({ policy_hash: config.hash }, 'configuration reloaded');
    warnOf(log, warnings);
    for (const key of keysForRestart(config, first)) {
      log.warn({ key }, 'this key changed; restart to apply it');
    }
  } catch (error) {
    if (hasEnded()) return;
    const reason = toReason(error);
    runtime.reloadFailed(reason);
    log.error({ detail: reason }, 'configuration not reloaded; the last good one stays in force');
  }
}

export type WarnOf = (log: Runtime['log'], warnings: readonly ConfigFault[]) => void;

/** Logs the warnings that `check` prints, each once until it is resolved. */
export function createWarnOf(): WarnOf {
  let told: ReadonlySet<string> = new Set();
  return (log, warnings) => {
    const details = new Set(warnings.map(formatFault));
    for (const detail of details)
      if (!told.has(detail)) log.warn({ detail }, 'the configuration is valid but weaker than it looks');
    told = details;
  };
}

/** For a missing or empty file: the usual advice, the smallest configuration, would hide what happened. */
function toReason(error: unknown): string {
  if (!(error instanceof ConfigError)) return String(error);
  const [fault] = error.faults;
  if (error.example === undefined || fault === undefined) return error.message;
  return formatFault({ ...fault, next: 'put it back and send SIGHUP again' });
}
