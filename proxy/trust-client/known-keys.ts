/**
 * Keys as they were read lately, by ID. Every root of a chain declares mostly the keys of the one before, and each update
 * reads them all again, while reading one takes OpenSSL longer than checking a signature with it.
 */
import { LIMITS } from './limits.ts';

type Known = { readonly id: string; readonly bytes: Uint8Array };

export type KnownKeys<Key extends Known> = {
  get(id: string): Key | undefined;
  /** One that is too large is not remembered; beyond `LIMITS.knownKeys` the one that was not used for longest goes. */
  remember(key: Key): void;
};

export function createKnownKeys<Key extends Known>(): KnownKeys<Key> {
  /** In the order of their last use. */
  const keys = new Map<string, Key>();

  const put = (key: Key): void => {
    keys.delete(key.id);
    keys.set(key.id, key);
  };

  return {
    get: (id) => {
      const key = keys.get(id);
      if (key !== undefined) put(key);
      return key;
    },
    remember: (key) => {
      if (key.bytes.length > LIMITS.knownKeyBytes) return;
      put(key);
      const [oldest] = keys.keys();
      if (keys.size > LIMITS.knownKeys && oldest !== undefined) keys.delete(oldest);
    },
  };
}
