/** A deadline holds, whatever the garbage collector does. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { isLate, withDeadline } from '../../proxy/upstream/deadline.ts';

/** Settles when the signal is aborted, with what it says. */
function untilAborted(signal: AbortSignal): Promise<AbortSignal> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal), { once: true }));
}

describe('work with a deadline', () => {
  test('ends when time runs out, also when everything that can be collected is', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const collecting = setInterval(collect, 10);
    const caller = new AbortController();
    const signal = await withDeadline(150, caller.signal, untilAborted);
    clearInterval(collecting);
    expect([signal.aborted, isLate(signal)]).toEqual([true, true]);
  });

  test('ends when its caller goes away, before or after it began, and that is not late', async () => {
    const caller = new AbortController();
    const ended = withDeadline(60_000, caller.signal, untilAborted);
    caller.abort();
    expect(isLate(await ended)).toBe(false);
    const after = await withDeadline(60_000, caller.signal, async (signal) => signal);
    expect([after.aborted, after.reason]).toEqual([true, caller.signal.reason]);
  });

  test('leaves nothing behind on its caller', async () => {
    const caller = new AbortController();
    const signals = await Promise.all(
      Array.from({ length: 3 }, () => withDeadline(60_000, caller.signal, async (signal) => signal)),
    );
    caller.abort();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    await expect(withDeadline(60_000, undefined, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  });
});
