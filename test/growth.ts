/** How work grows with its input, as a ratio: a slow machine is slow with both sizes. */

const ROUNDS = 7;
/** What the smaller one takes at least, repeated: much more than the clock's grain. */
const MEASURABLE_MS = 2;

/**
 * How many times as long the work takes with `to` as with `from`, in time of the processor: on a busy machine the longer
 * one is interrupted more often than the shorter. The two are taken in turns, and the quickest of each counts. 4 for
 * four times as much is linear, 16 is quadratic.
 */
export function growth(work: (size: number) => unknown, from: number, to: number): number {
  const timed = (size: number, times: number): number => {
    const before = process.cpuUsage();
    for (let run = 0; run < times; run += 1) work(size);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  let times = 1;
  while (timed(from, times) < MEASURABLE_MS) times *= 2;
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, size] of [from, to].entries()) best[at] = Math.min(best[at] ?? 0, timed(size, times));
  }
  const [small = 0, large = 0] = best;
  return large / small;
}
