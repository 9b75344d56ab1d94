/** Signals to stop or to reload, as a command sees them. */

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What a command needs of `process`. */
export type Signals = {
  readonly version: string;
  on(signal: Signal, listener: () => void): unknown;
  off(signal: Signal, listener: () => void): unknown;
};

/** Resolves with the first signal to stop. */
export function untilStopped(signals: Signals): Promise<Signal> {
  return new Promise((resolve) => {
    const listeners = (['SIGINT', 'SIGTERM'] as const).map(
      (signal) => [signal, () => finish(signal)] as const,
    );
    const finish = (signal: Signal): void => {
      for (const [name, listener] of listeners) signals.off(name, listener);
      resolve(signal);
    };
    for (const [name, listener] of listeners) signals.on(name, listener);
  });
}
