/**
 * Verified trust, kept fresh: one question to the trust server per repository and refresh interval, however many ask.
 *
 * An answer never outlives what proved it: the caller judges expiry by its own clock, and an earlier answer is used
 * only when the server could not be asked, or showed nothing but what it said before; never when it said something that
 * does not verify, and never under keys whose replacement was seen.
 */
import { toClientKey } from '../names/client-key.ts';
import type { Gun } from '../names/reference.ts';
import type { TrustOutcome } from '../policy/types.ts';
import { type FileChecker, toTrustError } from '../trust-client/check-file.ts';
import { TrustError } from '../trust-client/errors.ts';
import { inTime } from '../trust-client/memory.ts';
import type { RootPin } from '../trust-client/root-trust.ts';
import type { VerifiedRepository } from '../trust-client/targets.ts';
import type { TrustSource, TrustState } from '../trust-client/types.ts';
import { updateTrust } from '../trust-client/update.ts';
import { type After, after as realAfter, withDeadline } from '../upstream/deadline.ts';
import { createCarryOn, STATE_MS } from './carry-on.ts';
import { createColdQueue, tooLate } from './cold-queue.ts';
import { createHintBudget, dueAfter } from './renewals.ts';
import {
  afterFailure,
  createEntries,
  type Entry,
  isCarried,
  recall,
  settledWithin,
} from './trust-entries.ts';

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
  /** Where metadata files are checked; at once when absent. */
  readonly check?: FileChecker;
  readonly now: () => Date;
  /** Milliseconds since some fixed moment, for what hints may cause; `performance.now` when absent. */
  readonly monotonic?: () => number;
  /** What ends a wait for the server or the state; timers of Node when absent. */
  readonly after?: After;
  readonly observer?: TrustCacheObserver;
};

export type TrustCache = {
  /** @param client the address that asks: no client may fill the queue of cold repositories for the others. */
  trustFor(registry: string, gun: Gun, client?: string): Promise<TrustOutcome>;
  /**
   * A hint that a repository of this registry changed, or any of them. Those in use are asked for again in the
   * background, as often as a feed may cause it; the rest of the hints wait for the next `refreshDue`.
   */
  changed(registry: string, gun?: string): void;
  /** Asks again for what is in use and about to grow old, so that no pull waits for it. Never rejects. */
  refreshDue(): Promise<void>;
};

/** How long a pull waits for a renewal while something verified is there to answer with, in milliseconds. */
const PATIENCE_MS = 2_000;

/** A repository without a pull for this long is not in use, in milliseconds. */
const IN_USE_MS = 600_000;
/** Repositories renewed at the same time. */
const PARALLEL_RENEWALS = 8;
/** Renewed at one `refreshDue` at most, as a part of what is in use; the oldest first. */
const RENEWED_AT_ONCE = 0.1;

type FlightOptions = { readonly timeoutMs: number; readonly isDoubtful?: boolean };
type ColdFlight = {
  readonly flight: Promise<TrustOutcome>;
  /** It waited, and meanwhile the state said that nothing is stored of it: there is nothing to carry. */
  readonly isNew: () => boolean;
};

