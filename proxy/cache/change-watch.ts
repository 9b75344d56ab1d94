/** Follows a trust server's feed of changes, so that a new signature or a revocation counts within seconds. */
import type { Change } from '../trust-client/changefeed.ts';

export type ChangeWatchOptions = {
  /** The newest changes, oldest first; undefined when there is no feed for us. May reject: then it is tried again. */
  readonly fetch: (most: number) => Promise<readonly Change[] | undefined>;
  readonly onChanged: (gun: string) => void;
  /** More changed than can be named, or the feed began anew. */
  readonly onAllChanged: () => void;
  readonly now: () => Date;
};

export type ChangeWatch = {
  /** Asks once; never rejects. Where there is no feed it asks again only after a long while. */
  poll(): Promise<void>;
};

/** Changes asked for at a time; more than that between two polls, and everything counts as changed. */
const PAGE = 100;
/** How long a server without a feed is left alone, in milliseconds. */
const NO_FEED_MS = 600_000;

export function createChangeWatch({ fetch, onChanged, onAllChanged, now }: ChangeWatchOptions): ChangeWatch {
  let seen: number | undefined;
  let notBefore = 0;

  const follow = (changes: readonly Change[]): void => {
    const newest = changes.at(-1)?.id ?? 0;
    const before = seen;
    seen = newest;
    if (before === undefined) return;
    const fresh = changes.filter(({ id }) => id > before);
    if (newest < before || fresh.length >= PAGE) onAllChanged();
    else for (const gun of new Set(fresh.map((change) => change.gun))) onChanged(gun);
  };

  return {
    poll: async () => {
      if (now().getTime() < notBefore) return;
      try {
        const changes = await fetch(PAGE);
        if (changes === undefined) notBefore = now().getTime() + NO_FEED_MS;
        else follow(changes);
      } catch {
        // An outage is noticed and told by the pulls themselves; the feed is only a hint.
      }
    },
  };
}
