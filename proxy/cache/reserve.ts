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
  return new FairReserve(options);
}

class FairReserve<Held extends { readonly bytes: Uint8Array }> implements Reserve<Held> {
  readonly #maxBytes: number;
  readonly #ttlMs: number;
  readonly #overheadBytes: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry<Held>>();
  /** Oldest first: all live equally long. */
  readonly #claims = new Map<string, Claim>();
  readonly #shares = new Map<string, Share>();
  #total = 0;

  constructor({ maxBytes = RESERVE_BYTES, ttlMs = RESERVE_MS, overheadBytes = 0, now }: ReserveOptions) {
    this.#maxBytes = maxBytes;
    this.#ttlMs = ttlMs;
    this.#overheadBytes = overheadBytes;
    this.#now = now ?? (() => performance.now());
  }

  get(key: string): Held | undefined {
    this.#dropExpired();
    return this.#entries.get(key)?.held;
  }

  hold(key: string, held: Held, holder: string): void {
    const bytes = held.bytes.length + this.#overheadBytes;
    if (bytes > this.#maxBytes) return;
    const id = JSON.stringify([holder, key]);
    this.#drop(id);
    this.#dropExpired();
    this.#add(id, { key, holder, bytes, until: this.#now() + this.#ttlMs }, held);
    while (this.#total > this.#maxBytes) this.#dropFromLargest();
  }

  size(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#entries.size, bytes: this.#total };
  }

  #drop(id: string): void {
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    const { key, holder, bytes } = claim;
    this.#claims.delete(id);
    this.#total -= this.#overheadBytes;
    const share = this.#shares.get(holder);
    if (share !== undefined) {
      share.bytes -= bytes;
      share.claims.delete(id);
      if (share.claims.size === 0) this.#shares.delete(holder);
    }
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.claims -= 1;
    if (entry.claims > 0) return;
    this.#entries.delete(key);
    this.#total -= entry.bytes;
  }

  #dropExpired(): void {
    for (const [id, { until }] of this.#claims) {
      if (until > this.#now()) return;
      this.#drop(id);
    }
  }

  #dropFromLargest(): void {
    let largest: Share | undefined;
    for (const share of this.#shares.values()) if (share.bytes > (largest?.bytes ?? 0)) largest = share;
    const [oldest] = largest?.claims ?? [];
    if (oldest !== undefined) this.#drop(oldest);
  }

  #add(id: string, claim: Claim, held: Held): void {
    const { key, holder, bytes } = claim;
    this.#claims.set(id, claim);
    const share = this.#shares.get(holder) ?? { claims: new Set<string>(), bytes: 0 };
    this.#shares.set(holder, share);
    share.claims.add(id);
    share.bytes += bytes;
    const entry = this.#entries.get(key) ?? { held, bytes: held.bytes.length, claims: 0 };
    if (entry.claims === 0) this.#total += entry.bytes;
    entry.claims += 1;
    this.#entries.set(key, entry);
    this.#total += this.#overheadBytes;
  }
}
