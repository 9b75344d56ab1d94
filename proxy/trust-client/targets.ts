/**
 * Looking a tag up in verified metadata, in Docker's order of roles (notary-semantics.md §8). Pure, and asked with a
 * time: a role that has expired since it was verified counts for nothing.
 */
import type { Gun } from '../names/reference.ts';
import { PathSet } from './path-set.ts';
import { RELEASES } from './replaced.ts';
import type { RootFile } from './root-trust.ts';
import type { Role } from './signatures.ts';
import { signingKeysOf } from './signing-keys.ts';
import type { TargetTable } from './target-table.ts';
import type { TrustedMetadata } from './trusted-metadata.ts';
import type { RoleName, RoleStatus, SigningKeys, StateStamp, TrustedTarget, VerifiedTrust } from './types.ts';
import type { VerifiedDelegation } from './verified.ts';

/** Roles asked in one search for signed names near another: bounds the work of one refusal. */
const NEARBY_LOOKUPS = 2000;
/** What a role's line for people and a delegation's place in the lookup weigh in memory, about, in bytes. */
const ROLE_BYTES = 1024;

/** A role's part of the lookup: its entries and what it may sign, without the bytes it came in. */
type TargetsRole = {
  readonly role: RoleName;
  readonly expires: Date;
  readonly paths: PathSet;
  readonly targets: TargetTable;
};

/** An entry of a role: its place in the role's table. */
type Found = { readonly role: TargetsRole; readonly at: number };

/** A tag as the tables know it, encoded once for all of them. */
type Asked = { readonly tag: string; readonly name: Uint8Array };

/** What the next update has to know of the newest root; not its parsed form, which may be many times as large. */
export type KnownRoot = Pick<RootFile, 'bytes' | 'sha256'> & {
  readonly metadata: Pick<RootFile['metadata'], 'version' | 'expires'>;
};

export class VerifiedRepository implements VerifiedTrust {
  readonly gun: Gun;
  readonly roles: readonly RoleStatus[];
  readonly expires: Date;
  readonly firstToExpire: RoleName;
  /** The newest root: the next update starts from it. */
  readonly root: KnownRoot;
  /** SHA-256 of the timestamp file, hex: an equal one means that nothing changed. */
  readonly timestampSha256: string;
  /** Of the remembered entry that holds this: while it is the same, nobody has seen anything newer. */
  readonly stamp: StateStamp;
  readonly signingKeys: ReadonlyMap<string, SigningKeys>;
  private readonly top: TargetsRole;
  private readonly delegations: ReadonlyMap<RoleName, TargetsRole>;
  private readonly belowReleases: readonly TargetsRole[];

  constructor(gun: Gun, trusted: TrustedMetadata, stamp: StateStamp) {
    this.gun = gun;
    const { version, expires } = trusted.root.metadata;
    const { bytes, sha256 } = trusted.root;
    this.root = { bytes: Uint8Array.from(bytes), sha256, metadata: { version, expires } };
    this.stamp = stamp;
    this.timestampSha256 = trusted.timestamp.sha256;
    this.roles = describeRoles(trusted);
    const first = this.roles.slice(0, 4).reduce((a, b) => (b.expires < a.expires ? b : a));
    this.expires = first.expires;
    this.firstToExpire = first.role;
    this.top = toTargetsRole(trusted.targets);
    const verified = [...trusted.delegations.values()].map((file) => toTargetsRole(file));
    const replaced = [...trusted.replaced.values()].map((file) => toTargetsRole(file, LONG_AGO));
    this.delegations = new Map([...verified, ...replaced].map((role) => [role.role, role]));
    this.signingKeys = signingKeysOf(trusted.delegations.values());
    this.belowReleases = [...this.delegations.values()].filter(({ role }) => role.startsWith(`${RELEASES}/`));
  }

  /** What it keeps in memory, in bytes; the tables exactly, the rest not below what it is. */
  get bytes(): number {
    const roles = [this.top, ...this.delegations.values()];
    const ofRoles = roles.reduce(
      (sum, { targets, paths }) => sum + targets.bytes + bytesOfTexts(paths.paths),
      0,
    );
    const signed = [...this.signingKeys.values()].flatMap(({ keys }) => keys.flat());
    const ids = this.roles.map(({ role, keyIds, canonicalKeyIds }) => [role, ...keyIds, ...canonicalKeyIds]);
    return (
      ofRoles +
      ids.reduce(
        (sum, texts) => sum + ROLE_BYTES + bytesOfTexts(texts),
        this.root.bytes.length + bytesOfTexts(signed),
      )
    );
  }

  target(tag: string, now: Date): TrustedTarget | undefined {
    // Negated so that a time that is none (NaN) fails.
    if (!(now <= this.expires)) return undefined;
    const asked = { tag, name: Buffer.from(tag) };
    const found = this.find(asked, now);
    if (found === undefined) return undefined;
    const digest = found.role.targets.digestAt(found.at);
    // Docker takes sha256 only: "no valid hash, expecting sha256" (notary-semantics.md §2.3).
    if (digest === undefined) return undefined;
    const expires = found.role.expires < this.expires ? found.role.expires : this.expires;
    return {
      name: tag,
      digest: `sha256:${digest}`,
      length: found.role.targets.lengthAt(found.at),
      role: found.role.role,
      signers: this.signersOf(asked, digest, now),
      expires,
    };
  }

