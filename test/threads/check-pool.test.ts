/** Large files are checked elsewhere, with the same result, in time, and in fair turns. */
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createCheckPool } from '../../proxy/threads/check-pool.ts';
import { startCheckThread } from '../../proxy/threads/check-thread.ts';
import { checkFile, type FileCheck } from '../../proxy/trust-client/check-file.ts';
import { parseRootFile } from '../../proxy/trust-client/root-trust.ts';
import { createWorld, digestOf, fileOf, GUN, refusal } from '../trust-client/kit.ts';
import { FakeThread } from './fake-thread.ts';

const BUILT = new URL('../../dist/threads/check-worker.js', import.meta.url);

const world = createWorld();
const small = targetsFile();
for (let tag = 0; tag < 400; tag += 1) world.repository.addTag(`v${tag}`, digestOf('c'), tag);
world.repository.addDelegation('targets/qa');
world.repository.publish();
const large = targetsFile();

function targetsFile(): FileCheck<'targets'> {
  const { metadata } = parseRootFile(fileOf(world, 'root'));
  const bytes = fileOf(world, 'targets');
  return { kind: 'targets', role: 'targets', bytes, keys: metadata.roles.targets, meta: undefined };
}

const pools: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function createPool(threads: readonly FakeThread[], size = 1, monotonic = () => 0) {
  const left = [...threads];
  const startThread = () => {
    const thread = left.shift();
    if (thread === undefined) throw new Error('no thread is left');
    return thread;
  };
  const pool = createCheckPool({ size, startThread, monotonic });
  pools.push(pool);
  return pool;
}

async function jobsOf(thread: FakeThread, count: number): Promise<void> {
  while (thread.jobs.length < count) await nextTurn();
}

test('a small file is checked at once, and starts no thread', async () => {
  const { check } = createPool([]);
  await expect(check(GUN, small, undefined)).resolves.toEqual(checkFile(small));
});

test('a large one is checked elsewhere, with the same result, and its bytes stay where they are', async () => {
  const thread = new FakeThread();
  const before = Buffer.from(large.bytes).toString();
  const checked = await createPool([thread]).check(GUN, large, undefined);
  expect(checked).toEqual(checkFile(large));
  expect(checked.metadata.targets.digestAt(0)).toBe('a'.repeat(64));
  expect(thread.jobs).toHaveLength(1);
  expect(Buffer.from(large.bytes).toString()).toBe(before);
});

test('one with many signatures too, however small it is', async () => {
  const thread = new FakeThread();
  const text = Buffer.from(small.bytes).toString();
  const [signature = ''] = /\{"keyid"[^}]*\}/.exec(text) ?? [];
  const bytes = Buffer.from(text.replace(signature, Array(9).fill(signature).join(',')));
  await createPool([thread]).check(GUN, { ...small, bytes }, undefined);
  expect(thread.jobs).toHaveLength(1);
});

test('a refusal comes back as what it was', async () => {
  const { check } = createPool([new FakeThread()]);
  const keys = { keys: [], threshold: 1 };
  const error = await refusal(check(GUN, { ...large, keys }, undefined), 'metadata_invalid', 'threshold');
  expect(error.role).toBe('targets');
});

describe('a thread that is no use', () => {
  test('one that is at work when time is up is stopped, and the next file has a new one', async () => {
    const [stuck, next] = [new FakeThread(), new FakeThread()];
    stuck.answers = false;
    const { check } = createPool([stuck, next]);
    const time = new AbortController();
    const late = check(GUN, large, time.signal);
    await jobsOf(stuck, 1);
    time.abort();
    await refusal(late, 'deadline_exceeded', 'deadline');
    expect(stuck.terminated).toBe(1);
    await check(GUN, large, undefined);
    expect(next.jobs).toHaveLength(1);
  });

  test('one that runs out of memory refuses the file for its size', async () => {
    const thread = new FakeThread();
    thread.answers = false;
    const checked = createPool([thread, new FakeThread()]).check(GUN, large, undefined);
    await jobsOf(thread, 1);
    thread.emit('error', Object.assign(new Error('out of memory'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }));
    await refusal(checked, 'metadata_invalid', 'size');
  });

  test('one that ends with an error refuses the file', async () => {
    const thread = new FakeThread();
    thread.answers = false;
    const checked = createPool([thread]).check(GUN, large, undefined);
    await jobsOf(thread, 1);
    thread.emit('error', new Error('what nobody foresaw'));
    await refusal(checked, 'metadata_invalid', 'format');
  });

  test('one that ends by itself says nothing about the file', async () => {
    const thread = new FakeThread();
    thread.answers = false;
    const checked = createPool([thread]).check(GUN, large, undefined);
    await jobsOf(thread, 1);
    thread.emit('exit');
    await refusal(checked, 'trust_unreachable', 'unreachable');
  });

  test('one that cannot be started says nothing about the file', async () => {
    await refusal(createPool([]).check(GUN, large, undefined), 'trust_unreachable', 'unreachable');
  });
});

