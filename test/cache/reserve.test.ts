import { beforeEach, describe, expect, test } from '@jest/globals';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';
import { createReserve, RESERVE_MS, type Reserve } from '../../proxy/cache/reserve.ts';

type Held = { readonly bytes: Uint8Array };
const held = (size: number): Held => ({ bytes: new Uint8Array(size) });

let time: number;
let reserve: Reserve<Held>;
beforeEach(() => {
  time = 0;
  reserve = createReserve<Held>({ maxBytes: 1000, overheadBytes: 10, now: () => time });
});

test('what is held is there for a minute from the last time on, and then its bytes are free', () => {
  const one = held(100);
  reserve.hold('one', one, 'alice');
  time = 30_000;
  reserve.hold('one', one, 'alice');
  expect(reserve.size()).toEqual({ entries: 1, bytes: 110 });
  time = 30_000 + RESERVE_MS - 1;
  expect(reserve.get('one')).toBe(one);
  time += 1;
  expect(reserve.get('one')).toBeUndefined();
  expect(reserve.size()).toEqual({ entries: 0, bytes: 0 });
});

test('what is longer than all there is room for is not held, and pushes nothing out', () => {
  reserve.hold('one', held(100), 'alice');
  reserve.hold('long', held(991), 'bob');
  expect([reserve.get('long'), reserve.get('one') !== undefined]).toEqual([undefined, true]);
});

test('who holds the most loses the oldest, others nothing', () => {
  reserve.hold('alice', held(300), 'alice');
  for (let index = 0; index < 50; index += 1) {
    reserve.hold(`mallory ${index}`, held(100), 'mallory');
    expect(reserve.get('alice')).toBeDefined();
    expect(reserve.size().bytes).toBeLessThanOrEqual(1000);
  }
  expect([reserve.get('mallory 43'), reserve.get('mallory 44') !== undefined]).toEqual([undefined, true]);
});

describe('what two want', () => {
  const shared = held(200);
  const flood = (): void => {
    for (let index = 0; index < 20; index += 1) reserve.hold(`other ${index}`, held(200), 'mallory');
  };

  test.each([
    ['first', ['mallory', 'alice']],
    ['last', ['alice', 'mallory']],
    ['before and after', ['mallory', 'alice', 'mallory']],
  ])('stays when one of them, who asked %s, loses it', (_name, holders) => {
    for (const holder of holders) reserve.hold('shared', shared, holder);
    flood();
    expect(reserve.get('shared')).toBe(shared);
  });

  test('is gone with the last of them, and its bytes are counted once', () => {
    reserve.hold('shared', shared, 'alice');
    reserve.hold('shared', shared, 'mallory');
    expect(reserve.size()).toEqual({ entries: 1, bytes: 220 });
    time = RESERVE_MS;
    reserve.hold('else', held(1), 'bob');
    expect(reserve.size()).toEqual({ entries: 1, bytes: 11 });
  });

  test('lasts until the claim of the last one is over', () => {
    reserve.hold('shared', shared, 'alice');
    time = 1;
    reserve.hold('shared', shared, 'bob');
    time = RESERVE_MS;
    expect(reserve.get('shared')).toBe(shared);
    time = RESERVE_MS + 1;
    expect(reserve.get('shared')).toBeUndefined();
  });
});

test('claims to one entry are bounded too: they cost what an entry costs', () => {
  for (let index = 0; index < 1000; index += 1) reserve.hold('one', held(100), `holder ${index}`);
  expect(reserve.size()).toEqual({ entries: 1, bytes: 1000 });
});

test('all addresses of one subscriber are one holder', () => {
  const cache = createManifestCache<Held>(1, { reserve: { maxBytes: 10_000 } });
  const key = (digest: string) => ({ registry: 'r', repository: 'a', digest });
  cache.hold(key('alice'), held(2000), '2001:db8:1::1');
  for (let index = 0; index < 50; index += 1)
    cache.hold(key(`mallory ${index}`), held(1000), `2001:db8:2::${(index + 1).toString(16)}`);
  expect(cache.get(key('alice'))).toBeDefined();
});
