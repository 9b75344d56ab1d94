/** One client's made-up names never stand before another client's repository. */
import { afterEach, expect, test } from '@jest/globals';
import { type ColdLimits, createColdQueue } from '../../proxy/cache/cold-queue.ts';

/** Of the places to run, one server gets half. */
const LIMITS: ColdLimits = { running: 8, runningPerClient: 2, waiting: 20, waitingPerClient: 15 };

const toFinish: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const finish of toFinish.splice(0)) await finish();
});

function start(limits = LIMITS) {
  const queue = createColdQueue<string>(limits);
  const started: string[] = [];
  const release = new Map<string, () => void>();
  const known = new Set<string>();
  const ask = (client: string, key: string, maxWaitMs = 60_000, server = 'server') =>
    queue
      .ask(
        { client, server },
        key,
        () => {
          started.push(key);
          return new Promise((resolve) => release.set(key, () => resolve(key)));
        },
        { isKnown: async () => known.has(key), maxWaitMs },
      )
      .catch((error: { code?: string }) => `refused ${error.code}`);
  const finish = async (key: string) => {
    release.get(key)?.();
    await turns();
  };
  // What still waits would keep its timer.
  toFinish.push(async () => {
    for (let at = 0; at < started.length; at += 1) await finish(started[at] ?? '');
  });
  return { queue, started, ask, finish, known };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setImmediate(done));
}

test('a client that asks for many leaves room for another, whose turn is next', async () => {
  const { started, ask, finish } = start();
  for (let at = 0; at < 10; at += 1) void ask('greedy', `g${at}`);
  void ask('other', 'o');
  await turns();
  expect(started).toEqual(['g0', 'g1', 'o']);
  await finish('g0');
  expect(started).toEqual(['g0', 'g1', 'o', 'g2']);
});

test('clients take turns', async () => {
  const { started, ask, finish } = start({ ...LIMITS, running: 2, runningPerClient: 1 });
  for (const key of ['a0', 'a1', 'a2', 'b0', 'b1']) void ask(key.slice(0, 1), key);
  for (let at = 0; at < 5; at += 1) await finish(started.at(-1) ?? '');
  expect(started).toEqual(['a0', 'a1', 'b0', 'a2', 'b1']);
});

test('what was verified before goes before names never seen', async () => {
  const { started, ask, finish, known } = start({ ...LIMITS, running: 2, runningPerClient: 1 });
  known.add('stored');
  for (const key of ['a0', 'a1', 'a2', 'a3', 'stored']) void ask('a', key);
  await turns();
  await finish('a0');
  expect(started).toEqual(['a0', 'stored']);
});

test('a full line is refused to its own client alone', async () => {
  const { queue, ask } = start();
  const answers = Array.from({ length: 30 }, (_, at) => ask('greedy', `g${at}`));
  expect(await answers.at(-1)).toBe('refused trust_unreachable');
  const others = Array.from({ length: 8 }, (_, at) => ask(`other${at}`, `o${at}`));
  await turns();
  expect(queue.size()).toEqual({ running: 4, waiting: 20 });
  // The last place of the greedy one went to them.
  expect(await answers[16]).toBe('refused trust_unreachable');
  await expect(Promise.race([...others, Promise.resolve('all wait')])).resolves.toBe('all wait');
});

test('another client that asks for the same does not wait in the line of the first', async () => {
  const { started, ask, finish } = start({ ...LIMITS, running: 2, runningPerClient: 1 });
  for (let at = 0; at < 10; at += 1) void ask('greedy', `g${at}`);
  const answer = ask('other', 'g9');
  await finish('g0');
  await finish(started.at(-1) ?? '');
  await finish(started.at(-1) ?? '');
  expect(started.slice(0, 3)).toContain('g9');
  expect(await answer).toBe('g9');
});

test('who asks for what stands last in a full line of another takes that place, and is not refused with it', async () => {
  const { queue, started, ask, finish } = start();
  // Two of each run; 15 and 5 wait, which is all there is room for.
  for (let at = 0; at < 17; at += 1) void ask('greedy', `g${at}`);
  for (let at = 0; at < 7; at += 1) void ask('other', `o${at}`);
  const answer = ask('third', 'g16');
  await turns();
  expect(queue.size().waiting).toBe(20);
  for (const key of ['g0', 'o0', 'g1']) await finish(key);
  expect(started).toContain('g16');
  await finish('g16');
  expect(await answer).toBe('g16');
});

test('a turn that does not come is said in time, and a failure frees the place', async () => {
  const { ask, queue } = start({ ...LIMITS, running: 2, runningPerClient: 1 });
  void ask('a', 'first', 1);
  expect(await ask('b', 'second', 1)).toBe('refused deadline_exceeded');
  const failing = createColdQueue<string>({ ...LIMITS, running: 2 });
  const options = { isKnown: async () => false, maxWaitMs: 60_000 };
  await expect(
    failing.ask({ client: 'a', server: 's' }, 'x', () => Promise.reject(new Error('x')), options),
  ).rejects.toThrow('x');
  expect(await failing.ask({ client: 'a', server: 's' }, 'x', async () => 'y', options)).toBe('y');
  expect(failing.size()).toEqual({ running: 0, waiting: 0 });
  expect(queue.size().running).toBe(1);
});

test('a server that hangs leaves places to run, for the same client too', async () => {
  const { queue, started, ask } = start();
  const hang = (server: string) => {
    for (const client of ['a', 'b', 'c', 'd'])
      for (let at = 0; at < 5; at += 1) void ask(client, `${server}-${client}${at}`, 60_000, server);
  };
  hang('one');
  await turns();
  expect(queue.size().running).toBe(4);
  hang('two');
  await turns();
  expect(queue.size().running).toBe(6);
  void ask('a', 'first', 60_000, 'three');
  await turns();
  expect(started.at(-1)).toBe('first');
});
