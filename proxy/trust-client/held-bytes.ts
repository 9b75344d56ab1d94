/**
 * How much metadata all updates of this process hold at once, in bytes. One update may need 64 MiB, and many run beside
 * each other, so without a common bound a publisher of many large repositories decides how much memory the proxy takes.
 *
 * What is free to each update is never waited for: a repository of usual size does not notice the others. Above that,
 * an update waits until others have ended. The one that asked first is let through in any case, from a part that is kept
 * for it: so no two wait for each other, and whatever waits is the first one day. Waiting costs an update of its own
 * time only, which is bounded.
 */
import { TrustError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { TrustSource, TrustState } from './types.ts';

/** What one update holds. */
export type Holding = {
  /**
   * Waits until there is room for so many bytes more.
   *
   * @throws TrustError `deadline_exceeded` when the signal is aborted before.
   */
  take(bytes: number, signal: AbortSignal | undefined): Promise<void>;
  /** Of what was taken, so many bytes turned out not to be needed. */
  giveBack(bytes: number): void;
  /** The update ended and holds nothing any more. */
  leave(): void;
};

export type Room = {
  enter(): Holding;
  /** Bytes held above what is free to each. */
  size(): { readonly shared: number; readonly waiting: number };
};

export type RoomLimits = {
  readonly freeBytes: number;
  readonly sharedBytes: number;
  /** The part of `sharedBytes` that is kept for the update that asked first. */
  readonly firstBytes: number;
};

/** An update may ask for everything a second time, after it met a newer root. */
const ROOM_LIMITS: RoomLimits = { ...LIMITS, firstBytes: 2 * LIMITS.updateBytes };

type Held = { bytes: number };
type Waiting = { readonly held: Held; readonly bytes: number; readonly enter: () => void };

export function createRoom(limits: RoomLimits = ROOM_LIMITS): Room {
  const memory = new SharedMemory(limits);
  return {
    enter: () => {
      const held: Held = { bytes: 0 };
      return {
        take: (bytes, signal) => memory.take(held, bytes, signal),
        giveBack: (bytes) => memory.giveBack(held, bytes),
        leave: () => memory.leave(held),
      };
    },
    size: () => memory.size(),
  };
}

class SharedMemory {
  readonly #limits: RoomLimits;
  /** Those that hold or want more than is free, the one that asked first in front. */
  readonly #large = new Set<Held>();
  readonly #waiting = new Set<Waiting>();
  #shared = 0;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  async take(held: Held, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw tooLate(signal);
    if (this.#aboveFree(held.bytes + bytes) > 0) this.#large.add(held);
    if (this.#fits(held, bytes)) this.#resize(held, held.bytes + bytes);
    else await this.#wait(held, bytes, signal);
  }

  giveBack(held: Held, bytes: number): void {
    this.#resize(held, Math.max(0, held.bytes - bytes));
    const isWaiting = [...this.#waiting].some((item) => item.held === held);
    if (this.#aboveFree(held.bytes) === 0 && !isWaiting) this.#large.delete(held);
    this.#letIn();
  }

  leave(held: Held): void {
    this.#resize(held, 0);
    this.#large.delete(held);
    this.#letIn();
  }

  size(): ReturnType<Room['size']> {
    return { shared: this.#shared, waiting: this.#waiting.size };
  }

  #aboveFree(bytes: number): number {
    return Math.max(0, bytes - this.#limits.freeBytes);
  }

  #resize(held: Held, bytes: number): void {
    this.#shared += this.#aboveFree(bytes) - this.#aboveFree(held.bytes);
    held.bytes = bytes;
  }

  #isFirst(held: Held): boolean {
    return this.#large.values().next().value === held;
  }

  #fits(held: Held, bytes: number): boolean {
    const { sharedBytes, firstBytes } = this.#limits;
    const more = this.#aboveFree(held.bytes + bytes) - this.#aboveFree(held.bytes);
    return more === 0 || this.#isFirst(held) || this.#shared + more <= sharedBytes - firstBytes;
  }

  #wait(held: Held, bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.delete(item);
        reject(tooLate(signal));
      };
      const enter = (): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const item: Waiting = { held, bytes, enter };
      this.#waiting.add(item);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** In the order they came, but one that is too large for what is left does not hold up the next. */
  #letIn(): void {
    for (const item of this.#waiting) {
      if (!this.#fits(item.held, item.bytes)) continue;
      this.#waiting.delete(item);
      this.#resize(item.held, item.held.bytes + item.bytes);
      item.enter();
    }
  }
}

function tooLate(signal: AbortSignal | undefined): TrustError {
  return new TrustError(
    'deadline_exceeded',
    'deadline',
    'other updates held all the memory that trust metadata may take, and none became free in time',
    { cause: signal?.reason },
  );
}

/** The one of this process: a reload makes new parts, and the updates of the old ones still run. */
export const ROOM = createRoom();

/** The source, with room taken for each file before it is asked for and kept, as the file is, until the update ends. */
export function heldSource(source: TrustSource, holding: Holding): TrustSource {
  return {
    fetch: async (gun, file, limits) => {
      await holding.take(limits.maxBytes, limits.signal);
      let length = 0;
      try {
        const bytes = await source.fetch(gun, file, limits);
        length = bytes?.length ?? 0;
        return bytes;
      } finally {
        holding.giveBack(limits.maxBytes - length);
      }
    },
  };
}

/** The state, with room taken for what it reads: an entry when it is loaded, and once more when it is replaced. */
export function heldState(state: TrustState, holding: Holding, signal: AbortSignal | undefined): TrustState {
  let entryBytes = 0;
  return {
    load: (gun) =>
      state.load(gun, async (bytes) => {
        await holding.take(bytes, signal);
        entryBytes = bytes;
      }),
    has: (gun) => state.has(gun),
    stampOf: (gun) => state.stampOf(gun),
    save: async (gun, trust, replaces) => {
      const again = entryBytes;
      await holding.take(again, signal);
      return await state.save(gun, trust, replaces).finally(() => holding.giveBack(again));
    },
  };
}
