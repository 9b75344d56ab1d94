/**
 * One piece of work for all who want the same at the same time. Each waits no longer than it may, and the work is given up
 * when nobody waits any more: one caller that leaves takes the answer from no other.
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

type Flight<Result> = { readonly result: Promise<Result>; readonly end: AbortController; waiting: number };

/** @param late what a caller gets that waited long enough, or left. */
export function createFlights<Result>(late: Result, onShared?: () => void): Flights<Result> {
  const flights = new Map<string, Flight<Result>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<Result>): Flight<Result> => {
    const end = new AbortController();
    const result = work(end.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight<Result> = { result, end, waiting: 0 };
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
      if (running !== undefined) onShared?.();
      const flight = running ?? start(key, work);
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
