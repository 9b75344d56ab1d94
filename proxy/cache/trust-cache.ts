/**
 * Verified trust, kept fresh: one question to the trust server per repository and refresh interval, however many ask.
 *
 * An answer never outlives what proved it: the caller judges expiry by its own clock, and an earlier answer is used
 * only when the server could not be asked, or showed nothing but what it said before; never when it said something that
 * does not verify, and never under keys whose replacement was seen.
 */
import type { LRUCache } from 'lru-cache';
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
import { Renewer } from './renewer.ts';
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

type FlightOptions = { readonly timeoutMs: number; readonly isDoubtful?: boolean };
type ColdFlight = {
  readonly flight: Promise<TrustOutcome>;
  /** It waited, and meanwhile the state said that nothing is stored of it: there is nothing to carry. */
  readonly isNew: () => boolean;
};

export function createTrustCache(options: TrustCacheOptions): TrustCache {
  return new FreshTrust(options);
}

class FreshTrust implements TrustCache {
  readonly #options: TrustCacheOptions;
  readonly #now: () => Date;
  readonly #monotonic: () => number;
  readonly #after: After;
  readonly #entries: LRUCache<Gun, Entry>;
  readonly #refused: LRUCache<Gun, Entry>;
  readonly #flights = new Map<Gun, Promise<TrustOutcome>>();
  readonly #cold = createColdQueue<TrustOutcome>();
  readonly #carryOn: ReturnType<typeof createCarryOn>;
  readonly #renewer: Renewer;

  constructor(options: TrustCacheOptions) {
    const { refreshMs, now, monotonic = () => performance.now(), after = realAfter } = options;
    this.#options = options;
    this.#now = now;
    this.#monotonic = monotonic;
    this.#after = after;
    ({ entries: this.#entries, refused: this.#refused } = createEntries());
    this.#carryOn = createCarryOn(options);
    this.#renewer = new Renewer({
      refreshMs,
      now,
      monotonic,
      entries: this.#entries,
      flights: this.#flights,
      fly: (registry, gun) => this.#fly(registry, gun),
    });
  }

  async trustFor(registry: string, gun: Gun, client = ''): Promise<TrustOutcome> {
    const { observer, refreshMs } = this.#options;
    const time = this.#now();
    const known = this.#entries.get(gun) ?? this.#refused.get(gun);
    if (known !== undefined) known.usedAt = time.getTime();
    const outcome = known && recall(known, time, refreshMs);
    if (outcome !== undefined) {
      observer?.cache(
        outcome.kind === 'failed' ? 'negative_hit' : outcome.path === 'stale' ? 'stale' : 'hit',
      );
      return outcome;
    }
    const flight = this.#flights.get(gun);
    if (flight !== undefined) {
      observer?.shared();
      return await this.#wait(gun, flight);
    }
    observer?.cache('miss');
    if (known?.trust !== undefined) return await this.#wait(gun, this.#fly(registry, gun));
    const started = this.#flyCold(registry, gun, client);
    return await this.#wait(gun, started.flight, started.isNew);
  }

  changed(registry: string, gun?: string): void {
    this.#renewer.changed(registry, gun);
  }

  refreshDue(): Promise<void> {
    return this.#renewer.refreshDue();
  }

