/**
 * Verified manifests in memory, by registry, repository and digest: the whole identity, because the same digest in
 * another repository is another right to read (registry-clients.md §4.3). Whoever asks has checked that right.
 */
import { LRUCache } from 'lru-cache';
import { toClientKey } from '../names/client-key.ts';
import type { ContentKey } from '../names/content-key.ts';
import { createReserve, type ReserveOptions } from './reserve.ts';

export interface ManifestCache<Manifest> {
  get(key: ContentKey): Manifest | undefined;
  set(key: ContentKey, manifest: Manifest): void;
  /**
   * Keeps it out of reach of `set` for a while: what a tag just resolved to is still there when its client asks for it by
   * digest. When the reserve is full, those who hold the most lose their oldest.
   *
   * @param holder whose request it was: the client's address. All that one subscriber can choose from are one holder.
   */
  hold(key: ContentKey, manifest: Manifest, holder: string): void;
  size(): { readonly entries: number; readonly bytes: number };
}

/** Bytes of manifests kept when the caller names no other bound. */
export const MANIFEST_CACHE_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its bytes, roughly. */
const OVERHEAD_BYTES = 512;

export type ManifestCacheOptions = {
  readonly reserve?: Omit<ReserveOptions, 'overheadBytes'>;
};

export function createManifestCache<Manifest extends { readonly bytes: Uint8Array }>(
  maxBytes = MANIFEST_CACHE_BYTES,
  options: ManifestCacheOptions = {},
): ManifestCache<Manifest> {
  const reserve = createReserve<Manifest>({ ...options.reserve, overheadBytes: OVERHEAD_BYTES });
  const cache = new LRUCache<string, Manifest>({
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes.length + OVERHEAD_BYTES,
  });
  // None of the three can contain a bar, so no two keys are the same text.
  const toText = ({ registry, repository, digest }: ContentKey): string =>
    `${registry}|${repository}|${digest}`;
  return {
    get(key) {
      const text = toText(key);
      return cache.get(text) ?? reserve.get(text);
    },
    set: (key, manifest) => void cache.set(toText(key), manifest),
    hold: (key, manifest, holder) => reserve.hold(toText(key), manifest, toClientKey(holder)),
    size: () => {
      const held = reserve.size();
      return { entries: cache.size + held.entries, bytes: cache.calculatedSize + held.bytes };
    },
  };
}
