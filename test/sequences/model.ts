/**
 * The reference: what a proxy has to hold on to, whatever happens, told by what it showed as verified.
 *
 * I1: it never serves less than it ever verified under keys that are still in force.
 * I2: it never refuses what it verified and what has not expired, as long as the server is honest.
 * I3: it believes an honest and current server.
 */
import type { RoleStatus, VerifiedTrust } from '../../proxy/trust-client/types.ts';
import type { Owner } from './owner.ts';

const RELEASES = 'targets/releases';

type Floor = { readonly version: number; readonly keys: readonly string[]; readonly threshold: number };

export class Knowledge {
  root = 0;
  floors: ReadonlyMap<string, Floor> = new Map();
  last: VerifiedTrust | undefined;
  /** The version of `targets/releases` that was verified last; 0: `targets` declares none. */
  releases: number | undefined = 0;

  /** Roots count once they were shown, each vouched for by the one before; what came with them need not be known. */
  see(shown: ReadonlySet<number>, owner: Owner): void {
    for (const version of [...shown].sort((a, b) => a - b)) {
      if (this.root > 0 && version > this.root && owner.vouchesFor(this.root, version)) this.root = version;
    }
  }

  learn(trust: VerifiedTrust): void {
    const floors = trust.roles.filter(({ skipped }) => skipped === undefined);
    this.floors = new Map(floors.map((it) => [it.role, { ...it, keys: it.canonicalKeyIds }]));
    this.root = Math.max(this.root, versionOf(trust, 'root'));
    this.last = trust;
    const releases = trust.roles.find(({ role }) => role === RELEASES);
    this.releases = releases?.skipped === undefined ? (releases?.version ?? 0) : undefined;
  }

  merge(other: Knowledge): this {
    if (other.root > this.root || isAhead(other.last, this.last)) {
      this.root = Math.max(other.root, this.root);
      if (isAhead(other.last, this.last)) {
        [this.floors, this.last] = [other.floors, other.last];
        this.releases = other.releases ?? this.releases;
      }
    }
    return this;
  }
}

/** I1. @returns how `trust` is less than what is known */
export function lessThan(
  known: Knowledge,
  trust: VerifiedTrust,
  isNew: boolean,
  owner: Owner,
): string | undefined {
  const root = versionOf(trust, 'root');
  if (root < known.root && (isNew || !isInForce(trust, known.root, owner))) {
    return `root ${root} although root ${known.root} was verified`;
  }
  for (const [role, floor] of known.floors) {
    const today = trust.roles.find((it) => it.role === role);
    if (today === undefined) {
      if (versionOf(trust, 'targets') === known.floors.get('targets')?.version)
        return `${role} is undeclared`;
      continue;
    }
    const left = floor.keys.filter((id) => today.canonicalKeyIds.includes(id)).length;
    if (left < floor.threshold) continue;
    if (today.skipped !== undefined)
      return `${role} is ${today.skipped} although version ${floor.version} was verified`;
    if (today.version < floor.version)
      return `${role} version ${today.version} after version ${floor.version}`;
  }
  return undefined;
}

/** I1: what `targets/releases` named when it was verified last is not taken from `targets` while its file is passed over. */
export function comesFromBehind(known: Knowledge, trust: VerifiedTrust, tag: string, owner: Owner): boolean {
  const isPassedOver = trust.roles.some(({ role, skipped }) => role === RELEASES && skipped !== undefined);
  if (!isPassedOver || known.releases === undefined || known.releases === 0) return false;
  return owner.signedAs(RELEASES, known.releases).every(({ tags }) => tags.has(tag));
}

/** I2: what would have to be served while the server has nothing better to say. */
export function mustBeServed({ last, root }: Knowledge, now: Date, owner: Owner): boolean {
  return last !== undefined && now < last.expires && isInForce(last, root, owner);
}

/** Its files are signed as the root of that version asks for. */
function isInForce(trust: VerifiedTrust, rootVersion: number, owner: Owner): boolean {
  if (versionOf(trust, 'root') === rootVersion) return true;
  return ['timestamp', 'snapshot', 'targets'].every((role) => {
    const rights = owner.roots.get(rootVersion)?.get(role);
    const signers = owner.signedAs(role, versionOf(trust, role))[0]?.signerIds ?? [];
    return rights !== undefined && signers.filter((id) => rights.ids.includes(id)).length >= rights.threshold;
  });
}

export function versionOf(trust: VerifiedTrust, role: string): number {
  const status: RoleStatus | undefined = trust.roles.find((it) => it.role === role);
  return status === undefined || status.skipped !== undefined ? 0 : status.version;
}

function isAhead(a: VerifiedTrust | undefined, b: VerifiedTrust | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  const order = ['root', 'timestamp'].map((role) => versionOf(a, role) - versionOf(b, role));
  return (order.find((difference) => difference !== 0) ?? 0) > 0;
}
