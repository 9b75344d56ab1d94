/** Durations as people write them: a whole number and one unit. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** `500ms`, `60s`, `5m`, `12h`, `7d`. */
export const DURATION = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$/;

/** @returns milliseconds, or undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  const factor = UNITS.get(unit ?? '');
  return factor === undefined ? undefined : Number(amount) * factor;
}
