/** A state that does not answer ends with the update's time, and one that does is asked as it is (memory.ts). */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { inTime } from '../../proxy/trust-client/memory.ts';
import type { LoadedTrust, Replaces, StoredTrust, TrustState } from '../../proxy/trust-client/types.ts';
import { GUN, refusal } from './kit.ts';

const TRUST: StoredTrust = { roots: [], files: new Map(), floors: new Map() };
const REPLACES: Replaces = { stamp: 'before' };
const ADMIT = async () => undefined;

/** A state that remembers what it was asked, and answers with `answer`. */
function stateOf<T>(answer: () => Promise<T>) {
  const asked: unknown[][] = [];
  const ask =
    (name: string) =>
    (...given: unknown[]) => {
      asked.push([name, ...given]);
      return answer();
    };
  const state = { load: ask('load'), stampOf: ask('stampOf'), has: ask('has'), save: ask('save') };
  return { asked, state: state as unknown as TrustState };
}

const QUESTIONS: readonly (readonly [string, (state: TrustState) => Promise<unknown>, unknown[]])[] = [
  ['load', (state) => state.load(GUN, ADMIT), [GUN, ADMIT]],
  ['stampOf', (state) => state.stampOf(GUN), [GUN]],
  ['has', (state) => state.has(GUN), [GUN]],
  ['save', (state) => state.save(GUN, TRUST, REPLACES), [GUN, TRUST, REPLACES]],
];

describe.each(QUESTIONS)('%s', (name, ask, given) => {
  test('is handed on with all that was given, and leaves nothing behind', async () => {
    const { signal } = new AbortController();
    const loaded: LoadedTrust = { ...TRUST, stamp: 'after' };
    const { asked, state } = stateOf(async () => loaded);
    expect(await ask(inTime(state, GUN, signal))).toBe(loaded);
    expect(asked).toEqual([[name, ...given]]);
    // The listener goes in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('fails as the state does', async () => {
    const { state } = stateOf(() => Promise.reject(new Error('disk')));
    await expect(ask(inTime(state, GUN, new AbortController().signal))).rejects.toThrow('disk');
  });

  test('ends when time runs out, also where the state never answers', async () => {
    const deadline = new AbortController();
    const { state } = stateOf(() => new Promise(() => undefined));
    const asking = ask(inTime(state, GUN, deadline.signal));
    deadline.abort();
    const error = await refusal(asking, 'deadline_exceeded', 'deadline');
    expect(error.message).toBe(`the trust state of ${GUN} did not answer in time`);
  });

  test('is not asked when there is no time any more', async () => {
    const { asked, state } = stateOf(async () => undefined);
    await refusal(ask(inTime(state, GUN, AbortSignal.abort())), 'deadline_exceeded', 'deadline');
    expect(asked).toEqual([]);
  });
});
