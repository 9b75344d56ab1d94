/**
 * Verified trust, kept fresh: one question to the trust server per repository and refresh interval, however many ask.
 *
 * An answer never outlives what proved it: the caller judges expiry by its own clock, and an earlier answer is used
 * only when the server could not be asked, or showed nothing but what it said before; never when it said something that
 * does not verify, and never under keys whose replacement was seen.
 */
import { LRUCache } from 'lru-cache';
import type { TrustOutcome } from '../policy/types.ts';
import { withDeadline } from '../registry/deadline.ts';
import type { Gun } from '../registry/reference.ts';
import { TrustError } from '../trust-client/errors.ts';
import { inTime } from '../trust-client/memory.ts';
import type { RootPin } from '../trust-client/root-trust.ts';
import type { VerifiedRepository } from '../trust-client/targets.ts';
import type { TrustSource, TrustState } from '../trust-client/types.ts';
import { restoreTrust, updateTrust } from '../trust-client/update.ts';

export type TrustCacheObserver = {
  readonly cache: (result: 'hit' | 'miss' | 'stale' | 'negative_hit') => void;
  /** A caller joined a question that was already on its way. */
  readonly shared: () => void;
  readonly updated: (registry: string, trust: VerifiedRepository, result: 'updated' | 'unchanged') => void;
  readonly failed: (registry: string, error: TrustError) => void;
};

export type TrustCacheOptions = {
  /** @throws RangeError for a registry that is not configured. */
  readonly sourceFor: (registry: string) => TrustSource;
  readonly pinFor: (gun: Gun) => RootPin;
  readonly state: TrustState;
  /** How old a verified answer may be before the server is asked again, in milliseconds. */
  readonly refreshMs: number;
  /** For one resolution in all, in milliseconds. */
  readonly timeoutMs: number;
  readonly now: () => Date;
  readonly observer?: TrustCacheObserver;
};

export type TrustCache = {
  trustFor(registry: string, gun: Gun): Promise<TrustOutcome>;
  /** A hint that a repository changed, or any of them: those in use are asked for again in the background. */
  changed(gun?: string): void;
  /** Asks again for what is in use and about to grow old, so that no pull waits for it. Never rejects. */
  refreshDue(): Promise<void>;
};

/** What one repository weighs in the cache beside its tags; the limit is in the same unit, tags. */
const REPOSITORY_WEIGHT = 100;
const MAX_WEIGHT = 4_000_000;
/** How long a definite refusal is repeated without asking again: a new signature must count soon. */
const REFUSAL_MS = 5_000;
/** How long an outage is believed before the server is asked again. */
const OUTAGE_MS = 5_000;
/** How long a pull waits for a renewal while something verified is there to answer with, in milliseconds. */
const PATIENCE_MS = 2_000;
/** How long the state is waited for when an earlier answer is to be used, in milliseconds. */
const STATE_MS = 1_000;

/** An answer older than this part of the refresh interval is renewed ahead of time. */
const RENEW_AFTER = 0.7;
/** A repository that nobody asked for within this time is not in use, in milliseconds. */
const IN_USE_MS = 600_000;
/** Repositories renewed at the same time. */
const PARALLEL_RENEWALS = 8;

type Entry = {
  readonly registry: string;
  /** When somebody asked for it last. */
  usedAt: number;
  /** The newest verified answer that may still be used. */
  readonly trust: VerifiedRepository | undefined;
  /** When the server last confirmed it, or failed to. */
  readonly at: number;
  readonly failure: TrustError | undefined;
};

