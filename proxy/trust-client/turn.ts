/**
 * Turns of the loop that serves pulls. One piece of work goes on after each of them, whichever repository it is for: so
 * what waits for the loop waits for one piece, also while many repositories that cost much are verified.
 */
const waiting: (() => void)[] = [];

/** Until everything else had its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(next);
  });
}

/** Pieces of work that wait for a turn. */
export function piecesWaiting(): number {
  return waiting.length;
}

function next(): void {
  waiting.shift()?.();
  // From here it runs in the next turn, after what the network brought meanwhile.
  if (waiting.length > 0) setImmediate(next);
}
