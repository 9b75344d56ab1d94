/** Asks again for what is in use before a pull has to wait for it: ahead of time, and when a hint says that it changed. */
import type { LRUCache } from 'lru-cache';
import type { Gun } from '../names/reference.ts';
import { createHintBudget, dueAfter, type HintBudget } from './renewals.ts';
import type { Entry } from './trust-entries.ts';

/** A repository that nobody asked for within this time is not in use, in milliseconds. */
const IN_USE_MS = 600_000;
/** Repositories renewed at the same time. */
const PARALLEL_RENEWALS = 8;
/** Renewed at one `refreshDue` at most, as a part of what is in use; the oldest first. */
const RENEWED_AT_ONCE = 0.1;

export type RenewerOptions = {
  readonly refreshMs: number;
  readonly now: () => Date;
  /** Milliseconds since some fixed moment. */
  readonly monotonic: () => number;
  /** What was verified; nothing else is renewed. */
  readonly entries: LRUCache<Gun, Entry>;
  /** Questions that are on their way. */
  readonly flights: ReadonlyMap<Gun, Promise<unknown>>;
  /** Puts one on its way. */
  readonly fly: (registry: string, gun: Gun) => Promise<unknown>;
};

type Renewal = readonly [Gun, Entry];

export class Renewer {
  readonly #options: RenewerOptions;
  readonly #budget: HintBudget;
  /** Repositories in use that a hint named and that were not asked for since. */
  readonly #hinted = new Set<Gun>();
  #isRenewalDue = false;

  constructor(options: RenewerOptions) {
    this.#options = options;
    this.#budget = createHintBudget(options.refreshMs, options.monotonic);
  }

  /** As `TrustCache.changed`. */
  changed(registry: string, gun?: string): void {
    const { entries, flights } = this.#options;
    const time = this.#options.now().getTime();
    const hint = (name: Gun): void => {
      const entry = entries.peek(name);
      if (entry?.registry === registry && time - entry.usedAt < IN_USE_MS) this.#hinted.add(name);
    };
    for (const name of gun === undefined ? entries.keys() : [gun as Gun]) hint(name);
    // A question that is on its way already may be answered from before the change.
    for (const [name, flight] of flights) {
      if (gun === undefined || name === gun) {
        const again = (): void => {
          hint(name);
          this.#renewSoon();
        };
        void flight.then(again, again);
      }
    }
    this.#renewSoon();
  }

  /** As `TrustCache.refreshDue`. */
  async refreshDue(): Promise<void> {
    const { flights, refreshMs } = this.#options;
    const used = this.#inUse();
    const time = this.#options.now().getTime();
    const due = used
      .filter(
        ([gun, { failure, at }]) =>
          failure === undefined && !flights.has(gun) && time - at >= dueAfter(gun, used.length, refreshMs),
      )
      .sort(([, one], [, other]) => one.at - other.at);
    const most = Math.max(PARALLEL_RENEWALS, Math.ceil(used.length * RENEWED_AT_ONCE));
    await Promise.all([this.#renewHinted(), this.#renew(due.slice(0, most))]);
  }

  #inUse(): readonly Renewal[] {
    const time = this.#options.now().getTime();
    return [...this.#options.entries.entries()].filter(([, entry]) => time - entry.usedAt < IN_USE_MS);
  }

  /** Once for all hints that come together: each look at them is a walk over all that wait. */
  #renewSoon(): void {
    if (this.#isRenewalDue) return;
    this.#isRenewalDue = true;
    queueMicrotask(() => {
      this.#isRenewalDue = false;
      void this.#renewHinted();
    });
  }

  /** Those that hints named, as far as the budget goes; the others stay named. */
  async #renewHinted(): Promise<void> {
    const { entries, flights } = this.#options;
    const due: Renewal[] = [];
    for (const gun of this.#hinted) {
      const entry = entries.peek(gun);
      if (entry === undefined) this.#hinted.delete(gun);
      else if (!flights.has(gun) && this.#budget.take(entry.registry, gun)) {
        this.#hinted.delete(gun);
        due.push([gun, entry]);
      }
    }
    await this.#renew(due);
  }

  /** Asks again for these, a few at a time. */
  async #renew(due: Renewal[]): Promise<void> {
    const { flights, fly } = this.#options;
    const next = async (): Promise<void> => {
      for (let item = due.shift(); item !== undefined; item = due.shift()) {
        const [gun, { registry }] = item;
        // A pull may have begun to ask meanwhile. What goes wrong is told to the observer, and to the next pull.
        if (!flights.has(gun)) await fly(registry, gun).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_RENEWALS }, next));
  }
}
