/** A feed of changes is a hint: it can make us ask again, never believe. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ChangeWatch, createChangeWatch } from '../../proxy/cache/change-watch.ts';
import type { Change } from '../../proxy/trust-client/changefeed.ts';

let feed: readonly Change[] | undefined | Error;
let polls: number;
let told: string[];
let now: Date;
let watch: ChangeWatch;

beforeEach(() => {
  feed = [];
  polls = 0;
  told = [];
  now = new Date('2026-11-21T10:00:00Z');
  watch = createChangeWatch({
    fetch: async (most) => {
      polls += 1;
      if (feed instanceof Error) throw feed;
      return feed?.slice(-most);
    },
    onChanged: (gun) => told.push(gun),
    onAllChanged: () => told.push('*'),
    now: () => now,
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

test('more than one page of changes counts as everything', async () => {
  feed = changes(1, 10);
  await watch.poll();
  feed = changes(1, 500);
  await watch.poll();
  expect(told).toEqual(['*']);
});

test('a feed that began anew counts as everything', async () => {
  feed = changes(1, 10);
  await watch.poll();
  feed = changes(1, 2);
  await watch.poll();
  expect(told).toEqual(['*']);
});

describe('a server without a feed', () => {
  test('is left alone for a while', async () => {
    feed = undefined;
    for (let i = 0; i < 5; i += 1) await watch.poll();
    expect(polls).toBe(1);
    now = new Date(now.getTime() + 600_000);
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
