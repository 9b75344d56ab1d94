/** When a floor counts: as long as the keys that set it are still in force. Pure. */
import { identityOf, type PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import { countSigners, type Role } from './signatures.ts';
import type { RoleRecord } from './types.ts';

type Floor = Omit<RoleRecord, 'earlier'>;

/**
 * The keys of today that signed the floor, in whatever certificate or encoding they are declared now; not one that is
 * declared as a type it does not have, as such a key can sign nothing.
 */
function signersIn(floor: Floor, keys: readonly PublicKey[]): readonly PublicKey[] {
  const signed = new Set(floor.signers);
  return keys.filter(
    (key) => key.algorithm !== 'unknown' && (signed.has(key.id) || signed.has(identityOf(key))),
  );
}

/**
 * Whether those of the floor's signers that are left could have set it then, or could set it now: a threshold that is
 * raised lets no floor fall. Where the threshold then is not known, one signer that is left keeps it.
 */
function stillAuthorised(floor: Floor, role: Role): boolean {
  return countSigners(signersIn(floor, role.keys)) >= Math.min(floor.threshold ?? 1, role.threshold);
}

/**
 * The highest version that those who hold the role today verified. When a signer is removed, what the ones who stay
 * had signed before counts on.
 */
export function floorInForce(record: RoleRecord, role: Role): Floor | undefined {
  return [record, ...(record.earlier ?? [])].find((floor) => stillAuthorised(floor, role));
}

/**
 * What is remembered after `file` was verified: it, and what was signed by others. Those who lost the role may be given it
 * back, so what they signed is kept too, after what may count today; not what was above `file`, as that is what its fall
 * has healed.
 */
export function raiseFloor(before: RoleRecord | undefined, file: Floor, role: Role): RoleRecord {
  if (before === undefined) return file;
  const { earlier = [], ...last } = before;
  const others = [last, ...earlier].filter((floor) => floor.version <= file.version && !covers(file, floor));
  if (others.length === 0) return file;
  const counting = others.filter((floor) => stillAuthorised(floor, role));
  const kept = [...new Set([...counting, ...others])].slice(0, LIMITS.earlierFloors);
  return { ...file, earlier: kept.sort((one, other) => other.version - one.version) };
}

/** Whenever the lower one would count, the higher one does. */
function covers(higher: Floor, lower: Floor): boolean {
  const signers = new Set(higher.signers);
  return lower.signers.every((id) => signers.has(id)) && (higher.threshold ?? 1) <= (lower.threshold ?? 1);
}
