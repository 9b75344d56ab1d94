/**
 * What was just resolved and will be asked for in a moment, by whom it was resolved. Bounded in bytes and time, and fair: a
 * holder that wants more than there is room for loses its own, and never what those hold who hold less. What several want
 * stays until the last of them lost it, so that nobody can take it over and let it go.
 */

/** Bytes held in all when the caller names no other bound. */
export const RESERVE_BYTES = 32 * 1024 * 1024;
/** From a tag's answer until its client asks for the digest, with time to spare, in milliseconds. */
export const RESERVE_MS = 60_000;

export type ReserveOptions = {
  readonly maxBytes?: number;
  readonly ttlMs?: number;
  /** What an entry costs besides its bytes, and one holder's claim to it. */
  readonly overheadBytes?: number;
  /** Milliseconds since some fixed moment. */
  readonly now?: () => number;
};

export interface Reserve<Held> {
  get(key: string): Held | undefined;
  hold(key: string, held: Held, holder: string): void;
  size(): { readonly entries: number; readonly bytes: number };
}

type Entry<Held> = { readonly held: Held; readonly bytes: number; claims: number };
/** One holder's claim to one entry. */
type Claim = {
  readonly key: string;
  readonly holder: string;
  readonly bytes: number;
  readonly until: number;
};
/** What one holder claims, oldest first, and its bytes in all: each entry counts in full for everyone who wants it. */
type Share = { readonly claims: Set<string>; bytes: number };

export function createReserve<Held extends { readonly bytes: Uint8Array }>(
  options: ReserveOptions = {},
): Reserve<Held> {
  const { maxBytes = RESERVE_BYTES, ttlMs = RESERVE_MS, overheadBytes = 0 } = options;
  const now = options.now ?? (() => performance.now());
  const entries = new Map<string, Entry<Held>>();
  /** Oldest first: all live equally long. */
  const claims = new Map<string, Claim>();
  const shares = new Map<string, Share>();
  let total = 0;

  const drop = (id: string): void => {
    const claim = claims.get(id);
    if (claim === undefined) return;
    const { key, holder, bytes } = claim;
    claims.delete(id);
    total -= overheadBytes;
    const share = shares.get(holder);
    if (share !== undefined) {
      share.bytes -= bytes;
      share.claims.delete(id);
      if (share.claims.size === 0) shares.delete(holder);
    }
    const entry = entries.get(key);
    if (entry === undefined) return;
    entry.claims -= 1;
    if (entry.claims > 0) return;
    entries.delete(key);
    total -= entry.bytes;
  };
  const dropExpired = (): void => {
    for (const [id, { until }] of claims) {
      if (until > now()) return;
      drop(id);
    }
  };
  const dropFromLargest = (): void => {
    let largest: Share | undefined;
    for (const share of shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share;
    const [oldest] = largest?.claims ?? [];
    if (oldest !== undefined) drop(oldest);
  };
  const add = (id: string, claim: Claim, held: Held): void => {
    const { key, holder, bytes } = claim;
    claims.set(id, claim);
    const share = shares.get(holder) ?? { claims: new Set<string>(), bytes: 0 };
    shares.set(holder, share);
    share.claims.add(id);
    share.bytes += bytes;
    const entry = entries.get(key) ?? { held, bytes: held.bytes.length, claims: 0 };
    if (entry.claims === 0) total += entry.bytes;
    entry.claims += 1;
    entries.set(key, entry);
    total += overheadBytes;
  };

  return {
    get(key) {
      dropExpired();
      return entries.get(key)?.held;
    },
    hold(key, held, holder) {
      const bytes = held.bytes.length + overheadBytes;
      if (bytes > maxBytes) return;
      const id = JSON.stringify([holder, key]);
      drop(id);
      dropExpired();
      add(id, { key, holder, bytes, until: now() + ttlMs }, held);
      while (total > maxBytes) dropFromLargest();
    },
    size: () => ({ entries: entries.size, bytes: total }),
  };
}
