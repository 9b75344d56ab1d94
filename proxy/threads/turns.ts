/**
 * Who is served next: of the repositories that wait, the one for which time used lately and time it will take come to the
 * least, and one file of each at a time. So what costs much waits for itself, also under many names.
 */

/** After this long half of what a repository used is forgotten, in milliseconds. */
const HALF_LIFE_MS = 30_000;
/** Repositories whose use is remembered. */
const MAX_KNOWN = 1_024;

export type Turns<T> = {
  readonly size: number;
  add(task: T): void;
  /** Takes the next one out; its repository is being served until `done`. */
  next(): T | undefined;
  /** @returns false when it is not waiting. */
  remove(task: T): boolean;
  /** @param ms that serving took. */
  done(gun: string, ms: number): void;
};

type Use = { readonly ms: number; readonly at: number };

export function createTurns<T extends { readonly gun: string }>(
  monotonic: () => number,
  /** Milliseconds a task will take, about. */
  estimate: (task: T) => number,
): Turns<T> {
  const waiting: T[] = [];
  const served = new Set<string>();
  const uses = new Map<string, Use>();

  const usedBy = (gun: string): number => {
    const use = uses.get(gun);
    return use === undefined ? 0 : use.ms * 0.5 ** ((monotonic() - use.at) / HALF_LIFE_MS);
  };

  const remove = (task: T): boolean => {
    const at = waiting.indexOf(task);
    if (at >= 0) waiting.splice(at, 1);
    return at >= 0;
  };

  const dueAt = (task: T): number => usedBy(task.gun) + estimate(task);

  return {
    get size() {
      return waiting.length;
    },
    add: (task) => {
      waiting.push(task);
    },
    next: () => {
      let next: T | undefined;
      for (const task of waiting) {
        if (served.has(task.gun)) continue;
        if (next === undefined || dueAt(task) < dueAt(next)) next = task;
      }
      if (next === undefined) return undefined;
      remove(next);
      served.add(next.gun);
      return next;
    },
    remove,
    done: (gun, ms) => {
      served.delete(gun);
      const use = { ms: usedBy(gun) + ms, at: monotonic() };
      // At the end: the first is the one that was served longest ago.
      uses.delete(gun);
      uses.set(gun, use);
      const [oldest] = uses.keys();
      if (uses.size > MAX_KNOWN && oldest !== undefined) uses.delete(oldest);
    },
  };
}
