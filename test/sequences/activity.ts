/** What moves by itself at the moment. */
import { piecesWaiting } from '../../proxy/trust-client/turn.ts';

/** Turns of the loop in which nothing happens, until nothing is expected to. */
const STILL_TURNS = 3;

export class Activity {
  #running = 0;
  #ended: () => void = () => undefined;

  /** Work that ends without anybody's help. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#ended();
    }
  }

  /** Until nothing moves any more without help. */
  async over(): Promise<void> {
    for (let still = 0; still < STILL_TURNS; still += 1) {
      if (this.#running > 0) await this.#noneRunning();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#running + piecesWaiting() > 0) still = -1;
    }
  }

  #noneRunning(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = resolve;
    });
  }
}