  tags(now: Date): readonly string[] {
    const names = new Set<string>();
    for (const { targets } of this.answering()) {
      for (let at = 0; at < targets.size; at += 1) names.add(targets.nameAt(at));
    }
    return [...names].filter((name) => this.isSigned(name, now)).sort();
  }

  tagsNear(tag: string, now: Date, each: number): readonly string[] {
    const name = Buffer.from(tag);
    const most = Math.min(each, Math.ceil(NEARBY_LOOKUPS / (1 + this.belowReleases.length) / 4));
    const names = new Set<string>();
    for (const { targets } of this.answering()) {
      const middle = targets.lowerBound(name);
      const end = Math.min(targets.size, middle + most);
      for (let at = Math.max(0, middle - most); at < end; at += 1) names.add(targets.nameAt(at));
    }
    return [...names].filter((other) => this.isSigned(other, now)).sort();
  }

  /** The roles that a tag is taken from. */
  private answering(): readonly TargetsRole[] {
    const releases = this.delegations.get(RELEASES);
    return releases === undefined ? [this.top] : [this.top, releases];
  }

  private isSigned(tag: string, now: Date): boolean {
    if (!(now <= this.expires)) return false;
    const found = this.find({ tag, name: Buffer.from(tag) }, now);
    return found?.role.targets.digestAt(found.at) !== undefined;
  }

  /**
   * First the subtree of `targets/releases`, then `targets`. A hit below `targets/releases` is refused by Docker and
   * hides an entry in `targets` (notary-semantics.md §8), so it ends the search here too. So does a hit in a role that has
   * expired since it was verified, or whose keys were replaced (replaced.ts): Docker goes on to `targets`, where an older
   * entry may be left from before there were signers.
   */
  private find(asked: Asked, now: Date): Found | undefined {
    const releases = this.delegations.get(RELEASES);
    if (releases?.paths.covers(asked.tag) === true) {
      const at = releases.targets.find(asked.name);
      if (at !== undefined) return mayName(releases, asked.tag, now) ? { role: releases, at } : undefined;
      if (this.belowReleases.some((role) => this.holds(role, asked, undefined) !== undefined))
        return undefined;
    }
    const at = this.top.targets.find(asked.name);
    return at === undefined ? undefined : { role: this.top, at };
  }

  /** Where a role that may name the tag has it. Whether it has it is asked first: that costs less. */
  private holds(role: TargetsRole, { tag, name }: Asked, now: Date | undefined): number | undefined {
    const at = role.targets.find(name);
    return at !== undefined && this.isReachable(role, tag, now) ? at : undefined;
  }

  /**
   * Every role from `role` up to below `targets` may name the tag: a search stops at the first that may not.
   *
   * @param now undefined: whatever has expired.
   */
  private isReachable(role: TargetsRole, tag: string, now: Date | undefined): boolean {
    if (!(now === undefined ? role.paths.covers(tag) : mayName(role, tag, now))) return false;
    const parentName = role.role.slice(0, role.role.lastIndexOf('/'));
    if (parentName === 'targets') return true;
    const parent = this.delegations.get(parentName);
    return parent !== undefined && this.isReachable(parent, tag, now);
  }

  /**
   * Delegations other than `targets/releases` that hold the same digest under the same name (notary-semantics.md §2.2,
   * `inspect`).
   */
  private signersOf(asked: Asked, digest: string, now: Date): readonly string[] {
    const signers: string[] = [];
    for (const role of this.delegations.values()) {
      if (role.role === RELEASES) continue;
      const at = this.holds(role, asked, now);
      if (at !== undefined && role.targets.digestAt(at) === digest)
        signers.push(role.role.slice('targets/'.length));
    }
    return signers.sort();
  }
}

/** Of what may name nothing. */
const LONG_AGO = new Date(0);

function mayName(role: TargetsRole, tag: string, now: Date): boolean {
  return now <= role.expires && role.paths.covers(tag);
}

/** Two bytes a character at most, and the object itself. */
function bytesOfTexts(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + 2 * text.length + 32, 0);
}

function toTargetsRole(
  { role, metadata, paths }: VerifiedDelegation,
  expires = metadata.expires,
): TargetsRole {
  return {
    role: detached(role),
    expires,
    paths: new PathSet(paths.map(detached)),
    targets: metadata.targets,
  };
}

/** A copy with bytes of its own: a part of a text keeps the whole text alive. */
function detached(text: string): string {
  return Buffer.from(text).toString();
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
    role: detached(role),
    version,
    expires,
    keyIds: keys.keys.map((key) => key.id),
    canonicalKeyIds: keys.keys.map((key) => key.canonicalId),
    threshold: keys.threshold,
    skipped: undefined,
  };
}
