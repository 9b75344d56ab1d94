/**
 * What was just resolved and will be asked for in a moment, by whom it was resolved. Bounded in bytes and time, and fair: a
 * holder that wants more than there is room for pushes out its own, and never those who hold less.
 */

/** Bytes held in all when the caller names no other bound. */
export const RESERVE_BYTES = 32 * 1024 * 1024;
/** From a tag's answer until its client asks for the digest, with time to spare, in milliseconds. */
export const RESERVE_MS = 60_000;

export type ReserveOptions = {
  readonly maxBytes?: number;
  readonly ttlMs?: number;
  /** What an entry costs besides its bytes. */
  readonly overheadBytes?: number;
  /** Milliseconds since some fixed moment. */
  readonly now?: () => number;
};

export interface Reserve<Held> {
  get(key: string): Held | undefined;
  hold(key: string, held: Held, holder: string): void;
  size(): { readonly entries: number; readonly bytes: number };
}

type Entry<Held> = {
  readonly held: Held;
  readonly bytes: number;
  readonly holder: string;
  readonly until: number;
};
/** Its keys, oldest first. */
type Share = { readonly keys: Set<string>; bytes: number };

export function createReserve<Held extends { readonly bytes: Uint8Array }>(
  options: ReserveOptions = {},
): Reserve<Held> {
  const { maxBytes = RESERVE_BYTES, ttlMs = RESERVE_MS, overheadBytes = 0 } = options;
  const now = options.now ?? (() => performance.now());
  const entries = new Map<string, Entry<Held>>();
  const shares = new Map<string, Share>();
  let total = 0;

  const drop = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    total -= entry.bytes;
    const share = shares.get(entry.holder);
    if (share === undefined) return;
    share.bytes -= entry.bytes;
    share.keys.delete(key);
    if (share.keys.size === 0) shares.delete(entry.holder);
  };
  const dropExpired = (): void => {
    // All live equally long, so the oldest come first.
    for (const [key, { until }] of entries) {
      if (until > now()) return;
      drop(key);
    }
  };
  const dropFromLargest = (): void => {
    let largest: Share | undefined;
    for (const share of shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share;
    const [oldest] = largest?.keys ?? [];
    if (oldest !== undefined) drop(oldest);
  };
  const add = (key: string, entry: Entry<Held>): void => {
    entries.set(key, entry);
    total += entry.bytes;
    const share = shares.get(entry.holder) ?? { keys: new Set<string>(), bytes: 0 };
    shares.set(entry.holder, share);
    share.keys.add(key);
    share.bytes += entry.bytes;
  };

  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.until > now() ? entry.held : undefined;
    },
    hold(key, held, holder) {
      const bytes = held.bytes.length + overheadBytes;
      if (bytes > maxBytes) return;
      // Of all who want it the one that holds the least counts, who loses it last.
      const earlier = entries.get(key)?.holder ?? holder;
      const shareOf = (name: string): number => shares.get(name)?.bytes ?? 0;
      const owner = shareOf(earlier) < shareOf(holder) + bytes ? earlier : holder;
      drop(key);
      dropExpired();
      add(key, { held, bytes, holder: owner, until: now() + ttlMs });
      while (total > maxBytes) dropFromLargest();
    },
    size: () => ({ entries: entries.size, bytes: total }),
  };
}
