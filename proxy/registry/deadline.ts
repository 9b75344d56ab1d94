/**
 * Work that ends when its caller goes away or time runs out, whichever comes first.
 *
 * Not `AbortSignal.any([signal, AbortSignal.timeout(ms)])`: Node 20 lets the garbage collector take a timeout that only
 * such a signal waits for, and with it the deadline.
 */

/** @param ms for the work in all. @param signal the caller's. */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new DOMException('out of time', TIMEOUT)), ms);
  try {
    if (signal === undefined) return await work(deadline.signal);
    return await withOwnSignal(signal, (own) => {
      const leave = (): void => deadline.abort(own.reason);
      own.addEventListener('abort', leave, { once: true });
      if (own.aborted) leave();
      return work(deadline.signal);
    });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Work under a signal of its own that follows another one: many requests would put more listeners on one signal than
 * Node allows without a warning.
 */
export async function withOwnSignal<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const leave = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await work(controller.signal);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** True when time ran out, and not because the caller went away. */
export function isLate({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException && reason.name === TIMEOUT;
}

const TIMEOUT = 'TimeoutError';