  /**
   * Waits for a question that is on its way, but not for long where something verified can be used meanwhile: at once
   * when the last one failed, as a server that is silent is silent for the next pull too.
   */
  async #wait(gun: Gun, flight: Promise<TrustOutcome>, isNew = (): boolean => false): Promise<TrustOutcome> {
    const known = this.#entries.peek(gun) ?? this.#refused.peek(gun);
    if (known?.failure !== undefined && !isCarried(known.failure)) return await flight;
    const patience = known?.failure === undefined ? Math.min(PATIENCE_MS, this.#options.timeoutMs) : 0;
    const answered = await settledWithin(flight, patience, this.#after);
    if (answered !== undefined) return answered;
    if (isNew()) return await flight;
    const trust = await this.#carryOn(gun, known?.trust);
    if (trust === undefined || this.#now() > trust.expires) return await flight;
    // Its own failure is told to the observer, and to the next pull.
    flight.catch(() => undefined);
    return { kind: 'verified', trust, path: 'stale' };
  }

  /** One flight a repository, however many wait for it. */
  #fly(registry: string, gun: Gun, how: FlightOptions = this.#options): Promise<TrustOutcome> {
    const started = this.#refresh(registry, gun, how).finally(() => this.#flights.delete(gun));
    this.#flights.set(gun, started);
    return started;
  }

  /** Nothing verified is in memory: in this client's turn, and within the time for one resolution. */
  #flyCold(registry: string, gun: Gun, client: string): ColdFlight {
    const { state, timeoutMs: maxWaitMs } = this.#options;
    const since = this.#monotonic();
    let isNew = false;
    const isKnown = async (): Promise<boolean> => {
      const ask = (signal: AbortSignal) => inTime(state, gun, signal).has(gun);
      isNew = !(await withDeadline(STATE_MS, undefined, ask, this.#after));
      return !isNew;
    };
    const work = async (): Promise<TrustOutcome> => {
      const timeoutMs = maxWaitMs - (this.#monotonic() - since);
      if (timeoutMs <= 0) throw tooLate(gun);
      return await (this.#flights.get(gun) ?? this.#fly(registry, gun, { timeoutMs, isDoubtful: isNew }));
    };
    const asking = { client: toClientKey(client), server: registry };
    const asked = this.#cold.ask(asking, gun, work, { isKnown, maxWaitMs });
    const flight = asked.catch(async (error: unknown) => {
      if (!(error instanceof TrustError)) throw error;
      // Never asked: what an earlier run verified still counts.
      const carried = isNew ? undefined : await this.#carryOn(gun, undefined);
      return afterFailure(carried, error, this.#now(), 'cold');
    });
    return { flight, isNew: () => isNew };
  }

  async #refresh(
    registry: string,
    gun: Gun,
    { timeoutMs, isDoubtful = false }: FlightOptions,
  ): Promise<TrustOutcome> {
    const { observer, state, check } = this.#options;
    const started = this.#now();
    const since = this.#monotonic();
    const previous = this.#entries.peek(gun)?.trust;
    const remember = (at: Date, trust: VerifiedRepository | undefined, failure: TrustError | undefined) => {
      const usedAt = this.#entries.peek(gun)?.usedAt ?? started.getTime();
      const entry = { registry, usedAt, trust, at: at.getTime(), failure: failure?.bare() };
      const [to, from] =
        trust === undefined ? [this.#refused, this.#entries] : [this.#entries, this.#refused];
      from.delete(gun);
      to.set(gun, entry);
    };
    try {
      const deps = { source: this.#options.sourceFor(registry), state, check };
      const pin = this.#options.pinFor(gun);
      const trust = await withDeadline(
        timeoutMs,
        undefined,
        (signal) => updateTrust(deps, { gun, pin, now: started, signal, previous, isDoubtful }),
        this.#after,
      );
      remember(started, trust, undefined);
      observer?.updated(registry, trust, trust === previous ? 'unchanged' : 'updated');
      return { kind: 'verified', trust, path: 'cold' };
    } catch (caught) {
      // The one place where what nobody foresaw becomes a refusal: it is remembered, counted, and audit lets it pass.
      const error = toTrustError(caught, 'trust data');
      observer?.failed(registry, error);
      const usable = isCarried(error)
        ? await this.#carryOn(gun, previous, timeoutMs - (this.#monotonic() - since))
        : undefined;
      // From its end on: a server that answers nothing is known for it only then.
      remember(this.#now(), usable, error);
      return afterFailure(usable, error, this.#now(), 'cold');
    }
  }
}
