import { describe, expect, test } from '@jest/globals';
import { createAccessCache } from '../../proxy/cache/access-cache.ts';

const ALICE = { registry: 'r', repository: 'a', authorization: 'Bearer alice' };

describe('a right to read is believed for a minute at most, and for nobody else', () => {
  test('a grant holds for its caller, repository and registry only', () => {
    const access = createAccessCache();
    access.grant(ALICE, access.now());
    expect(access.isGranted(ALICE)).toBe(true);
    for (const other of [
      { authorization: undefined },
      { authorization: '' },
      { authorization: 'Bearer bob' },
      { repository: 'b' },
      { registry: 's' },
    ]) {
      expect(access.isGranted({ ...ALICE, ...other })).toBe(false);
    }
  });

  test('names cannot be shifted between the parts of the key', () => {
    const access = createAccessCache();
    access.grant({ registry: 'a', repository: 'b","c', authorization: 'd' }, access.now());
    expect(access.isGranted({ registry: 'a","b', repository: 'c', authorization: 'd' })).toBe(false);
  });

  test('it ends after the time it was given for, and never later than after 60 seconds', () => {
    let now = 0;
    const access = createAccessCache({ now: () => now, ttlMs: 3_600_000 });
    access.grant(ALICE, access.now());
    now = 59_999;
    expect(access.isGranted(ALICE)).toBe(true);
    now = 60_000;
    expect(access.isGranted(ALICE)).toBe(false);
  });

  test('a slow check counts from before it was asked', async () => {
    let now = 0;
    const access = createAccessCache({ now: () => now, ttlMs: 1000 });
    await access.verify(ALICE, 'd', async () => {
      now = 900;
      return true;
    });
    now = 1000;
    expect(access.isGranted(ALICE)).toBe(false);
  });

  test('being used does not make it last, and neither does a late answer to an old question', async () => {
    let now = 0;
    const access = createAccessCache({ now: () => now });
    access.grant(ALICE, 0);
    for (now = 10_000; now < 60_000; now += 10_000) {
      expect(await access.verify(ALICE, 'd', () => Promise.reject(new Error('asked')))).toBe(true);
    }
    expect(access.isGranted(ALICE)).toBe(false);
    access.grant(ALICE, 0);
    expect(access.isGranted(ALICE)).toBe(false);
  });

  test('the number of entries is bounded', () => {
    const access = createAccessCache({ maxEntries: 2 });
    for (const authorization of ['1', '2', '3']) access.grant({ ...ALICE, authorization }, access.now());
    expect(access.size()).toEqual({ entries: 2 });
    expect(access.isGranted({ ...ALICE, authorization: '1' })).toBe(false);
  });
});

describe('a check', () => {
  test('is shared by those who ask the same, remembered when it says yes, and repeated when it says no', async () => {
    let checks = 0;
    let shared = 0;
    const access = createAccessCache({ onShared: () => void shared++ });
    const answer = (granted: boolean) => async () => {
      checks += 1;
      return granted;
    };
    expect(await Promise.all([1, 2, 3].map(() => access.verify(ALICE, 'd', answer(false))))).toEqual([
      false,
      false,
      false,
    ]);
    expect([checks, shared]).toEqual([1, 2]);
    expect(await access.verify(ALICE, 'd', answer(true))).toBe(true);
    expect(await access.verify(ALICE, 'other digest', answer(true))).toBe(true);
    expect(checks).toBe(2);
  });

  test('that fails is no grant and leaves nothing behind', async () => {
    const access = createAccessCache();
    await expect(access.verify(ALICE, 'd', () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await access.verify(ALICE, 'd', async () => false)).toBe(false);
  });
});
