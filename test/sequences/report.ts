/** What happened in one sequence, and what of it must never happen. */
import type { Process } from './steps.ts';

/** `less`: I1, `refused`: I2, `current`: I3 of model.ts; `broken`: an error that is no TrustError. */
export type Kind = 'less' | 'refused' | 'current' | 'broken';

export const ALL_KINDS: readonly Kind[] = ['less', 'refused', 'current', 'broken'];

export class Report {
  /** The first one. */
  violation: string | undefined;
  readonly #judged: readonly Kind[];
  /** Written out only for a sequence that fails. */
  readonly #lines: (() => string)[] = [];

  constructor(judged: readonly Kind[]) {
    this.#judged = judged;
  }

  note(line: () => string): void {
    this.#lines.push(line);
  }

  violate(kind: Kind, by: Process, what: string): void {
    if (!this.#judged.includes(kind)) return;
    this.violation ??= `${by} ${what}`;
    this.note(() => `   ✗ ${by} ${what}`);
  }

  get trace(): readonly string[] {
    return this.#lines.map((line) => line());
  }
}
