/**
 * Trust files in memory for the clients that read them through us. Whoever asks has checked the caller's right.
 * They are kept as they came: this is no part of how the proxy itself establishes trust.
 */
import { LRUCache } from 'lru-cache';

export type TrustFileKey = { readonly gun: string; readonly file: string };

export interface TrustFileCache<File> {
  /** A file that was asked for at most so many milliseconds ago. */
  get(key: TrustFileKey, maxAgeMs: number): File | undefined;
  /** @param askedAt `now()` before the server was asked for it. */
  set(key: TrustFileKey, file: File, askedAt: number): void;
  /** Milliseconds since some fixed moment. */
  now(): number;
  size(): { readonly entries: number; readonly bytes: number };
}

/** Bytes of files kept when the caller names no other bound. */
const TRUST_FILE_CACHE_BYTES = 32 * 1024 * 1024;
/** What an entry costs besides its bytes, roughly. */
const OVERHEAD_BYTES = 512;

export function createTrustFileCache<File extends { readonly bytes: Uint8Array }>(
  options: { readonly maxBytes?: number; readonly now?: () => number } = {},
): TrustFileCache<File> {
  const now = options.now ?? (() => performance.now());
  const cache = new LRUCache<string, { readonly file: File; readonly askedAt: number }>({
    maxSize: options.maxBytes ?? TRUST_FILE_CACHE_BYTES,
    sizeCalculation: ({ file }) => file.bytes.length + OVERHEAD_BYTES,
  });
  // Neither can contain a bar, so no two keys are the same text.
  const toText = ({ gun, file }: TrustFileKey): string => `${gun}|${file}`;
  return {
    get: (key, maxAgeMs) => {
      const kept = cache.get(toText(key));
      return kept !== undefined && now() - kept.askedAt < maxAgeMs ? kept.file : undefined;
    },
    set: (key, file, askedAt) => void cache.set(toText(key), { file, askedAt }),
    now,
    size: () => ({ entries: cache.size, bytes: cache.calculatedSize }),
  };
}