export function createTrustCache(options: TrustCacheOptions): TrustCache {
  const { observer, now } = options;
  const entries = new LRUCache<Gun, Entry>({
    maxSize: MAX_WEIGHT,
    sizeCalculation: ({ trust }) => REPOSITORY_WEIGHT + (trust?.size ?? 0),
  });
  const flights = new Map<Gun, Promise<TrustOutcome>>();

  const refresh = async (registry: string, gun: Gun): Promise<TrustOutcome> => {
    const started = now();
    const previous = entries.peek(gun)?.trust;
    const remember = (at: Date, trust: VerifiedRepository | undefined, failure: TrustError | undefined) => {
      const usedAt = entries.peek(gun)?.usedAt ?? started.getTime();
      entries.set(gun, { registry, usedAt, trust, at: at.getTime(), failure });
    };
    try {
      const deps = { source: options.sourceFor(registry), state: options.state };
      const pin = options.pinFor(gun);
      const trust = await withDeadline(options.timeoutMs, undefined, (signal) =>
        updateTrust(deps, { gun, pin, now: started, signal, previous }),
      );
      remember(started, trust, undefined);
      observer?.updated(registry, trust, trust === previous ? 'unchanged' : 'updated');
      return { kind: 'verified', trust, path: 'cold' };
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      observer?.failed(registry, error);
      const usable = isCarried(error) ? await carryOn(gun, previous) : undefined;
      // From its end on: a server that answers nothing is known for it only then.
      remember(now(), usable, error);
      return afterFailure(usable, error, now(), 'cold');
    }
  };

  /**
   * What was verified before and is the newest that anybody verified, when the server cannot say more: the answer in
   * memory if the state still holds just that, otherwise what the state holds. So keys that were replaced carry nothing.
   */
  const carryOn = async (
    gun: Gun,
    previous: VerifiedRepository | undefined,
  ): Promise<VerifiedRepository | undefined> => {
    try {
      return await withDeadline(STATE_MS, undefined, async (signal) => {
        const state = inTime(options.state, gun, signal);
        if (previous !== undefined && (await state.stampOf(gun)) === previous.stamp) return previous;
        return await restoreTrust(state, gun, options.pinFor(gun), now());
      });
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      // A disk that does not answer says nothing against what is in memory. Nothing remembered, or no longer valid: the
      // failure itself is the answer.
      return error.code === 'deadline_exceeded' ? previous : undefined;
    }
  };

  /**
   * Waits for a question that is on its way, but not for long where something verified can be used meanwhile: at once
   * when the last one failed, as a server that is silent is silent for the next pull too.
   */
  const wait = async (gun: Gun, flight: Promise<TrustOutcome>): Promise<TrustOutcome> => {
    const known = entries.peek(gun);
    if (known?.failure !== undefined && !isCarried(known.failure)) return await flight;
    const patience = known?.failure === undefined ? Math.min(PATIENCE_MS, options.timeoutMs) : 0;
    const answered = await settledWithin(flight, patience);
    if (answered !== undefined) return answered;
    const trust = await carryOn(gun, known?.trust);
    if (trust === undefined || now() > trust.expires) return await flight;
    // Its own failure is told to the observer, and to the next pull.
    flight.catch(() => undefined);
    return { kind: 'verified', trust, path: 'stale' };
  };

  /** One flight a repository, however many wait for it. */
  const fly = (registry: string, gun: Gun): Promise<TrustOutcome> => {
    const started = refresh(registry, gun).finally(() => flights.delete(gun));
    flights.set(gun, started);
    return started;
  };

  const trustFor = async (registry: string, gun: Gun): Promise<TrustOutcome> => {
    const time = now();
    const known = entries.get(gun);
    if (known !== undefined) known.usedAt = time.getTime();
    const outcome = known && recall(known, time, options.refreshMs);
    if (outcome !== undefined) {
      observer?.cache(
        outcome.kind === 'failed' ? 'negative_hit' : outcome.path === 'stale' ? 'stale' : 'hit',
      );
      return outcome;
    }
    const flight = flights.get(gun);
    if (flight !== undefined) {
      observer?.shared();
      return await wait(gun, flight);
    }
    observer?.cache('miss');
    return await wait(gun, fly(registry, gun));
  };

  /** Renews those of the repositories in use that `isDue` picks, a few at a time. */
  const renew = async (isDue: (gun: Gun, entry: Entry, time: number) => boolean): Promise<void> => {
    const time = now().getTime();
    const due = [...entries.entries()].filter(
      ([gun, entry]) => time - entry.usedAt < IN_USE_MS && !flights.has(gun) && isDue(gun, entry, time),
    );
    const next = async (): Promise<void> => {
      for (let item = due.shift(); item !== undefined; item = due.shift()) {
        const [gun, { registry }] = item;
        // A pull may have begun to ask meanwhile. What goes wrong is told to the observer, and to the next pull.
        if (!flights.has(gun)) await fly(registry, gun).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_RENEWALS }, next));
  };

  const changed = (gun?: string): void => {
    const again = () => renew((name) => gun === undefined || name === gun);
    // A question that is on its way already may be answered from before the change.
    const underWay = [...flights].filter(([name]) => gun === undefined || name === gun);
    for (const [, flight] of underWay) void flight.then(again, again);
    void again();
  };

  const refreshDue = (): Promise<void> =>
    renew(
      (_gun, { failure, at }, time) => failure === undefined && time - at >= options.refreshMs * RENEW_AFTER,
    );

  return { trustFor, changed, refreshDue };
}

/** After which an earlier answer may be used. */
function isCarried(error: TrustError): boolean {
  return error.isOutage || error.isLag;
}

/** What the work gives within this time, or undefined; no time at all: undefined, unless it is settled. */
async function settledWithin<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What can be said without asking, or undefined. A clock that went back makes every answer old. */
function recall({ trust, at, failure }: Entry, time: Date, refreshMs: number): TrustOutcome | undefined {
  const age = time.getTime() - at;
  if (age < 0) return undefined;
  if (failure === undefined) {
    const isFresh = trust !== undefined && age < refreshMs && time <= trust.expires;
    return isFresh ? { kind: 'verified', trust, path: 'cache' } : undefined;
  }
  const lasts = Math.min(refreshMs, failure.isOutage ? OUTAGE_MS : REFUSAL_MS);
  return age < lasts ? afterFailure(trust, failure, time, 'cache') : undefined;
}

function afterFailure(
  trust: VerifiedRepository | undefined,
  error: TrustError,
  time: Date,
  path: 'cache' | 'cold',
): TrustOutcome {
  const isUsable = trust !== undefined && time <= trust.expires;
  return isUsable ? { kind: 'verified', trust, path: 'stale' } : { kind: 'failed', error, path };
}
