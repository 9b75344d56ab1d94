/**
 * Room for bodies that are read as a whole before anything of them goes on: manifests, configurations, pages of tags,
 * tokens, errors. One bound in bytes for all upstreams together; answers that wait for clients have another (room.ts).
 *
 * An upstream has at most as much as it leaves free: alone half, and however many hang, the next one still has something.
 * Who holds nothing waits, and never with the rest of the room: a part is kept for those who hold a body already and need
 * another one for it. They come first, so nobody waits for what is held by somebody who waits.
 */
import { BODY_LIMITS, type BodyLimits } from '../listen/limits.ts';
import { NO_ROOM, UpstreamError } from './errors.ts';

/** A place that is counted until `end`. */
export type BodyLease = {
  /** Waits for so many bytes in all. @throws UpstreamError `no_room` or `timeout`. */
  grow(bytes: number, signal?: AbortSignal): Promise<void>;
  /** The same without waiting. */
  tryGrow(bytes: number): boolean;
  /** Fewer turned out to be needed. */
  shrink(bytes: number): void;
  end(): void;
};

/** `first`: holds no other body meanwhile. `more`: belongs to one that is held, or is small and soon over. */
export type Need = 'first' | 'more';

type Account = { readonly upstream: string; bytes: number; leases: number };
type Held = { readonly account: Account; readonly need: Need; bytes: number; hasEnded: boolean };
type Waiter = { readonly held: Held; readonly bytes: number; readonly enter: () => void };

export class BodyRoom {
  readonly #limits: BodyLimits;
  readonly #accounts = new Map<string, Account>();
  readonly #carried = new Map<Uint8Array, { readonly lease: BodyLease; carriers: number }>();
  readonly #waiting: Readonly<Record<Need, Set<Waiter>>> = { more: new Set(), first: new Set() };
  #bytes = 0;
  #settling: NodeJS.Immediate | undefined;

  constructor(limits: Partial<BodyLimits> = {}) {
    this.#limits = { ...BODY_LIMITS, ...limits };
  }

  /** Bytes that are held or may be read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A place with nothing in it yet. */
  open(upstream: string, need: Need): BodyLease {
    const account = this.#accounts.get(upstream) ?? { upstream, bytes: 0, leases: 0 };
    this.#accounts.set(upstream, account);
    account.leases += 1;
    const held: Held = { account, need, bytes: 0, hasEnded: false };
    return {
      grow: (bytes, signal) => this.#grow(held, bytes, signal),
      tryGrow: (bytes) => !held.hasEnded && this.#take(held, bytes),
      shrink: (bytes) => this.#resize(held, Math.min(bytes, held.bytes)),
      end: () => {
        if (held.hasEnded) return;
        this.#resize(held, 0);
        held.hasEnded = true;
        account.leases -= 1;
        if (account.leases === 0) this.#accounts.delete(upstream);
      },
    };
  }

  /**
   * Counts a body while something else is fetched for it; many who carry the same one count it once.
   *
   * @returns what ends it; undefined: there is no room. What was read in this turn finds the room it had.
   */
  carry(upstream: string, body: Uint8Array): (() => void) | undefined {
    const known = this.#carried.get(body) ?? { lease: this.open(upstream, 'first'), carriers: 0 };
    if (known.carriers === 0 && !known.lease.tryGrow(body.length)) {
      known.lease.end();
      return undefined;
    }
    this.#carried.set(body, known);
    known.carriers += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      known.carriers -= 1;
      if (known.carriers > 0) return;
      this.#carried.delete(body);
      known.lease.end();
    };
  }

  #take(held: Held, bytes: number): boolean {
    const more = bytes - held.bytes;
    const kept = held.need === 'more' ? 0 : this.#limits.keptBytes;
    const left = this.#limits.maxBytes - kept - this.#bytes - more;
    if (more > 0 && held.account.bytes + more > left) return false;
    this.#resize(held, bytes);
    return true;
  }

  #grow(held: Held, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(tooLate(signal));
    const queue = this.#waiting[held.need];
    const isBehind = [...queue].some((waiter) => waiter.held.account === held.account);
    if (!isBehind && this.#take(held, bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        queue.delete(waiter);
      };
      const giveUp = (): void => {
        leave();
        reject(tooLate(signal));
        // Smaller ones may have waited behind it.
        this.#settleSoon();
      };
      const enter = (): void => {
        leave();
        resolve();
      };
      const waiter: Waiter = { held, bytes, enter };
      const timer = setTimeout(giveUp, this.#limits.waitTimeout);
      signal?.addEventListener('abort', giveUp, { once: true });
      queue.add(waiter);
    });
  }

  #resize(held: Held, bytes: number): void {
    if (held.hasEnded) return;
    const more = bytes - held.bytes;
    held.bytes += more;
    held.account.bytes += more;
    this.#bytes += more;
    if (more < 0) this.#settleSoon();
  }

  /** Not at once: what was just read is counted again by who carries it on, before anybody else has its room. */
  #settleSoon(): void {
    if (this.#waiting.first.size + this.#waiting.more.size > 0)
      this.#settling ??= setImmediate(() => this.#settle());
  }

  /** Each upstream's in the order they came; one that does not fit keeps no other upstream's waiting. */
  #settle(): void {
    this.#settling = undefined;
    for (const queue of Object.values(this.#waiting)) {
      const behind = new Set<Account>();
      for (const waiter of queue) {
        const { account } = waiter.held;
        if (!behind.has(account) && this.#take(waiter.held, waiter.bytes)) waiter.enter();
        else behind.add(account);
      }
    }
  }
}

/** The one of this process: a reload makes new clients, and requests of the old ones still run. */
export const BODY_ROOM = new BodyRoom();

function tooLate(signal: AbortSignal | undefined): UpstreamError {
  return signal?.aborted === true
    ? new UpstreamError('timeout', 'waiting for room was given up', { cause: signal.reason })
    : new UpstreamError('no_room', NO_ROOM);
}