describe('turns', () => {
  test('a file that waits is given up in time', async () => {
    const busy = new FakeThread();
    busy.answers = false;
    const { check } = createPool([busy]);
    check('a/first', large, undefined).catch(() => undefined);
    const time = new AbortController();
    const waiting = check('a/second', large, time.signal);
    await jobsOf(busy, 1);
    time.abort();
    await refusal(waiting, 'deadline_exceeded', 'deadline');
    expect(busy.jobs).toHaveLength(1);
    expect(busy.terminated).toBe(0);
  });

  test('a repository has one file checked at a time, others come between', async () => {
    const threads = [new FakeThread(), new FakeThread()];
    for (const thread of threads) thread.answers = false;
    const { check } = createPool(threads, 2);
    for (const gun of ['a/hostile', 'a/hostile', 'a/other'])
      check(gun, large, undefined).catch(() => undefined);
    await Promise.all(threads.map((thread) => jobsOf(thread, 1)));
    // The second file of the first repository waits although it came before the other repository's.
    for (const thread of threads) thread.answer();
    while (threads.flatMap(({ jobs }) => jobs).length < 3) await nextTurn();
    expect(threads.map(({ jobs }) => jobs.length).sort()).toEqual([1, 2]);
  });

  test('who used least goes first', async () => {
    let time = 0;
    const thread = new FakeThread();
    thread.answers = false;
    const { check } = createPool([thread], 1, () => time);
    const order: string[] = [];
    const ask = (gun: string) => check(gun, large, undefined).then(() => order.push(gun));
    const first = ask('a/hostile');
    await jobsOf(thread, 1);
    time = 5_000;
    const rest = [ask('a/hostile'), ask('a/neighbour')];
    thread.answers = true;
    thread.answer();
    await Promise.all([first, ...rest]);
    expect(order).toEqual(['a/hostile', 'a/neighbour', 'a/hostile']);
  });
});

test('a small file goes before large ones, under however many names they come', async () => {
  const thread = new FakeThread();
  thread.answers = false;
  const { check } = createPool([thread]);
  const order: string[] = [];
  const ask = (gun: string, file: FileCheck<'targets'>) =>
    check(gun, file, undefined).then(() => order.push(gun));
  const longer = Buffer.concat([large.bytes, Buffer.alloc(large.bytes.length, ' ')]);
  const hostile = Array.from({ length: 16 }, (_, at) => ask(`hostile/${at}`, { ...large, bytes: longer }));
  await jobsOf(thread, 1);
  const honest = ask('a/honest', large);
  thread.answers = true;
  thread.answer();
  await Promise.all([honest, ...hostile]);
  expect(order.indexOf('a/honest')).toBe(1);
});

test('closing stops every thread and refuses what waits', async () => {
  const thread = new FakeThread();
  thread.answers = false;
  const pool = createPool([thread]);
  const asked = [pool.check('a/one', large, undefined), pool.check('a/two', large, undefined)];
  await jobsOf(thread, 1);
  const refused = asked.map((work) => refusal(work, 'trust_unreachable', 'unreachable'));
  await pool.close();
  await Promise.all(refused);
  expect(thread.terminated).toBe(1);
  await refusal(pool.check('a/three', small, undefined), 'trust_unreachable');
});

describe('the built thread', () => {
  function createRealPool() {
    if (!existsSync(BUILT)) throw new Error('dist/ is missing: run "npm run build" first');
    const pool = createCheckPool({ size: 1, startThread: startCheckThread });
    pools.push(pool);
    return pool;
  }

  test('gives the same result', async () => {
    const { check } = createRealPool();
    expect(await check(GUN, large, undefined)).toEqual(checkFile(large));
    const keys = { keys: [], threshold: 1 };
    await refusal(check(GUN, { ...large, keys }, undefined), 'metadata_invalid', 'threshold');
  });

  test('is stopped in the middle of its work', async () => {
    const { check } = createRealPool();
    await check(GUN, large, undefined);
    const time = new AbortController();
    const bytes = Buffer.from(`{"signed":[${'[],'.repeat(1_900_000)}[]]}`);
    const late = check(GUN, { ...large, bytes }, time.signal);
    // Its bytes are copied in a few turns, and reading them takes far longer than the next ones.
    for (let turns = 0; turns < 10; turns += 1) await nextTurn();
    time.abort();
    await refusal(late, 'deadline_exceeded', 'deadline');
    await expect(check(GUN, large, undefined)).resolves.toEqual(checkFile(large));
  });
});
