/**
 * Room for bytes that wait in memory for clients: one bound for all answers together, blobs that stream and answers
 * that are complete alike.
 *
 * While few wait, each transfer has a window of full size. Windows are a part of what is free, so they shrink as it
 * fills. One client address has half of it at most: the other half is there for everybody else. A request that finds
 * no room waits a while, and meanwhile clients that read nothing are cut off.
 */
import { ROOM_LIMITS, type RoomLimits } from '../limits.ts';

/** A window is at most this part of what is free. */
const SHARES = 16;
/** How often clients that read nothing are looked for while others wait, in milliseconds. */
const SWEEP_MS = 250;

/** What one client address holds, and what waits for room in its half. */
type Account = { readonly client: string; bytes: number; leases: number; readonly queue: Set<Waiter> };
type Waiter = { readonly lease: Lease; readonly given: number; readonly settle: (found: boolean) => void };

/** One answer's place. */
export class Lease {
  /** What it counts as: what it was given, or what waits if that is more. */
  bytes = 0;
  given = 0;
  waiting = 0;
  /** When its client last took something. */
  since: number;
  readonly account: Account;
  readonly cut: () => void;
  readonly #room: Room;

  constructor(room: Room, account: Account, cut: () => void, since: number) {
    this.#room = room;
    this.account = account;
    this.cut = cut;
    this.since = since;
  }

  /** How many bytes may wait for its client now. */
  window(): number {
    return this.#room.windowOf(this.account);
  }

  /** Says how many wait. Fewer than before: the client took some. */
  waits(bytes: number): void {
    this.#room.count(this, bytes);
  }

  /** Makes sure of a place for so many in all; false: none became free in time, or the client left. */
  grow(bytes: number, gone?: AbortSignal): Promise<boolean> {
    return this.#room.obtain(this, bytes, gone);
  }

  end(): void {
    this.#room.release(this);
  }
}

export class Room {
  readonly #limits: RoomLimits;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();
  readonly #leases = new Set<Lease>();
  #bytes = 0;
  #sweeping: NodeJS.Timeout | undefined;
  #settling: NodeJS.Immediate | undefined;

  constructor(limits: Partial<RoomLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...ROOM_LIMITS, ...limits };
    this.#now = now;
  }

  /** Bytes that wait or may begin to. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A place for one transfer; `cut` ends it when it is in the way. undefined: none in time, or the client left. */
  async admit(client: string, cut: () => void, gone?: AbortSignal): Promise<Lease | undefined> {
    const lease = this.#open(client, cut);
    if (await this.obtain(lease, this.#limits.minWindow, gone)) return lease;
    this.release(lease);
    return undefined;
  }

  /** Whether so many bytes more may wait for this client. */
  fits(client: string, bytes: number): boolean {
    const account = this.#accounts.get(client);
    return bytes <= (account === undefined ? Math.min(this.#left(), this.#half()) : this.#free(account));
  }

  /** A place for an answer that was handed over as a whole and waits already; cut at once where there is none. */
  hold(client: string, bytes: number, cut: () => void): Lease {
    const lease = this.#open(client, cut);
    this.count(lease, bytes);
    const isOver = (): boolean => this.#free(lease.account) < 0;
    if (isOver()) this.#relieve(isOver, lease.account);
    if (isOver()) cut();
    return lease;
  }

  windowOf(account: Account): number {
    const { minWindow, maxWindow } = this.#limits;
    // Two halves: what waits, and what one more read may add to it.
    return Math.min(maxWindow, Math.max(minWindow / 2, this.#free(account) / SHARES));
  }

  count(lease: Lease, waiting: number): void {
    if (waiting < lease.waiting || lease.waiting === 0) lease.since = this.#now();
    lease.waiting = waiting;
    this.#weigh(lease);
  }

  obtain(lease: Lease, given: number, gone?: AbortSignal): Promise<boolean> {
    const { account } = lease;
    if (gone?.aborted === true) return Promise.resolve(false);
    if (account.queue.size === 0 && this.#take(lease, given)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (found: boolean): void => {
        clearTimeout(timer);
        gone?.removeEventListener('abort', leave);
        account.queue.delete(waiter);
        resolve(found);
      };
      const leave = (): void => settle(false);
      const waiter: Waiter = { lease, given, settle };
      const timer = setTimeout(leave, this.#limits.waitTimeout);
      gone?.addEventListener('abort', leave, { once: true });
      account.queue.add(waiter);
      this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    });
  }

  release(lease: Lease): void {
    if (!this.#leases.delete(lease)) return;
    const { account } = lease;
    this.#bytes -= lease.bytes;
    account.bytes -= lease.bytes;
    account.leases -= 1;
    if (account.leases === 0) this.#accounts.delete(account.client);
    if (this.#isAwaited()) this.#settling ??= setImmediate(() => this.#settle());
  }

  #open(client: string, cut: () => void): Lease {
    const account = this.#accounts.get(client) ?? { client, bytes: 0, leases: 0, queue: new Set() };
    this.#accounts.set(client, account);
    account.leases += 1;
    const lease = new Lease(this, account, cut, this.#now());
    this.#leases.add(lease);
    return lease;
  }

  #left(): number {
    return this.#limits.maxBytes - this.#bytes;
  }

  #half(): number {
    return this.#limits.maxBytes / 2;
  }

  #free({ bytes }: Account): number {
    return Math.min(this.#left(), this.#half() - bytes);
  }

  #take(lease: Lease, given: number): boolean {
    if (given - lease.bytes > this.#free(lease.account)) return false;
    lease.given = given;
    this.#weigh(lease);
    return true;
  }

  #weigh(lease: Lease): void {
    if (!this.#leases.has(lease)) return;
    const more = Math.max(lease.given, lease.waiting) - lease.bytes;
    lease.bytes += more;
    lease.account.bytes += more;
    this.#bytes += more;
    if (more < 0 && this.#isAwaited()) this.#settling ??= setImmediate(() => this.#settle());
  }

  #isAwaited(): boolean {
    return this.#sweeping !== undefined;
  }

  /** One for each client in turn, so that a long queue of one of them keeps no other one waiting. */
  #settle(): void {
    this.#settling = undefined;
    for (let found = true; found; ) {
      found = false;
      for (const { queue } of this.#accounts.values()) {
        const [first] = queue;
        if (first === undefined || !this.#take(first.lease, first.given)) continue;
        first.settle(true);
        found = true;
      }
    }
  }

  #sweep(): void {
    const waiters = [...this.#accounts.values()].flatMap(({ queue }) => [...queue].slice(0, 1));
    if (waiters.length === 0) {
      clearInterval(this.#sweeping);
      this.#sweeping = undefined;
      return;
    }
    for (const { lease, given } of waiters)
      this.#relieve(() => given - lease.bytes > this.#free(lease.account), lease.account);
    this.#settle();
  }

  /** Cuts clients off that read nothing, the longest silent first, until there is room. */
  #relieve(isShort: () => boolean, account?: Account): void {
    const before = this.#now() - this.#limits.stallTimeout;
    const stalled = [...this.#leases]
      .filter(({ waiting, since }) => waiting > 0 && since <= before)
      .sort((a, b) => a.since - b.since);
    for (const lease of stalled) {
      if (!isShort()) return;
      // Another client's bytes are in the way only where all of it is full.
      if (account !== undefined && lease.account !== account && account.bytes >= this.#half()) continue;
      lease.cut();
      this.release(lease);
    }
  }
}
