/** What is remembered of one repository's trust in memory, within a bound in bytes, and what it says at a time. */
import { LRUCache } from 'lru-cache';
import type { Gun } from '../names/reference.ts';
import type { TrustOutcome } from '../policy/types.ts';
import type { TrustError } from '../trust-client/errors.ts';
import type { VerifiedRepository } from '../trust-client/targets.ts';
import type { After } from '../upstream/deadline.ts';

/** What one entry weighs beside the verified data, a refusal too: name, error, places in the tables. In bytes. */
const ENTRY_BYTES = 1024;
/** Bytes of all that is remembered of all repositories together. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Bytes of remembered refusals and outages of repositories nothing was verified of, and of one beside its texts. */
const MAX_REFUSED_BYTES = 16 * 1024 * 1024;
const REFUSED_BYTES = 2_048;

/** How long a definite refusal is repeated without asking again: a new signature must count soon. */
const REFUSAL_MS = 5_000;
/** How long an outage is believed before the server is asked again. */
const OUTAGE_MS = 5_000;

export type Entry = {
  readonly registry: string;
  /** When a client asked for it last. */
  usedAt: number;
  /** The newest verified answer that may still be used. */
  readonly trust: VerifiedRepository | undefined;
  /** When the server last confirmed it, or failed to. */
  readonly at: number;
  readonly failure: TrustError | undefined;
};

/** What was verified, and apart from it what was only refused. */
export function createEntries(): {
  readonly entries: LRUCache<Gun, Entry>;
  readonly refused: LRUCache<Gun, Entry>;
} {
  const entries = new LRUCache<Gun, Entry>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ trust }) => ENTRY_BYTES + (trust?.bytes ?? 0),
  });
  // Made-up names cost nothing: what is remembered of them never takes the place of what was verified.
  const refused = new LRUCache<Gun, Entry>({
    maxSize: MAX_REFUSED_BYTES,
    sizeCalculation: ({ failure }, gun) => REFUSED_BYTES + 2 * (gun.length + (failure?.message.length ?? 0)),
  });
  return { entries, refused };
}

/** After which an earlier answer may be used. */
export function isCarried(error: TrustError): boolean {
  return error.isOutage || error.isLag;
}

/** What the work gives within this time, or undefined; no time at all: undefined, unless it is settled. */
export async function settledWithin<T>(work: Promise<T>, ms: number, wait: After): Promise<T | undefined> {
  let callOff: () => void = () => undefined;
  const late = new Promise<undefined>((resolve) => {
    callOff = wait(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    callOff();
  }
}

/** What can be said without asking, or undefined. A clock that went back makes every answer old. */
export function recall(
  { trust, at, failure }: Entry,
  time: Date,
  refreshMs: number,
): TrustOutcome | undefined {
  const age = time.getTime() - at;
  if (age < 0) return undefined;
  if (failure === undefined) {
    const isFresh = trust !== undefined && age < refreshMs && time <= trust.expires;
    return isFresh ? { kind: 'verified', trust, path: 'cache' } : undefined;
  }
  const lasts = Math.min(refreshMs, failure.isOutage ? OUTAGE_MS : REFUSAL_MS);
  return age < lasts ? afterFailure(trust, failure, time, 'cache') : undefined;
}

export function afterFailure(
  trust: VerifiedRepository | undefined,
  error: TrustError,
  time: Date,
  path: 'cache' | 'cold',
): TrustOutcome {
  const isUsable = trust !== undefined && time <= trust.expires;
  return isUsable ? { kind: 'verified', trust, path: 'stale' } : { kind: 'failed', error, path };
}
