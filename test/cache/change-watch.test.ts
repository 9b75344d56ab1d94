/** A feed of changes is a hint: it can make us ask again, never believe. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ChangeWatch, createChangeWatch } from '../../proxy/cache/change-watch.ts';
import type { Change } from '../../proxy/trust-client/changefeed.ts';

let feed: readonly Change[] | undefined | Error;
let polls: number;
let told: string[];
let now: number;
let watch: ChangeWatch;

beforeEach(() => {
  feed = [];
  polls = 0;
  told = [];
  now = 0;
  watch = createChangeWatch({
    fetch: async (most, before) => {
      polls += 1;
      if (feed instanceof Error) throw feed;
      return feed?.filter(({ id }) => before === undefined || id < before).slice(-most);
    },
    onChanged: (gun) => told.push(gun),
    monotonic: () => now,
  });
});

function changes(from: number, to: number): readonly Change[] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({
    id: from + at,
    gun: `registry.test/r${from + at}`,
  }));
}

test('what changed before the first look is not news', async () => {
  feed = changes(1, 5);
  await watch.poll();
  expect(told).toEqual([]);
});

test('each repository that changed since the last look is told once', async () => {
  feed = changes(1, 2);
  await watch.poll();
  feed = [...changes(1, 4), { id: 5, gun: 'registry.test/r4' }];
  await watch.poll();
  await watch.poll();
  expect(told).toEqual(['registry.test/r3', 'registry.test/r4']);
});

test('the first change of an empty feed is news', async () => {
  await watch.poll();
  feed = changes(1, 1);
  await watch.poll();
  expect(told).toEqual(['registry.test/r1']);
});

test('more than one page of changes is gone back for, and told one by one', async () => {
  feed = changes(1, 10);
  await watch.poll();
  feed = changes(1, 310);
  await watch.poll();
  expect(told).toHaveLength(300);
  expect(new Set(told).size).toBe(300);
  expect(polls).toBe(1 + 4);
});

test('a feed without an end costs a few pages a poll', async () => {
  feed = changes(1, 10);
  await watch.poll();
  feed = changes(1, 5_000);
  polls = 0;
  await watch.poll();
  expect(polls).toBe(5);
});

test('a feed that began anew is followed', async () => {
  feed = changes(1, 10);
  await watch.poll();
  feed = [{ id: 1, gun: 'registry.test/anew' }];
  await watch.poll();
  await watch.poll();
  expect(told).toEqual(['registry.test/anew']);
});

test('replicas of which one lags tell nothing twice', async () => {
  for (let poll = 0; poll < 20; poll += 1) {
    feed = changes(1, poll % 2 === 0 ? 500 : 498);
    await watch.poll();
  }
  // What lies before the first look of the other one.
  expect(told.length).toBeLessThanOrEqual(2);
  told.length = 0;
  feed = changes(1, 501);
  await watch.poll();
  expect(told).toEqual(['registry.test/r501']);
});

test('the same page again asks for no more pages', async () => {
  feed = changes(1, 5_000);
  await watch.poll();
  polls = 0;
  for (let poll = 0; poll < 10; poll += 1) await watch.poll();
  expect(polls).toBe(10);
  expect(told).toEqual([]);
});

test('outages are asked again soon, then less and less often, but within a minute', async () => {
  feed = new Error('503');
  await watch.poll();
  await watch.poll();
  expect(polls).toBe(2);
  for (; now < 600_000; now += 2_000) await watch.poll();
  expect(polls).toBeGreaterThanOrEqual(10);
  expect(polls).toBeLessThanOrEqual(16);
  feed = changes(1, 1);
  now += 60_000;
  await watch.poll();
  feed = changes(1, 2);
  await watch.poll();
  expect(told).toEqual(['registry.test/r2']);
});

describe('a server without a feed', () => {
  test('is left alone for a while', async () => {
    feed = undefined;
    for (let i = 0; i < 5; i += 1) await watch.poll();
    expect(polls).toBe(1);
    now += 600_000;
    await watch.poll();
    expect(polls).toBe(2);
  });

  test('is not one that cannot be reached for a moment', async () => {
    feed = new Error('connection refused');
    await watch.poll();
    feed = changes(1, 1);
    await watch.poll();
    feed = changes(1, 2);
    await watch.poll();
    expect(told).toEqual(['registry.test/r2']);
  });
});
