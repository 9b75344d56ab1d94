/**
 * Looking a tag up in verified metadata, in Docker's order of roles (notary-semantics.md §8). Pure, and asked with a
 * time: a role that has expired since it was verified counts for nothing.
 */
import type { Gun } from '../registry/reference.ts';
import { decodeBase64 } from './encoding.ts';
import type { TargetEntry } from './metadata.ts';
import type { RootFile } from './root-trust.ts';
import type { Role } from './signatures.ts';
import type { TrustedMetadata, VerifiedDelegation } from './trusted-metadata.ts';
import type { RoleName, RoleStatus, StateStamp, TrustedTarget, VerifiedTrust } from './types.ts';

const RELEASES = 'targets/releases';
const SHA256_BYTES = 32;

/** A role's part of the lookup: its entries and what it may sign, without the bytes it came in. */
type TargetsRole = {
  readonly role: RoleName;
  readonly expires: Date;
  readonly paths: readonly string[];
  readonly targets: ReadonlyMap<string, TargetEntry>;
};

export class VerifiedRepository implements VerifiedTrust {
  readonly gun: Gun;
  readonly roles: readonly RoleStatus[];
  readonly expires: Date;
  readonly firstToExpire: RoleName;
  /** The newest root: the next update starts from it. */
  readonly root: RootFile;
  /** SHA-256 of the timestamp file, hex: an equal one means that nothing changed. */
  readonly timestampSha256: string;
  /** Of the remembered entry that holds this: while it is the same, nobody has seen anything newer. */
  readonly stamp: StateStamp;
  private readonly top: TargetsRole;
  private readonly delegations: ReadonlyMap<RoleName, TargetsRole>;

  constructor(gun: Gun, trusted: TrustedMetadata, stamp: StateStamp) {
    this.gun = gun;
    this.stamp = stamp;
    this.root = trusted.root;
    this.timestampSha256 = trusted.timestamp.sha256;
    this.roles = describeRoles(trusted);
    const first = this.roles.slice(0, 4).reduce((a, b) => (b.expires < a.expires ? b : a));
    this.expires = first.expires;
    this.firstToExpire = first.role;
    this.top = toTargetsRole(trusted.targets);
    this.delegations = new Map([...trusted.delegations].map(([name, file]) => [name, toTargetsRole(file)]));
  }

  /** How many entries its targets files hold in all. */
  get size(): number {
    return [this.top, ...this.delegations.values()].reduce((sum, { targets }) => sum + targets.size, 0);
  }

  target(tag: string, now: Date): TrustedTarget | undefined {
    // Negated so that a time that is none (NaN) fails.
    if (!(now <= this.expires)) return undefined;
    const found = this.find(tag, now);
    const digest = found && toDigest(found.entry);
    // Docker takes sha256 only: "no valid hash, expecting sha256" (§2.3).
    if (found === undefined || digest === undefined) return undefined;
    const expires = found.role.expires < this.expires ? found.role.expires : this.expires;
    return {
      name: tag,
      digest: `sha256:${digest}`,
      length: found.entry.length,
      role: found.role.role,
      signers: this.signersOf(tag, digest, now),
      expires,
    };
  }

  tags(now: Date): readonly string[] {
    const releases = this.delegations.get(RELEASES);
    const names = new Set([...this.top.targets.keys(), ...(releases?.targets.keys() ?? [])]);
    return [...names].filter((name) => this.target(name, now) !== undefined).sort();
  }

  /**
   * First the subtree of `targets/releases`, then `targets`. A hit below `targets/releases` is refused by Docker and
   * hides an entry in `targets` (§8), so it ends the search here too. So does a hit in a role that has expired since it
   * was verified: Docker goes on to `targets`, where an older entry may be left from before there were signers.
   */
  private find(
    tag: string,
    now: Date,
  ): { readonly role: TargetsRole; readonly entry: TargetEntry } | undefined {
    const releases = this.delegations.get(RELEASES);
    if (releases !== undefined && isWithin(releases, tag)) {
      const entry = releases.targets.get(tag);
      if (entry !== undefined) return mayName(releases, tag, now) ? { role: releases, entry } : undefined;
      if (this.isNamedBelow(RELEASES, tag)) return undefined;
    }
    const entry = this.top.targets.get(tag);
    return entry && { role: this.top, entry };
  }

  private isNamedBelow(parent: RoleName, tag: string): boolean {
    return [...this.delegations.values()].some(
      (role) =>
        role.role.startsWith(`${parent}/`) && this.isReachable(role, tag, undefined) && role.targets.has(tag),
    );
  }

  /**
   * Every role from `role` up to below `targets` may name the tag: a search stops at the first that may not.
   *
   * @param now undefined: whatever has expired.
   */
  private isReachable(role: TargetsRole, tag: string, now: Date | undefined): boolean {
    if (!(now === undefined ? isWithin(role, tag) : mayName(role, tag, now))) return false;
    const parentName = role.role.slice(0, role.role.lastIndexOf('/'));
    if (parentName === 'targets') return true;
    const parent = this.delegations.get(parentName);
    return parent !== undefined && this.isReachable(parent, tag, now);
  }

  /** Delegations other than `targets/releases` that hold the same digest under the same name (§2.2, `inspect`). */
  private signersOf(tag: string, digest: string, now: Date): readonly string[] {
    const holds = (role: TargetsRole) => {
      const entry = role.targets.get(tag);
      return entry !== undefined && toDigest(entry) === digest && this.isReachable(role, tag, now);
    };
    return [...this.delegations.values()]
      .filter((role) => role.role !== RELEASES && holds(role))
      .map((role) => role.role.slice('targets/'.length))
      .sort();
  }
}

function mayName(role: TargetsRole, tag: string, now: Date): boolean {
  return now <= role.expires && isWithin(role, tag);
}

function isWithin(role: TargetsRole, tag: string): boolean {
  return role.paths.some((path) => tag.startsWith(path));
}

function toDigest(entry: TargetEntry): string | undefined {
  const bytes = entry.sha256 === undefined ? undefined : decodeBase64(entry.sha256);
  return bytes?.length === SHA256_BYTES ? Buffer.from(bytes).toString('hex') : undefined;
}

function toTargetsRole({ role, metadata, paths }: VerifiedDelegation): TargetsRole {
  return { role, expires: metadata.expires, paths, targets: metadata.targets };
}

/** Root, timestamp, snapshot and targets first, in this order, then delegations by name. */
function describeRoles(trusted: TrustedMetadata): readonly RoleStatus[] {
  const { root, timestamp, snapshot, targets } = trusted;
  const files = [timestamp, snapshot, targets, ...trusted.delegations.values()];
  const statuses = files.map(({ role, metadata, keys }) => ({
    ...describe(role, metadata.version, metadata.expires, keys),
    skipped: trusted.expired.has(role) ? ('expired' as const) : undefined,
  }));
  const skipped = [...trusted.skipped].map(([name, { reason, declared }]) => ({
    ...describe(name, 0, new Date(0), declared),
    skipped: reason,
  }));
  const delegations = [...statuses.slice(3), ...skipped].sort((a, b) => (a.role < b.role ? -1 : 1));
  const first = describe('root', root.metadata.version, trusted.rootValidUntil, root.metadata.roles.root);
  return [first, ...statuses.slice(0, 3), ...delegations];
}

function describe(role: RoleName, version: number, expires: Date, keys: Role): RoleStatus {
  return {
    role,
    version,
    expires,
    keyIds: keys.keys.map((key) => key.id),
    canonicalKeyIds: keys.keys.map((key) => key.canonicalId),
    threshold: keys.threshold,
    skipped: undefined,
  };
}
