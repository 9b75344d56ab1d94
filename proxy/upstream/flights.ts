/**
 * One piece of work for all who want the same at the same time. Each waits no longer than it may, and the work is given up
 * when nobody waits any more: one caller that leaves takes the answer from no other. Work that hangs is joined for as long as
 * its first caller waits; later ones begin anew, so that it is not kept alive by those it fails.
 */
import { withDeadline } from './deadline.ts';

export type Wait = {
  /** The caller's; absent: it waits for as long as `ms`. */
  readonly signal: AbortSignal | undefined;
  /** How long this caller waits, in milliseconds. */
  readonly ms: number;
};

export interface Flights<Result> {
  /** @param work gets a signal that is aborted when nobody waits; must not reject because of it. */
  join(key: string, wait: Wait, work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

type Flight<Result> = {
  readonly result: Promise<Result>;
  readonly end: AbortController;
  /** Until when it may be joined. */
  readonly until: number;
  waiting: number;
};

export type FlightOptions = {
  /** Told that a caller joined. */
  readonly onShared?: (() => void) | undefined;
  /** Milliseconds since some fixed moment. */
  readonly now?: () => number;
};

/** @param late what a caller gets that waited long enough, or left. */
export function createFlights<Result>(late: Result, options: FlightOptions = {}): Flights<Result> {
  const { onShared, now = () => performance.now() } = options;
  const flights = new Map<string, Flight<Result>>();

  const start = (key: string, ms: number, work: (signal: AbortSignal) => Promise<Result>): Flight<Result> => {
    const end = new AbortController();
    const result = work(end.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight<Result> = { result, end, until: now() + ms, waiting: 0 };
    flights.set(key, flight);
    return flight;
  };

  const leave = (key: string, flight: Flight<Result>): void => {
    flight.waiting -= 1;
    if (flight.waiting > 0) return;
    if (flights.get(key) === flight) flights.delete(key);
    flight.end.abort();
  };

  return {
    async join(key, { signal, ms }, work) {
      const running = flights.get(key);
      const isJoined = running !== undefined && now() < running.until;
      if (isJoined) onShared?.();
      const flight = isJoined ? running : start(key, ms, work);
      flight.waiting += 1;
      try {
        return await withDeadline(ms, signal, (over) => Promise.race([flight.result, onAbort(over, late)]));
      } finally {
        leave(key, flight);
      }
    },
  };
}

function onAbort<Result>(signal: AbortSignal, late: Result): Promise<Result> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(late);
    signal.addEventListener('abort', () => resolve(late), { once: true });
  });
}

/**
 * One promise for all who ask for the same until it settles; it settles for all of them alike, and is then forgotten.
 *
 * Unlike `createFlights` it knows no callers: nobody leaves before the end, and nothing is given up. So it is for work that
 * ends in time by itself, and whose answer is kept for the next one: it is wanted even when nobody waits any more.
 *
 * @param onShared told that a caller joined.
 */
export function sharedByKey<Result>(
  onShared?: () => void,
): (key: string, work: () => Promise<Result>) => Promise<Result> {
  const running = new Map<string, Promise<Result>>();
  return (key, work) => {
    const joined = running.get(key);
    if (joined !== undefined) {
      onShared?.();
      return joined;
    }
    const started = work().finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };
}
