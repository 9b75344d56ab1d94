/** Follows a trust server's feed of changes, so that a new signature or a revocation counts within seconds. */
import type { Change } from '../trust-client/changefeed.ts';

export type ChangeWatchOptions = {
  /**
   * So many changes before this ID, or the newest for undefined; oldest first. undefined when there is no feed for us.
   * Rejects for every answer that is not definite.
   */
  readonly fetch: (most: number, before: number | undefined) => Promise<readonly Change[] | undefined>;
  readonly onChanged: (gun: string) => void;
  /** Milliseconds since some fixed moment. */
  readonly monotonic: () => number;
};

export type ChangeWatch = {
  /** Asks once, unless it is too early to ask again; never rejects. */
  poll(): Promise<void>;
};

/** Changes asked for at a time. */
const PAGE = 100;
/** Pages gone back for at one poll; what changed before that counts within the refresh interval. */
const MAX_PAGES = 5;
/** Changes remembered as told. */
const MAX_SEEN = 2_000;
/** How long a server without a feed is left alone, in milliseconds. */
const NO_FEED_MS = 600_000;
/** After a first failure it is asked at the next poll, then at most this much later, in milliseconds. */
const FIRST_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = 60_000;

export function createChangeWatch({ fetch, onChanged, monotonic }: ChangeWatchOptions): ChangeWatch {
  /**
   * What was told, not how far: replicas that lag, and a server that began anew, go back in their IDs, and only what was
   * never seen is news. Newest use last.
   */
  const seen = new Set<string>();
  let isFirst = true;
  let failures = 0;
  let notBefore = Number.NEGATIVE_INFINITY;

  const takeNew = (changes: readonly Change[]): readonly Change[] => {
    const keys = changes.map(({ id, gun }) => `${id} ${gun}`);
    const fresh = changes.filter((_change, at) => !seen.has(keys[at] ?? ''));
    for (const key of keys) {
      seen.delete(key);
      seen.add(key);
    }
    for (const key of seen) {
      if (seen.size <= MAX_SEEN) break;
      seen.delete(key);
    }
    return fresh;
  };

  /** @returns false when there is no feed for us. */
  const follow = async (): Promise<boolean> => {
    const changed = new Set<string>();
    let before: number | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const changes = await fetch(PAGE, before);
      if (changes === undefined) return false;
      const fresh = takeNew(changes.slice(-PAGE));
      if (!isFirst) for (const { gun } of fresh) changed.add(gun);
      const oldest = fresh[0]?.id;
      // A page with something known reaches back to the last look.
      if (isFirst || fresh.length < PAGE || oldest === undefined) break;
      before = oldest;
    }
    isFirst = false;
    for (const gun of changed) onChanged(gun);
    return true;
  };

  return {
    poll: async () => {
      if (monotonic() < notBefore) return;
      try {
        const isThere = await follow();
        failures = 0;
        if (!isThere) notBefore = monotonic() + NO_FEED_MS;
      } catch {
        // An outage is noticed and told by the pulls themselves; the feed is only a hint.
        failures += 1;
        const pause = failures === 1 ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 2));
        notBefore = monotonic() + pause;
      }
    },
  };
}
