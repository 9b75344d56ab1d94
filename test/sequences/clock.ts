/** The time of a sequence: it passes when a step says so, and never because the machine is slow. */
import type { After } from '../../proxy/upstream/deadline.ts';
import { START } from './keys.ts';

type Timer = { readonly at: number; readonly then: () => void };

export class Clock {
  /** In milliseconds since the epoch; it may be set back. */
  #wall = START.getTime();
  /** In milliseconds since the sequence began. */
  #passed = 0;
  readonly #timers = new Set<Timer>();

  readonly now = (): Date => new Date(this.#wall);

  readonly monotonic = (): number => this.#passed;

  readonly after: After = (ms, then) => {
    const timer = { at: this.#passed + ms, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** What is waited for comes no sooner for it. */
  set(ms: number): void {
    this.#wall += ms;
  }

  /** @param quiet waits until nothing moves; whoever waited for a time that comes now goes on at just that time. */
  async pass(ms: number, quiet: () => Promise<void>): Promise<void> {
    const end = this.#passed + ms;
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.#advance(next.at);
      this.fireDue();
      await quiet();
    }
    this.#advance(end);
  }

  /** @returns false when nobody waited for a time that has come. */
  fireDue(): boolean {
    const due = [...this.#timers].filter(({ at }) => at <= this.#passed);
    for (const timer of due) {
      this.#timers.delete(timer);
      timer.then();
    }
    return due.length > 0;
  }

  #next(): Timer | undefined {
    return [...this.#timers].sort((a, b) => a.at - b.at)[0];
  }

  #advance(to: number): void {
    this.#wall += Math.max(0, to - this.#passed);
    this.#passed = Math.max(to, this.#passed);
  }
}
