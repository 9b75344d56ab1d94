import type { DifferenceName } from './known-differences.ts';

/** Everything that was compared, and how it came out. */
export class Findings {
  /** Tags in all answers that were held against ours. */
  targets = 0;
  readonly explained = new Map<DifferenceName, number>();
  readonly unexplained: string[] = [];

  explain(name: DifferenceName): void {
    this.explained.set(name, (this.explained.get(name) ?? 0) + 1);
  }

  /** Counts a difference under its name, or reports it where none fits. */
  settle(name: DifferenceName | undefined, what: string): void {
    if (name === undefined) this.unexplained.push(what);
    else this.explain(name);
  }

  get explainedInAll(): number {
    return [...this.explained.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Of the known differences that were met, sorted. */
  get names(): readonly DifferenceName[] {
    return [...this.explained.keys()].sort();
  }

  /** The line that the test prints. */
  summary(repositories: number): string {
    const names = this.names.map((name) => `${name}×${this.explained.get(name)}`);
    return (
      `agreement: ${repositories} repositories, ${this.targets} targets compared, ` +
      `${this.unexplained.length} unexplained differences ` +
      `(${this.explainedInAll} explained: ${names.join(', ')})`
    );
  }
}
