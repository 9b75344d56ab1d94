/**
 * Work that can pause between its steps. Roots are checked where pulls are served, as pins and certificates belong to
 * that thread; a hostile one takes a fifth of a second, and everything else has its turn meanwhile.
 */
import { requireTime } from './deadline.ts';

/** Yields after each step that takes up to a millisecond or two. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Steps between two turns. */
const AT_ONCE = 8;

/** Without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** @throws TrustError as the work, and `deadline_exceeded` when time is up before it ends. */
export async function inTurns<T>(steps: Steps<T>, gun: string, signal: AbortSignal | undefined): Promise<T> {
  for (let count = 1; ; count += 1) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (count % AT_ONCE > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    requireTime(gun, signal);
  }
}
