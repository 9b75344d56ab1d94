/**
 * Room for bodies that are read as a whole before anything of them goes on: manifests, configurations, pages of tags,
 * tokens, errors. One bound in bytes for all upstreams together; answers that wait for clients have another (room.ts).
 *
 * Each need has a part of its own, and of each part an upstream has at most as much as it leaves free: alone half, and
 * however many hang in whatever way, the next one still has something. Who holds a body waits for another one in a part
 * that nobody waits in with empty hands, so nobody waits for what is held by somebody who waits.
 */
import { BODY_LIMITS } from '../limits.ts';
import { CAUSES } from '../words.ts';
import { UpstreamError } from './errors.ts';

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

/**
 * What a body is to whoever reads it, and with it the part of the room it is read in. `first`: holds no other body
 * meanwhile. `more`: belongs to one that is held, or is small and soon over. `list`: is looked at in turns.
 */
export type Need = 'first' | 'more' | 'list';

/** What one upstream has of one part. */
type Account = { readonly upstream: string; readonly part: Part; bytes: number; leases: number };
type Held = { readonly account: Account; bytes: number; hasEnded: boolean };
type Waiter = { readonly held: Held; readonly bytes: number; readonly enter: () => void };
type Carried = {
  readonly lease: BodyLease;
  /** Absent: there was room at once. */
  readonly ready: Promise<void> | undefined;
  /** Ends the wait when nobody waits any more. */
  readonly left: AbortController;
  carriers: number;
};
type Part = {
  readonly maxBytes: number;
  readonly accounts: Map<string, Account>;
  readonly waiting: Set<Waiter>;
  bytes: number;
};

export type BodyRoomOptions = {
  /** Bytes of all bodies of one need together; those of `BODY_LIMITS` when absent. */
  readonly maxBytes?: Partial<Record<Need, number>>;
  /** In milliseconds. */
  readonly waitTimeout?: number;
};

export class BodyRoom {
  readonly #waitTimeout: number;
  readonly #parts: Readonly<Record<Need, Part>>;
  readonly #carried = new Map<Uint8Array, Carried>();
  #settling: NodeJS.Immediate | undefined;

  constructor({ maxBytes, waitTimeout = BODY_LIMITS.waitTimeout }: BodyRoomOptions = {}) {
    const { first, more, list } = { ...BODY_LIMITS.maxBytes, ...maxBytes };
    this.#waitTimeout = waitTimeout;
    this.#parts = { more: createPart(more), first: createPart(first), list: createPart(list) };
  }

  /** Bytes that are held or may be read. */
  get bytes(): number {
    return Object.values(this.#parts).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A place with nothing in it yet. */
  open(upstream: string, need: Need): BodyLease {
    const part = this.#parts[need];
    const account = part.accounts.get(upstream) ?? { upstream, part, bytes: 0, leases: 0 };
    part.accounts.set(upstream, account);
    account.leases += 1;
    const held: Held = { account, bytes: 0, hasEnded: false };
    return {
      grow: (bytes, signal) => this.#grow(held, bytes, signal),
      tryGrow: (bytes) => !held.hasEnded && this.#take(held, bytes),
      shrink: (bytes) => this.#resize(held, Math.min(bytes, held.bytes)),
      end: () => {
        if (held.hasEnded) return;
        this.#resize(held, 0);
        held.hasEnded = true;
        account.leases -= 1;
        if (account.leases === 0) part.accounts.delete(upstream);
      },
    };
  }

  /**
   * Counts a body while something else is fetched for it; many who carry the same one count it once. What was read in
   * this turn finds the room it had, and what was kept elsewhere may have to wait.
   *
   * @returns what ends it. @throws UpstreamError `no_room` or `timeout`.
   */
  async carry(upstream: string, body: Uint8Array, signal?: AbortSignal): Promise<() => void> {
    const carried = this.#carried.get(body) ?? this.#beginToCarry(upstream, body);
    carried.carriers += 1;
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      carried.carriers -= 1;
      if (carried.carriers > 0) return;
      this.#carried.delete(body);
      carried.left.abort();
      carried.lease.end();
    };
    try {
      await orAbort(carried.ready, signal);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  #beginToCarry(upstream: string, body: Uint8Array): Carried {
    const lease = this.open(upstream, 'first');
    const left = new AbortController();
    const ready = lease.tryGrow(body.length) ? undefined : lease.grow(body.length, left.signal);
    const carried = { lease, ready, left, carriers: 0 };
    this.#carried.set(body, carried);
    return carried;
  }

  #take(held: Held, bytes: number): boolean {
    const { account } = held;
    const more = bytes - held.bytes;
    const left = account.part.maxBytes - account.part.bytes - more;
    if (more > 0 && account.bytes + more > left) return false;
    this.#resize(held, bytes);
    return true;
  }

  #grow(held: Held, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(tooLate(signal));
    const queue = held.account.part.waiting;
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
      const timer = setTimeout(giveUp, this.#waitTimeout);
      signal?.addEventListener('abort', giveUp, { once: true });
      queue.add(waiter);
    });
  }

  #resize(held: Held, bytes: number): void {
    if (held.hasEnded) return;
    const more = bytes - held.bytes;
    held.bytes += more;
    held.account.bytes += more;
    held.account.part.bytes += more;
    if (more < 0) this.#settleSoon();
  }

  /** Not at once: what was just read is counted again by who carries it on, before anybody else has its room. */
  #settleSoon(): void {
    if (Object.values(this.#parts).some(({ waiting }) => waiting.size > 0))
      this.#settling ??= setImmediate(() => this.#settle());
  }

  /** Each upstream's in the order they came; one that does not fit keeps no other upstream's waiting. */
  #settle(): void {
    this.#settling = undefined;
    for (const { waiting: queue } of Object.values(this.#parts)) {
      const behind = new Set<Account>();
      for (const waiter of queue) {
        const { account } = waiter.held;
        if (!behind.has(account) && this.#take(waiter.held, waiter.bytes)) waiter.enter();
        else behind.add(account);
      }
    }
  }
}

function createPart(maxBytes: number): Part {
  return { maxBytes, accounts: new Map(), waiting: new Set(), bytes: 0 };
}

/** The one of this process: a reload makes new clients, and requests of the old ones still run. */
export const BODY_ROOM = new BodyRoom();

function tooLate(signal: AbortSignal | undefined): UpstreamError {
  return signal?.aborted === true
    ? new UpstreamError('timeout', 'waiting for room was given up', { cause: signal.reason })
    : new UpstreamError('no_room', CAUSES.noRoomForBodies);
}

/** What is waited for, or the caller's own end. */
async function orAbort(ready: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (ready === undefined || signal === undefined) return await ready;
  let leave = (): void => undefined;
  const gone = new Promise<never>((_resolve, reject) => {
    leave = () => reject(tooLate(signal));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
  });
  await Promise.race([ready, gone]).finally(() => signal.removeEventListener('abort', leave));
}
