/** Signals to stop or to reload, as a command sees them. */

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What a command needs of `process`. */
export type Signals = {
  readonly version: string;
  on(signal: Signal, listener: () => void): unknown;
  off(signal: Signal, listener: () => void): unknown;
};

/** Records signals from the moment they are caught, for listeners that subscribe later. */
export type CaughtSignals = {
  /** The first signal to stop. */
  readonly stop: Promise<Signal>;
  /** The second signal: stop at once. */
  readonly stopAtOnce: Promise<Signal>;
  /** Calls the listener for every SIGHUP from now on, and now if one came before. */
  onReload(listener: () => void): void;
};

/** Nothing is ever uncaught again: without a listener, even for a moment, a signal ends the process. */
export function catchSignals(signals: Pick<Signals, 'on'>): CaughtSignals {
  const waiting: ((signal: Signal) => void)[] = [];
  const next = () => new Promise<Signal>((resolve) => waiting.push(resolve));
  const [stop, stopAtOnce] = [next(), next()];
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    signals.on(signal, () => waiting.shift()?.(signal));
  }
  let isPending = false;
  let reload = (): void => {
    isPending = true;
  };
  signals.on('SIGHUP', () => reload());
  return {
    stop,
    stopAtOnce,
    onReload: (listener) => {
      reload = listener;
      if (isPending) listener();
    },
  };
}

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
