/** When a floor counts: as long as the keys that set it are still in force; and what may not be below it. Pure. */
import { TrustError } from './errors.ts';
import { identityOf, type PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import { rollback } from './root-trust.ts';
import { countSigners, type Role } from './signatures.ts';
import type { RoleName, RoleRecord } from './types.ts';

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

export type FileVersion = Pick<RoleRecord, 'version' | 'sha256' | 'content'>;

/** @throws TrustError `metadata_rollback` for a file below a floor in force, and for other content of the very version. */
export function requireNotOlder(role: RoleName, file: FileVersion, floor: FileVersion): void {
  // An older timestamp than one that was verified says nothing new: a lagging replica offers it in good faith.
  const isLag = role === 'timestamp';
  if (file.version < floor.version) throw rollback(role, file.version, floor.version, isLag);
  if (file.version > floor.version || !isOther(role, file, floor)) return;
  const said = `${role} version ${file.version} was seen with other content`;
  throw new TrustError('metadata_rollback', 'rollback', said, { role, isLag });
}

/**
 * A server may tell a signer that it refused a file, keep it, and take the next one under the same version: only one of the
 * two was published. More signatures under the same content are welcome. A snapshot's version means nothing to whoever
 * holds its key.
 */
function isOther(role: RoleName, file: FileVersion, floor: FileVersion): boolean {
  if (role === 'timestamp') return file.sha256 !== floor.sha256;
  return role !== 'snapshot' && floor.content !== undefined && file.content !== floor.content;
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
