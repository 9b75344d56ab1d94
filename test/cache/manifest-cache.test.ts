import { expect, test } from '@jest/globals';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';

const KEY = { registry: 'r', repository: 'a', digest: 'sha256:x' };
const entry = (size: number) => ({ bytes: new Uint8Array(size) });

test('a manifest is found under its registry, repository and digest only', () => {
  const cache = createManifestCache<ReturnType<typeof entry>>();
  const kept = entry(10);
  cache.set(KEY, kept);
  expect(cache.get(KEY)).toBe(kept);
  for (const other of [{ registry: 's' }, { repository: 'b' }, { digest: 'sha256:y' }]) {
    expect(cache.get({ ...KEY, ...other })).toBeUndefined();
  }
});

test('it holds no more bytes than it may, and drops what was used longest ago', () => {
  const cache = createManifestCache<ReturnType<typeof entry>>(10_000);
  for (const digest of ['1', '2', '3']) cache.set({ ...KEY, digest }, entry(4000));
  expect(cache.size()).toEqual({ entries: 2, bytes: 2 * (4000 + 512) });
  expect(cache.get({ ...KEY, digest: '1' })).toBeUndefined();
  cache.set({ ...KEY, digest: 'huge' }, entry(20_000));
  expect(cache.get({ ...KEY, digest: 'huge' })).toBeUndefined();
});
