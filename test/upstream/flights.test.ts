import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createFlights, type Flights, sharedByKey } from '../../proxy/upstream/flights.ts';

type Work = { readonly signal: AbortSignal; answer(result: string): void; fail(error: Error): void };

let time: number;
let shared: number;
let started: Work[];
let flights: Flights<string>;
beforeEach(() => {
  time = 0;
  shared = 0;
  started = [];
  flights = createFlights('late', {
    now: () => time,
    onShared: () => {
      shared += 1;
    },
  });
});

/** As a fetch does it: given up, it ends with a result. */
const work = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => resolve('given up'));
    started.push({ signal, answer: resolve, fail: reject });
  });
const join = (key = 'key', signal?: AbortSignal, ms = 10_000): Promise<string> =>
  flights.join(key, { signal, ms }, work);

test('all who ask at the same time get the answer to one question', async () => {
  const asked = Array.from({ length: 1000 }, () => join());
  expect([started.length, shared]).toEqual([1, 999]);
  started[0]?.answer('yes');
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['yes']));
  const next = join();
  expect(started).toHaveLength(2);
  started[1]?.answer('again');
  expect(await next).toBe('again');
});

test('those who want something else ask themselves', async () => {
  const asked = [join('one'), join('two')];
  started[1]?.answer('two');
  started[0]?.answer('one');
  expect(await Promise.all(asked)).toEqual(['one', 'two']);
});

describe('one that leaves', () => {
  test.each(['the first', 'another'])('and is %s takes the answer from nobody', async (which) => {
    const leaving = new AbortController();
    const [first, second] = which === 'the first' ? [leaving.signal, undefined] : [undefined, leaving.signal];
    const asked = [join('key', first), join('key', second), join()];
    leaving.abort();
    await turn();
    expect(started[0]?.signal.aborted).toBe(false);
    started[0]?.answer('yes');
    expect((await Promise.all(asked)).sort()).toEqual(['late', 'yes', 'yes']);
  });

  test('last ends the work, and the next one begins anew', async () => {
    const leaving = new AbortController();
    const asked = [join('key', leaving.signal), join('key', leaving.signal)];
    leaving.abort();
    expect(await Promise.all(asked)).toEqual(['late', 'late']);
    expect(started[0]?.signal.aborted).toBe(true);
    const next = join();
    started[1]?.answer('yes');
    expect(await next).toBe('yes');
  });

  test('before it asked asks nothing that goes on', async () => {
    expect(await join('key', AbortSignal.abort())).toBe('late');
    expect(started[0]?.signal.aborted).toBe(true);
  });
});

describe('work that hangs', () => {
  test('costs each caller its own time and no more', async () => {
    const [soon, later] = [join('key', undefined, 5), join()];
    expect(await soon).toBe('late');
    started[0]?.answer('yes');
    expect(await later).toBe('yes');
  });

  test('is joined for as long as its first caller waits, and not by those who come afterwards', async () => {
    const first = join();
    time = 9_999;
    const second = join();
    expect(started).toHaveLength(1);
    time = 10_000;
    const third = join();
    expect([started.length, shared]).toEqual([2, 1]);
    const fourth = join();
    expect(started).toHaveLength(2);
    started[1]?.answer('new');
    expect(await Promise.all([third, fourth])).toEqual(['new', 'new']);
    started[0]?.answer('old');
    expect(await Promise.all([first, second])).toEqual(['old', 'old']);
  });

  test('and ends after its successor began leaves that one alone', async () => {
    const first = join();
    time = 10_000;
    const second = join();
    started[0]?.answer('old');
    await first;
    const third = join();
    expect(started).toHaveLength(2);
    started[1]?.answer('new');
    expect(await Promise.all([second, third])).toEqual(['new', 'new']);
  });
});

test('what work throws reaches all who waited, and is not remembered', async () => {
  const asked = [join(), join()];
  started[0]?.fail(new Error('broken'));
  for (const one of asked) await expect(one).rejects.toThrow('broken');
  const next = join();
  started[1]?.answer('yes');
  expect(await next).toBe('yes');
});

test('what work throws after all have left ends nothing', async () => {
  const leaving = new AbortController();
  const asked = join('key', leaving.signal);
  leaving.abort();
  expect(await asked).toBe('late');
  started[0]?.fail(new Error('broken'));
  await turn();
});

test('nobody need be told that a question is shared', async () => {
  const quiet = createFlights('late');
  const asked = [1, 2].map(() => quiet.join('key', { signal: undefined, ms: 10_000 }, work));
  started[0]?.answer('yes');
  expect([await Promise.all(asked), started.length]).toEqual([['yes', 'yes'], 1]);
});

describe('what is shared by key', () => {
  type Pending = { answer(result: string): void; fail(error: Error): void };
  let pending: Pending[];
  beforeEach(() => {
    pending = [];
  });
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      pending.push({ answer: resolve, fail: reject });
    });

  test('is asked once while it is under way, and anew afterwards', async () => {
    const get = sharedByKey<string>(() => {
      shared += 1;
    });
    const asked = [get('key', ask), get('key', ask), get('key', ask)];
    expect([pending.length, shared]).toEqual([1, 2]);
    pending[0]?.answer('yes');
    expect(await Promise.all(asked)).toEqual(['yes', 'yes', 'yes']);
    const next = get('key', ask);
    expect([pending.length, shared]).toEqual([2, 2]);
    pending[1]?.answer('again');
    expect(await next).toBe('again');
  });

  test("is nobody else's who wants something else", async () => {
    const get = sharedByKey<string>();
    const asked = [get('one', ask), get('two', ask)];
    pending[1]?.answer('two');
    pending[0]?.answer('one');
    expect(await Promise.all(asked)).toEqual(['one', 'two']);
  });

  test('fails for all who joined, and is not remembered', async () => {
    const get = sharedByKey<string>();
    const asked = [get('key', ask), get('key', ask)];
    pending[0]?.fail(new Error('broken'));
    for (const one of asked) await expect(one).rejects.toThrow('broken');
    const next = get('key', ask);
    pending[1]?.answer('yes');
    expect(await next).toBe('yes');
  });

  test('leaves nothing behind when it does not even begin', async () => {
    const get = sharedByKey<string>();
    const broken = (): Promise<string> => {
      throw new Error('broken');
    };
    expect(() => get('key', broken)).toThrow('broken');
    const next = get('key', ask);
    pending[0]?.answer('yes');
    expect(await next).toBe('yes');
  });
});
