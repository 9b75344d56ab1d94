/**
 * Keys as they were read lately, by ID. Every root of a chain declares mostly the keys of the one before, and each update
 * reads them all again, while reading one takes OpenSSL longer than checking a signature with it.
 */
import { LIMITS } from './limits.ts';

type Known = { readonly id: string; readonly bytes: Uint8Array };

export type KnownKeys<Key extends Known> = {
  get(id: string): Key | undefined;
  /**
   * One that is too large is not remembered; beyond `LIMITS.knownKeys` and their bytes those go that were not used for
   * longest.
   *
   * @param objects what OpenSSL made of its bytes: certificates, or one key.
   */
  remember(key: Key, objects: number): void;
};

/** What one object weighs, and one byte it was read from, in bytes: measured with RSA keys and with chains of small certificates. */
const OBJECT_BYTES = 6 * 1024;
const TIMES_BYTES = 9;

export function createKnownKeys<Key extends Known>(): KnownKeys<Key> {
  /** In the order of their last use. */
  const keys = new Map<string, { readonly key: Key; readonly weight: number }>();
  let held = 0;

  const drop = (id: string): void => {
    held -= keys.get(id)?.weight ?? 0;
    keys.delete(id);
  };
  const isFull = (): boolean => keys.size > LIMITS.knownKeys || held > LIMITS.knownKeysBytes;

  return {
    get: (id) => {
      const known = keys.get(id);
      if (known === undefined) return undefined;
      keys.delete(id);
      keys.set(id, known);
      return known.key;
    },
    remember: (key, objects) => {
      if (key.bytes.length > LIMITS.knownKeyBytes) return;
      drop(key.id);
      const weight = objects * OBJECT_BYTES + key.bytes.length * TIMES_BYTES;
      keys.set(key.id, { key, weight });
      held += weight;
      for (const oldest of keys.keys()) {
        if (!isFull()) break;
        drop(oldest);
      }
    },
  };
}
