/**
 * Verified manifests in memory, by registry, repository and digest: the whole identity, because the same digest in
 * another repository is another right to read (registry-clients.md §4.3). Whoever asks has checked that right.
 */
import { LRUCache } from 'lru-cache';

export type ManifestKey = { readonly registry: string; readonly repository: string; readonly digest: string };

export interface ManifestCache<Manifest> {
  get(key: ManifestKey): Manifest | undefined;
  set(key: ManifestKey, manifest: Manifest): void;
  size(): { readonly entries: number; readonly bytes: number };
}

/** Bytes of manifests kept when the caller names no other bound. */
export const MANIFEST_CACHE_BYTES = 64 * 1024 * 1024;
/** What an entry costs besides its bytes, roughly. */
const OVERHEAD_BYTES = 512;

export function createManifestCache<Manifest extends { readonly bytes: Uint8Array }>(
  maxBytes = MANIFEST_CACHE_BYTES,
): ManifestCache<Manifest> {
  const cache = new LRUCache<string, Manifest>({
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes.length + OVERHEAD_BYTES,
  });
  // None of the three can contain a bar, so no two keys are the same text.
  const toText = ({ registry, repository, digest }: ManifestKey): string =>
    `${registry}|${repository}|${digest}`;
  return {
    get: (key) => cache.get(toText(key)),
    set: (key, manifest) => void cache.set(toText(key), manifest),
    size: () => ({ entries: cache.size, bytes: cache.calculatedSize }),
  };
}
