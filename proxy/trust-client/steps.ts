/**
 * Work that can pause between its steps. Roots are checked where pulls are served, as pins and certificates belong to
 * that thread; a hostile one takes a fifth of a second, and everything else has its turn meanwhile.
 */
import { requireTime } from './deadline.ts';
import { turn } from './turn.ts';

/** Yields after each step that takes up to a millisecond or two. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Between two turns, in milliseconds. An honest root is checked in less. */
const SLICE_MS = 5;

/** Without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** @throws TrustError as the work, and `deadline_exceeded` when time is up before it ends. */
export async function inTurns<T>(steps: Steps<T>, gun: string, signal: AbortSignal | undefined): Promise<T> {
  let since = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - since < SLICE_MS) continue;
    await turn();
    requireTime(gun, signal);
    since = performance.now();
  }
}
