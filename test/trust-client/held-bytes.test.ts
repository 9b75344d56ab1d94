/** How much all updates hold together: free up to a little, then waiting, and none waits forever (held-bytes.ts). */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createRoom, type Holding, type Room } from '../../proxy/trust-client/held-bytes.ts';
import { refusal } from './kit.ts';

const LIMITS = { freeBytes: 10, sharedBytes: 100, firstBytes: 40 };

let room: Room;
let signal: AbortSignal;
beforeEach(() => {
  room = createRoom(LIMITS);
  signal = new AbortController().signal;
});

/** Whether each of them is let in by now. */
async function letIn(...attempts: readonly Promise<void>[]): Promise<readonly boolean[]> {
  const turn = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return await Promise.all(attempts.map((attempt) => Promise.race([attempt.then(() => true), turn])));
}

/** The first of them all, with all that others may take taken. */
async function filled(): Promise<readonly [Holding, Holding]> {
  const [first, other] = [room.enter(), room.enter()];
  await first.take(11, signal);
  await other.take(10 + 59, signal);
  expect(room.size()).toEqual({ shared: 60, waiting: 0 });
  return [first, other];
}

describe('what is free to each', () => {
  test('is never waited for and never counted', async () => {
    await filled();
    const small = Array.from({ length: 100 }, () => room.enter().take(10, signal));
    expect(await letIn(...small)).toEqual(small.map(() => true));
    expect(room.size()).toEqual({ shared: 60, waiting: 0 });
  });

  test('is what one update holds in all: a file more waits', async () => {
    await filled();
    const holding = room.enter();
    await holding.take(6, signal);
    expect(await letIn(holding.take(5, signal))).toEqual([false]);
  });
});

describe('above it', () => {
  test('an update waits until others end, and then goes on', async () => {
    const [, other] = await filled();
    const attempt = room.enter().take(20, signal);
    expect(await letIn(attempt)).toEqual([false]);
    other.leave();
    expect(await letIn(attempt)).toEqual([true]);
    expect(room.size()).toEqual({ shared: 11, waiting: 0 });
  });

  test('what was not needed lets the next in', async () => {
    const [, other] = await filled();
    const attempt = room.enter().take(20, signal);
    other.giveBack(10);
    expect(await letIn(attempt)).toEqual([true]);
  });

  test('one that is too large for what is left does not hold up those behind it', async () => {
    const [, other] = await filled();
    const [large, small] = [room.enter().take(60, signal), room.enter().take(15, signal)];
    other.giveBack(5);
    expect(await letIn(large, small)).toEqual([false, true]);
  });

  test('no two wait for each other: the one that asked first is let through, into what is kept for it', async () => {
    const [first, other] = await filled();
    const both = [other.take(20, signal), first.take(39, signal)];
    expect(await letIn(...both)).toEqual([false, true]);
    expect(room.size()).toEqual({ shared: LIMITS.sharedBytes - 1, waiting: 1 });
    first.leave();
    expect(await letIn(...both)).toEqual([true, true]);
  });

  test('each that waits is the first one day, however many come after it', async () => {
    const [first, other] = await filled();
    const attempt = room.enter().take(70, signal);
    for (const ended of [first, other]) {
      expect(await letIn(attempt)).toEqual([false]);
      void room.enter().take(12, signal);
      ended.leave();
    }
    expect(await letIn(attempt)).toEqual([true]);
  });
});

describe('the one that asked first', () => {
  test('gives its place up with what it gives back, and the next one has it', async () => {
    const [first, other] = await filled();
    first.giveBack(1);
    expect(await letIn(other.take(40, signal))).toEqual([true]);
    expect(room.size()).toEqual({ shared: 99, waiting: 0 });
  });

  test('keeps its place while it holds one byte more than is free', async () => {
    const [first, other] = await filled();
    await first.take(1, signal);
    first.giveBack(1);
    expect(await letIn(other.take(1, signal))).toEqual([false]);
  });

  test('keeps its place while it waits, whatever it gives back', async () => {
    const [first, other] = await filled();
    const [early, late] = [room.enter(), room.enter()];
    await early.take(5, signal);
    const both = [early.take(90, signal), late.take(90, signal)];
    early.giveBack(5);
    first.leave();
    other.leave();
    expect(await letIn(...both)).toEqual([true, false]);
  });

  test('gives back no more than it holds', async () => {
    const holding = room.enter();
    await holding.take(20, signal);
    holding.giveBack(30);
    await holding.take(10, signal);
    expect(room.size()).toEqual({ shared: 0, waiting: 0 });
  });
});

describe('one that holds no more than is free', () => {
  test('does not stand before those that ask for more', async () => {
    const small = room.enter();
    await small.take(10, signal);
    const [first, other] = [room.enter(), room.enter()];
    await other.take(10 + 59, signal);
    await other.giveBack(59);
    await first.take(10, signal);
    expect(await letIn(first.take(100, signal))).toEqual([true]);
  });

  test('takes nothing and is let in, also when all is taken', async () => {
    const [first] = await filled();
    await first.take(39, signal);
    const small = room.enter();
    expect(await letIn(small.take(10, signal), small.take(0, signal))).toEqual([true, true]);
  });

  test('again, leaves its place to one that waits', async () => {
    const [first, other] = await filled();
    const attempt = room.enter().take(99, signal);
    other.leave();
    expect(await letIn(attempt)).toEqual([false]);
    first.giveBack(1);
    expect(await letIn(attempt)).toEqual([true]);
  });
});

test('what an update asks for more counts, not what it holds already', async () => {
  const [, other] = await filled();
  other.giveBack(10);
  expect(await letIn(other.take(10, signal))).toEqual([true]);
  expect(room.size()).toEqual({ shared: 60, waiting: 0 });
});

describe('the time of an update', () => {
  test('may have no end', async () => {
    const [, other] = await filled();
    const attempt = room.enter().take(20, undefined);
    expect(await letIn(attempt)).toEqual([false]);
    other.leave();
    expect(await letIn(attempt)).toEqual([true]);
  });

  test('is named as what ended it', async () => {
    await filled();
    const why = new Error('time is up');
    const error = await refusal(
      room.enter().take(30, AbortSignal.abort(why)),
      'deadline_exceeded',
      'deadline',
    );
    expect(error.cause).toBe(why);
  });

  test('ends its waiting, and it stands in nobody’s way any more', async () => {
    await filled();
    const deadline = new AbortController();
    const attempt = room.enter().take(30, deadline.signal);
    deadline.abort();
    await refusal(attempt, 'deadline_exceeded', 'deadline');
    expect(room.size()).toEqual({ shared: 60, waiting: 0 });
  });

  test('that has passed already takes nothing', async () => {
    await refusal(room.enter().take(30, AbortSignal.abort()), 'deadline_exceeded', 'deadline');
    expect(room.size()).toEqual({ shared: 0, waiting: 0 });
  });
});