export function createTrustCache(options: TrustCacheOptions): TrustCache {
  const { observer, now, monotonic = () => performance.now(), after = realAfter } = options;
  const { entries, refused } = createEntries();
  const flights = new Map<Gun, Promise<TrustOutcome>>();
  const cold = createColdQueue<TrustOutcome>();
  const budget = createHintBudget(options.refreshMs, monotonic);
  /** Repositories in use that a hint named and that were not asked for since. */
  const hinted = new Set<Gun>();

  const carryOn = createCarryOn(options);

  const refresh = async (
    registry: string,
    gun: Gun,
    { timeoutMs, isDoubtful = false }: FlightOptions,
  ): Promise<TrustOutcome> => {
    const started = now();
    const since = monotonic();
    const previous = entries.peek(gun)?.trust;
    const remember = (at: Date, trust: VerifiedRepository | undefined, failure: TrustError | undefined) => {
      const usedAt = entries.peek(gun)?.usedAt ?? started.getTime();
      const entry = { registry, usedAt, trust, at: at.getTime(), failure: failure?.bare() };
      const [to, from] = trust === undefined ? [refused, entries] : [entries, refused];
      from.delete(gun);
      to.set(gun, entry);
    };
    try {
      const deps = { source: options.sourceFor(registry), state: options.state, check: options.check };
      const pin = options.pinFor(gun);
      const trust = await withDeadline(
        timeoutMs,
        undefined,
        (signal) => updateTrust(deps, { gun, pin, now: started, signal, previous, isDoubtful }),
        after,
      );
      remember(started, trust, undefined);
      observer?.updated(registry, trust, trust === previous ? 'unchanged' : 'updated');
      return { kind: 'verified', trust, path: 'cold' };
    } catch (caught) {
      // The one place where what nobody foresaw becomes a refusal: it is remembered, counted, and audit lets it pass.
      const error = toTrustError(caught, 'trust data');
      observer?.failed(registry, error);
      const usable = isCarried(error)
        ? await carryOn(gun, previous, timeoutMs - (monotonic() - since))
        : undefined;
      // From its end on: a server that answers nothing is known for it only then.
      remember(now(), usable, error);
      return afterFailure(usable, error, now(), 'cold');
    }
  };

  /**
   * Waits for a question that is on its way, but not for long where something verified can be used meanwhile: at once
   * when the last one failed, as a server that is silent is silent for the next pull too.
   */
  const wait = async (
    gun: Gun,
    flight: Promise<TrustOutcome>,
    isNew = (): boolean => false,
  ): Promise<TrustOutcome> => {
    const known = entries.peek(gun) ?? refused.peek(gun);
    if (known?.failure !== undefined && !isCarried(known.failure)) return await flight;
    const patience = known?.failure === undefined ? Math.min(PATIENCE_MS, options.timeoutMs) : 0;
    const answered = await settledWithin(flight, patience, after);
    if (answered !== undefined) return answered;
    if (isNew()) return await flight;
    const trust = await carryOn(gun, known?.trust);
    if (trust === undefined || now() > trust.expires) return await flight;
    // Its own failure is told to the observer, and to the next pull.
    flight.catch(() => undefined);
    return { kind: 'verified', trust, path: 'stale' };
  };

  /** One flight a repository, however many wait for it. */
  const fly = (registry: string, gun: Gun, how: FlightOptions = options): Promise<TrustOutcome> => {
    const started = refresh(registry, gun, how).finally(() => flights.delete(gun));
    flights.set(gun, started);
    return started;
  };

  /** Nothing verified is in memory: in this client's turn, and within the time for one resolution. */
  const flyCold = (registry: string, gun: Gun, client: string): ColdFlight => {
    const since = monotonic();
    let isNew = false;
    const isKnown = async (): Promise<boolean> => {
      const ask = (signal: AbortSignal) => inTime(options.state, gun, signal).has(gun);
      isNew = !(await withDeadline(STATE_MS, undefined, ask, after));
      return !isNew;
    };
    const work = async (): Promise<TrustOutcome> => {
      const timeoutMs = options.timeoutMs - (monotonic() - since);
      if (timeoutMs <= 0) throw tooLate(gun);
      return await (flights.get(gun) ?? fly(registry, gun, { timeoutMs, isDoubtful: isNew }));
    };
    const asking = { client: toClientKey(client), server: registry };
    const asked = cold.ask(asking, gun, work, { isKnown, maxWaitMs: options.timeoutMs });
    const flight = asked.catch(async (error: unknown) => {
      if (!(error instanceof TrustError)) throw error;
      // Never asked: what an earlier run verified still counts.
      return afterFailure(isNew ? undefined : await carryOn(gun, undefined), error, now(), 'cold');
    });
    return { flight, isNew: () => isNew };
  };

  const trustFor = async (registry: string, gun: Gun, client = ''): Promise<TrustOutcome> => {
    const time = now();
    const known = entries.get(gun) ?? refused.get(gun);
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
    if (known?.trust !== undefined) return await wait(gun, fly(registry, gun));
    const started = flyCold(registry, gun, client);
    return await wait(gun, started.flight, started.isNew);
  };

  const inUse = (): readonly (readonly [Gun, Entry])[] => {
    const time = now().getTime();
    return [...entries.entries()].filter(([, entry]) => time - entry.usedAt < IN_USE_MS);
  };

  /** Asks again for these, a few at a time. */
  const renew = async (due: (readonly [Gun, Entry])[]): Promise<void> => {
    const next = async (): Promise<void> => {
      for (let item = due.shift(); item !== undefined; item = due.shift()) {
        const [gun, { registry }] = item;
        // A pull may have begun to ask meanwhile. What goes wrong is told to the observer, and to the next pull.
        if (!flights.has(gun)) await fly(registry, gun).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_RENEWALS }, next));
  };

  /** Those that hints named, as far as the budget goes; the others stay named. */
  const renewHinted = async (): Promise<void> => {
    const due: (readonly [Gun, Entry])[] = [];
    for (const gun of hinted) {
      const entry = entries.peek(gun);
      if (entry === undefined) hinted.delete(gun);
      else if (!flights.has(gun) && budget.take(entry.registry, gun)) {
        hinted.delete(gun);
        due.push([gun, entry]);
      }
    }
    await renew(due);
  };

  /** Once for all hints that come together: each look at them is a walk over all that wait. */
  let isRenewalDue = false;
  const renewSoon = (): void => {
    if (isRenewalDue) return;
    isRenewalDue = true;
    queueMicrotask(() => {
      isRenewalDue = false;
      void renewHinted();
    });
  };

  const changed = (registry: string, gun?: string): void => {
    const time = now().getTime();
    const hint = (name: Gun): void => {
      const entry = entries.peek(name);
      if (entry?.registry === registry && time - entry.usedAt < IN_USE_MS) hinted.add(name);
    };
    for (const name of gun === undefined ? entries.keys() : [gun as Gun]) hint(name);
    // A question that is on its way already may be answered from before the change.
    for (const [name, flight] of flights) {
      if (gun === undefined || name === gun) {
        const again = (): void => {
          hint(name);
          renewSoon();
        };
        void flight.then(again, again);
      }
    }
    renewSoon();
  };

  const refreshDue = async (): Promise<void> => {
    const used = inUse();
    const time = now().getTime();
    const due = used
      .filter(
        ([gun, { failure, at }]) =>
          failure === undefined &&
          !flights.has(gun) &&
          time - at >= dueAfter(gun, used.length, options.refreshMs),
      )
      .sort(([, one], [, other]) => one.at - other.at);
    const most = Math.max(PARALLEL_RENEWALS, Math.ceil(used.length * RENEWED_AT_ONCE));
    await Promise.all([renewHinted(), renew(due.slice(0, most))]);
  };

  return { trustFor, changed, refreshDue };
}
