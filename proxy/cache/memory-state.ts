import type { Gun } from '../registry/reference.ts';
import type { StoredTrust, TrustState } from '../trust-client/types.ts';

/** Remembers for as long as the process lives. Never an LRU: dropping an entry would drop its rollback floor. */
export function createMemoryState(): TrustState {
  const entries = new Map<Gun, StoredTrust>();
  return {
    load: async (gun) => entries.get(gun),
    save: async (gun, trust) => {
      entries.set(gun, trust);
    },
  };
}

/** Reads through to another state and keeps what is saved to itself: for commands that must not change anything. */
export function createOverlayState(below: TrustState): TrustState {
  const own = createMemoryState();
  return {
    load: async (gun) => (await own.load(gun)) ?? (await below.load(gun)),
    save: own.save,
  };
}
