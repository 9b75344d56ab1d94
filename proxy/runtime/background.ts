/** What the proxy does between requests: follows change feeds, and renews answers before a client has to wait. */
import { type ChangeWatch, createChangeWatch } from '../cache/change-watch.ts';
import type { TrustCache } from '../cache/trust-cache.ts';
import { fetchChanges } from '../trust-client/changefeed.ts';
import type { HttpClient } from '../upstream/types.ts';

export type Background = { stop(): void };

/** Time between two polls of a trust server's change feed, in milliseconds. */
const POLL_MS = 2_000;
const POLL_TIMEOUT_MS = 10_000;
/** How often it is looked for answers that are about to grow old, as a part of the refresh interval: few at a time. */
const CHECKS_PER_REFRESH = 60;
const LEAST_CHECK_MS = 500;

export type BackgroundOptions = {
  readonly trust: TrustCache;
  /** By the canonical name of the registry they are for. */
  readonly trustServers: ReadonlyMap<string, HttpClient>;
  readonly refreshMs: number;
};

/** The timers keep no process alive; a round that takes longer than its interval is not started twice. */
export function startBackground({ trust, trustServers, refreshMs }: BackgroundOptions): Background {
  const watches = [...trustServers].map(([registry, client]) => watchChanges(registry, client, trust));
  const timers = [
    every(Math.min(POLL_MS, refreshMs), async () => {
      await Promise.all(watches.map((watch) => watch.poll()));
    }),
    every(Math.max(LEAST_CHECK_MS, refreshMs / CHECKS_PER_REFRESH), () => trust.refreshDue()),
  ];
  return {
    stop: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}

function watchChanges(registry: string, client: HttpClient, trust: TrustCache): ChangeWatch {
  return createChangeWatch({
    fetch: (most, before) => fetchChanges(client, { most, before }, AbortSignal.timeout(POLL_TIMEOUT_MS)),
    // A server speaks only for the repositories of its own registry.
    onChanged: (gun) => trust.changed(registry, gun),
    monotonic: () => performance.now(),
  });
}

function every(ms: number, round: () => Promise<void>): NodeJS.Timeout {
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    void round().finally(() => {
      running = false;
    });
  }, ms);
  return timer.unref();
}
