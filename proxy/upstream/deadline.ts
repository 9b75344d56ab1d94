/**
 * Work that ends when its caller goes away or time runs out, whichever comes first.
 *
 * Not `AbortSignal.any([signal, AbortSignal.timeout(ms)])`: Node 20 lets the garbage collector take a timeout that only
 * such a signal waits for, and with it the deadline.
 */
import { setMaxListeners } from 'node:events';

/** Has something done after so many milliseconds. @returns what calls it off. */
export type After = (ms: number, then: () => void) => () => void;

export const after: After = (ms, then) => {
  const timer = setTimeout(then, ms);
  return () => clearTimeout(timer);
};

/** @param ms for the work in all. @param signal the caller's. @param wait who tells that time is up. */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  wait: After = after,
): Promise<T> {
  const controller = new AbortController();
  const callOff = wait(ms, () => controller.abort(new DOMException('out of time', TIMEOUT)));
  try {
    return await followedBy(controller, signal, work);
  } finally {
    callOff();
  }
}

/** Listeners on one signal, above which Node warns of a leak: its own ten are too few for requests beside each other. */
const MAX_LISTENERS = 64;

/** Lets many requests end by one signal. Cheaper than a signal of its own for each: most of them are over in no time. */
export function shareSignal(signal: AbortSignal): void {
  setMaxListeners(MAX_LISTENERS, signal);
}

/** Lets the controller follow the signal for as long as the work takes, and no longer. */
async function followedBy<T>(
  controller: AbortController,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const leave = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted === true) leave();
  try {
    return await work(controller.signal);
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

/** True when time ran out, and not because the caller went away. */
export function isLate({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException && reason.name === TIMEOUT;
}

const TIMEOUT = 'TimeoutError';
