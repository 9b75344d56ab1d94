/** When answers are renewed ahead of time: spread over the interval, and on hints no more than a feed may cause. */
import { createHash } from 'node:crypto';

/** An answer older than this part of the refresh interval is renewed ahead of time, on average. */
const RENEW_AFTER = 0.7;
/** Over this part of the interval the renewals of many repositories are spread. */
const SPREAD = 0.4;
/** From so many repositories on they are spread in full; one alone not at all. */
const SPREAD_IN_FULL = 100;

/** Renewals that hints of one registry's feed may cause at once, and how many come free again per second. */
const HINT_BURST = 100;
const HINTS_PER_SECOND = 2;
/** Between two renewals of one repository that hints cause: at most this, in milliseconds, or a part of the interval. */
const HINT_GAP_MS = 10_000;
const HINT_GAP_PART = 1 / 6;

/** The age in milliseconds from which an answer is due: the same for the same repository, other for another. */
export function dueAfter(gun: string, inUse: number, refreshMs: number): number {
  const share = createHash('sha256').update(gun).digest().readUInt32BE() / 2 ** 32 - 0.5;
  const spread = SPREAD * Math.min(1, (inUse - 1) / SPREAD_IN_FULL);
  return refreshMs * (RENEW_AFTER + share * spread);
}

export type HintBudget = {
  /** Whether a hint may have this repository asked for again now; a yes is counted. */
  take(registry: string, gun: string): boolean;
};

/** @param now milliseconds since some fixed moment. */
export function createHintBudget(refreshMs: number, now: () => number): HintBudget {
  const gap = Math.min(HINT_GAP_MS, refreshMs * HINT_GAP_PART);
  const left = new Map<string, { readonly tokens: number; readonly at: number }>();
  const takenAt = new Map<string, number>();

  return {
    take: (registry, gun) => {
      const at = now();
      // In the order they were taken: the first ones are the oldest.
      for (const [name, when] of takenAt) {
        if (at - when < gap) break;
        takenAt.delete(name);
      }
      if (takenAt.has(gun)) return false;
      const before = left.get(registry) ?? { tokens: HINT_BURST, at };
      const tokens = Math.min(HINT_BURST, before.tokens + ((at - before.at) / 1000) * HINTS_PER_SECOND);
      const isFree = tokens >= 1;
      left.set(registry, { tokens: isFree ? tokens - 1 : tokens, at });
      if (isFree) takenAt.set(gun, at);
      return isFree;
    },
  };
}
