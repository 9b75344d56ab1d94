import type { Gun } from '../../names/reference.ts';
import type { LoadedTrust, Replaces, SaveResult, StoredTrust, TrustState } from '../../trust-client/types.ts';
import { requireNotLower } from './raise-only.ts';

/**
 * Remembers for as long as the process lives. Never an LRU: dropping an entry would drop its rollback floor.
 *
 * @param first what it begins with.
 */
export function createMemoryState(first: Iterable<readonly [Gun, StoredTrust]> = []): TrustState {
  const entries = new Map<Gun, LoadedTrust>();
  let saves = 0;
  const set = (gun: Gun, trust: StoredTrust): LoadedTrust => {
    saves += 1;
    const entry = { ...trust, stamp: `memory ${saves}` };
    entries.set(gun, entry);
    return entry;
  };
  for (const [gun, trust] of first) set(gun, trust);
  return {
    load: async (gun) => entries.get(gun),
    has: async (gun) => entries.has(gun),
    stampOf: async (gun) => entries.get(gun)?.stamp,
    save: async (gun, trust, { stamp, fallen }) => {
      const current = entries.get(gun);
      if (current?.stamp !== stamp) return { kind: 'changed' };
      if (current !== undefined) requireNotLower(gun, current, trust, fallen);
      return { kind: 'saved', stamp: set(gun, trust).stamp };
    },
  };
}

/** Reads through to another state and keeps what is saved to itself: for commands that must not change anything. */
export function createOverlayState(below: TrustState): TrustState {
  const own = createMemoryState();
  const load: TrustState['load'] = async (gun, admit) =>
    (await own.load(gun)) ?? (await below.load(gun, admit));
  const save = async (gun: Gun, trust: StoredTrust, replaces: Replaces): Promise<SaveResult> => {
    if ((await own.stampOf(gun)) !== undefined) return await own.save(gun, trust, replaces);
    const entry = await below.load(gun);
    if (entry?.stamp !== replaces.stamp) return { kind: 'changed' };
    if (entry !== undefined) requireNotLower(gun, entry, trust, replaces.fallen);
    // Another save may have put an entry of our own there meanwhile; then this one is too late.
    return await own.save(gun, trust, { ...replaces, stamp: undefined });
  };
  return {
    load,
    has: async (gun) => (await own.has(gun)) || (await below.has(gun)),
    stampOf: async (gun) => (await own.stampOf(gun)) ?? (await below.stampOf(gun)),
    save,
  };
}
