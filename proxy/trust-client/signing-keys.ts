/** Whose valid signatures each verified delegation carries, for rules that name keys. Pure. */

import type { SigningKeys } from './types.ts';
import type { VerifiedDelegation } from './verified.ts';

const PREFIX = 'targets/';

/** By name without `targets/`. A key in two encodings is one key, as where thresholds are counted (signatures.ts). */
export function signingKeysOf(delegations: Iterable<VerifiedDelegation>): ReadonlyMap<string, SigningKeys> {
  return new Map(
    [...delegations].map((file) => [Buffer.from(file.role.slice(PREFIX.length)).toString(), keysOf(file)]),
  );
}

function keysOf({ keys: { keys, threshold }, signers }: VerifiedDelegation): SigningKeys {
  const valid = new Set(signers);
  const byPair = new Map<string, Set<string>>();
  for (const key of keys) {
    // Declared is not enough: only a key that signed vouches for anything.
    if (!valid.has(key.id)) continue;
    const ids = byPair.get(key.pair) ?? new Set<string>();
    byPair.set(key.pair, ids.add(key.id).add(key.canonicalId));
  }
  return { threshold, keys: [...byPair.values()].map((ids) => [...ids]) };
}
