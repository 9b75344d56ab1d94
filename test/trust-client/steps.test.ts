/** Work in turns: what it gives, how often everything else runs meanwhile, and that time ends it (steps.ts). */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { atOnce, inTurns, type Steps } from '../../proxy/trust-client/steps.ts';
import { GUN, refusal } from './kit.ts';

const STEPS = 100;
const STEP_MS = 1;

let time = 0;

beforeEach(() => {
  jest.spyOn(performance, 'now').mockImplementation(() => time);
});

afterEach(() => {
  jest.restoreAllMocks();
});

function* count(to: number, done: number[] = []): Steps<string> {
  for (let step = 1; step <= to; step += 1) {
    done.push(step);
    time += STEP_MS;
    yield;
  }
  return 'counted';
}

/** How often the loop turned while the work was done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let [turns, isOver] = [0, false];
  const again = (): void => {
    turns += 1;
    if (!isOver) setImmediate(again);
  };
  setImmediate(again);
  await work.finally(() => {
    isOver = true;
  });
  return turns;
}

test('the result is the same with pauses and without', async () => {
  expect(atOnce(count(STEPS))).toBe('counted');
  await expect(inTurns(count(STEPS), GUN, undefined)).resolves.toBe('counted');
});

describe('in turns', () => {
  test('everything else runs after every few milliseconds', async () => {
    await expect(turnsOf(inTurns(count(STEPS), GUN, undefined))).resolves.toBeGreaterThanOrEqual(15);
  });

  test('work of a few milliseconds is not held up', async () => {
    const order: string[] = [];
    const work = inTurns(count(3), GUN, undefined).then(() => order.push('work'));
    setImmediate(() => order.push('turn'));
    await work;
    expect(order).toEqual(['work']);
  });

  test('what the work throws, it throws', async () => {
    const fault = new Error('no good');
    const failing = (function* (): Steps<void> {
      yield* count(STEPS);
      throw fault;
    })();
    await expect(inTurns(failing, GUN, undefined)).rejects.toBe(fault);
  });

  test('it ends when time is up, where it is', async () => {
    const deadline = new AbortController();
    const done: number[] = [];
    const work = inTurns(count(STEPS, done), GUN, deadline.signal);
    deadline.abort();
    await refusal(work, 'deadline_exceeded', 'deadline');
    expect(done.length).toBeLessThan(STEPS / 10);
  });
});
