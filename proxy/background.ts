/** What the proxy does between requests: following changes, and asking again before somebody has to wait. */
import { type ChangeWatch, createChangeWatch } from './cache/change-watch.ts';
import type { TrustCache } from './cache/trust-cache.ts';
import type { HttpClient } from './registry/http-client.ts';
import { fetchNewestChanges } from './trust-client/changefeed.ts';

export type Background = { stop(): void };

/** How often a trust server's feed is asked for, in milliseconds. */
const POLL_MS = 2_000;
const POLL_TIMEOUT_MS = 10_000;
/** How often it is looked for answers that are about to grow old, as a part of the refresh interval. */
const CHECKS_PER_REFRESH = 10;
const LEAST_CHECK_MS = 500;

export type BackgroundOptions = {
  readonly trust: TrustCache;
  readonly trustServers: Iterable<HttpClient>;
  readonly refreshMs: number;
  readonly now: () => Date;
};

/** The timers keep no process alive; a round that takes longer than its interval is not started twice. */
export function startBackground({ trust, trustServers, refreshMs, now }: BackgroundOptions): Background {
  const watches = [...trustServers].map((client) => watchChanges(client, trust, now));
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

function watchChanges(client: HttpClient, trust: TrustCache, now: () => Date): ChangeWatch {
  return createChangeWatch({
    fetch: (most) => fetchNewestChanges(client, most, AbortSignal.timeout(POLL_TIMEOUT_MS)),
    onChanged: (gun) => trust.changed(gun),
    onAllChanged: () => trust.changed(),
    now,
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
