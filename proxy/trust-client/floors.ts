/** When a floor counts: as long as the keys that set it are still in force. Pure. */
import { identityOf, type PublicKey } from './keys.ts';
import { countSigners, type Role } from './signatures.ts';
import type { RoleRecord } from './types.ts';

/**
 * The keys of today that signed the floor, in whatever certificate or encoding they are declared now; not one that is
 * declared as a type it does not have, as such a key can sign nothing.
 */
export function signersIn(floor: RoleRecord, keys: readonly PublicKey[]): readonly PublicKey[] {
  const signed = new Set(floor.signers);
  return keys.filter(
    (key) => key.algorithm !== 'unknown' && (signed.has(key.id) || signed.has(identityOf(key))),
  );
}

/**
 * Whether those of the floor's signers that are left could have set it then, or could set it now: a threshold that is
 * raised lets no floor fall. Where the threshold then is not known, one signer that is left keeps it.
 */
export function stillAuthorised(floor: RoleRecord, role: Role): boolean {
  return countSigners(signersIn(floor, role.keys)) >= Math.min(floor.threshold ?? 1, role.threshold);
}
