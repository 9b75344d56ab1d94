/**
 * Who may read which repository, asked of the registry with the caller's own credentials and remembered for a
 * moment (registry-clients.md §4.3). Only grants are kept: a refusal is asked again each time.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Access } from '../names/access.ts';
import { sharedByKey } from '../upstream/flights.ts';

export interface AccessCache {
  /** Whether a grant is remembered; sends no request. */
  isGranted(access: Access): boolean;
  /** Remembers that the registry let this caller read. @param askedAt `now()` before the registry was asked. */
  grant(access: Access, askedAt: number): void;
  /** A remembered grant, or the answer of `check`. Callers with the same question share one check. */
  verify(access: Access, digest: string, check: () => Promise<boolean>): Promise<boolean>;
  /** The same text for the same question; nothing can be learnt from it about the credentials. */
  keyOf(access: Access): string;
  /** Milliseconds since some fixed moment. */
  now(): number;
  size(): { readonly entries: number };
}

export type AccessCacheOptions = {
  /** How long a grant is believed, in milliseconds; never more than a minute. */
  readonly ttlMs?: number;
  readonly maxEntries?: number;
  /** Milliseconds since some fixed moment. */
  readonly now?: () => number;
  /** Told that a caller joined a check under way. */
  readonly onShared?: () => void;
};

/**
 * The longest a registry's "yes" is believed, in milliseconds (README.md, "Who may read what"). Counted from before
 * the question: the registry may have decided at once and answered late.
 */
const MAX_TTL_MS = 60_000;
const MAX_ENTRIES = 20_000;

export function createAccessCache(options: AccessCacheOptions = {}): AccessCache {
  const now = options.now ?? (() => performance.now());
  const ttlMs = Math.min(options.ttlMs ?? MAX_TTL_MS, MAX_TTL_MS);
  const grants = new LRUCache<string, number>({ max: options.maxEntries ?? MAX_ENTRIES });
  const shared = sharedByKey<boolean>(options.onShared);
  // Keyed with a secret of this process: what is kept does not even let someone test a guessed password.
  const secret = randomBytes(32);
  const toKey = ({ registry, repository, authorization }: Access): string => {
    // An anonymous caller has no secret to hash, and no hash looks like this.
    if (authorization === undefined) return `anyone|${registry}|${repository}`;
    return createHmac('sha256', secret)
      .update(JSON.stringify([registry, repository, authorization]))
      .digest('base64');
  };
  const isGranted = (key: string): boolean => (grants.get(key) ?? Number.NEGATIVE_INFINITY) > now();
  const grant = (key: string, askedAt: number): void => void grants.set(key, askedAt + ttlMs);

  return {
    isGranted: (access) => isGranted(toKey(access)),
    grant: (access, askedAt) => grant(toKey(access), askedAt),
    verify(access, digest, check) {
      const key = toKey(access);
      if (isGranted(key)) return Promise.resolve(true);
      return shared(`${key}|${digest}`, async () => {
        const askedAt = now();
        const granted = await check();
        if (granted) grant(key, askedAt);
        return granted;
      });
    },
    keyOf: toKey,
    now,
    size: () => ({ entries: grants.size }),
  };
}
