/**
 * Verified trust, kept fresh: one question to the trust server per repository and refresh interval, however many ask.
 *
 * An answer never outlives what proved it: the caller judges expiry by its own clock, and an earlier answer is used
 * only when the server could not be asked, never when it said something that does not verify.
 */
import { LRUCache } from 'lru-cache';
import type { TrustOutcome } from '../policy/types.ts';
import type { Gun } from '../registry/reference.ts';
import { TrustError } from '../trust-client/errors.ts';
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
};

/** What one repository weighs in the cache beside its tags; the limit is in the same unit, tags. */
const REPOSITORY_WEIGHT = 100;
const MAX_WEIGHT = 4_000_000;
/** How long a definite refusal is repeated without asking again: a new signature must count soon. */
const REFUSAL_MS = 5_000;
/** How long an outage is believed before the server is asked again. */
const OUTAGE_MS = 5_000;

type Entry = {
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
    const previous = entries.get(gun)?.trust;
    const remember = (trust: VerifiedRepository | undefined, failure: TrustError | undefined) =>
      entries.set(gun, { trust, at: started.getTime(), failure });
    try {
      const signal = AbortSignal.timeout(options.timeoutMs);
      const request = { gun, pin: options.pinFor(gun), now: started, signal, previous };
      const trust = await updateTrust({ source: options.sourceFor(registry), state: options.state }, request);
      remember(trust, undefined);
      observer?.updated(registry, trust, trust === previous ? 'unchanged' : 'updated');
      return { kind: 'verified', trust, path: 'cold' };
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      observer?.failed(registry, error);
      const usable = error.isOutage ? (previous ?? (await restore(gun, started))) : undefined;
      remember(usable, error);
      return afterFailure(usable, error, started, 'cold');
    }
  };

  /** What an earlier run verified, when the server has not been reached since this one started. */
  const restore = async (gun: Gun, at: Date): Promise<VerifiedRepository | undefined> => {
    try {
      return await restoreTrust(options.state, gun, options.pinFor(gun), at);
    } catch (error) {
      // Nothing remembered, or no longer valid: the outage itself is the answer.
      if (error instanceof TrustError) return undefined;
      throw error;
    }
  };

  const trustFor = async (registry: string, gun: Gun): Promise<TrustOutcome> => {
    const time = now();
    const known = entries.get(gun);
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
      return await flight;
    }
    observer?.cache('miss');
    const started = refresh(registry, gun).finally(() => flights.delete(gun));
    flights.set(gun, started);
    return await started;
  };

  return { trustFor };
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
