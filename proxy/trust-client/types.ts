/**
 * What neighbours may see of trust-client/: the verified view of one repository, and the two ports through which
 * it touches the world.
 */
import type { Digest, Gun } from '../names/reference.ts';

/** `root`, `timestamp`, `snapshot`, `targets`, or a delegation `targets/<name>` (notary-semantics.md §3.3). */
export type RoleName = string;

/** One metadata file as a trust server names it: current, by version (`3.root`) or by hash (`snapshot.<hex>`). */
export type MetadataFile = {
  readonly role: RoleName;
  readonly version?: number;
  /** Lower-case hex. */
  readonly sha256?: string;
};

export type FetchLimits = {
  /** The answer may not be longer than this, in bytes. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Ask caches on the way for the newest copy. */
  readonly revalidate?: boolean;
};

/** Where metadata comes from. Declared here, by its consumer; implemented over HTTP and by the simulator. */
export interface TrustSource {
  /**
   * @returns the exact bytes as served, or undefined when the server answers that it has no such file.
   * @throws TrustError `trust_unreachable` for every other answer. One above `maxBytes` is `metadata_invalid` (`size`)
   * only where the source knows that it is the file.
   */
  fetch(gun: Gun, file: MetadataFile, limits: FetchLimits): Promise<Uint8Array | undefined>;
}

/** What was verified last for one role; the version is the floor under every later one. */
export type RoleRecord = {
  readonly version: number;
  /** SHA-256 of the file that set the version, lower-case hex. */
  readonly sha256: string;
  /** SHA-256 of what was signed, lower-case hex; absent in what was written before this was remembered. */
  readonly content?: string | undefined;
  /**
   * The keys whose signatures on that file were valid, each by its key ID and by what the key is in whatever
   * certificate or encoding (`identityOf`): a floor falls only when they lose the role.
   */
  readonly signers: readonly string[];
  /** How many of them the role asked for then; absent in what was written before this was remembered. */
  readonly threshold?: number | undefined;
  /** Lower versions that others signed, highest first: one of them counts when the keys above it lose the role. */
  readonly earlier?: readonly Omit<RoleRecord, 'earlier'>[] | undefined;
};

/** All that is remembered of one repository between two runs. */
export type StoredTrust = {
  /** Every root from the one a pin (or first use) vouched for to the newest, exact bytes, oldest first. */
  readonly roots: readonly Uint8Array[];
  /** The last verified timestamp, snapshot, targets and delegation files, exact bytes. */
  readonly files: ReadonlyMap<RoleName, Uint8Array>;
  readonly floors: ReadonlyMap<RoleName, RoleRecord>;
};

/** Which content an entry had, opaque to all but the state that gave it; undefined: there was no entry. */
export type StateStamp = string | undefined;

/** An entry, with the stamp that `save` must be given to replace exactly this one. */
export type LoadedTrust = StoredTrust & { readonly stamp: StateStamp };

export type SaveResult =
  | { readonly kind: 'saved'; readonly stamp: StateStamp }
  /** The entry is not the one that was loaded any more: nothing was written, load again and judge again. */
  | { readonly kind: 'changed' };

/** What a save replaces. */
export type Replaces = {
  /** Of the entry this update loaded; undefined: it found none. */
  readonly stamp: StateStamp;
  /**
   * Roles whose floor may go down, because the keys that set it have lost the role, or be forgotten, because nobody declares
   * them. Nothing else may.
   */
  readonly fallen?: ReadonlySet<RoleName>;
};

/**
 * Where it is remembered. Losing it loses rollback protection, so an implementation never drops an entry, and
 * never answers "nothing stored" for an entry it cannot read, or that went away while this process knew it.
 *
 * `save` is a compare-and-set, whoever else writes meanwhile: another update in this process (a reload makes new
 * parts over the same state) or another process. Entries only rise: roots are only added, and no role's version goes
 * down but for `fallen`.
 */
export interface TrustState {
  /**
   * @param admit asked with the number of bytes that are about to be read into memory; they are read when it is fulfilled.
   * @returns undefined only when nothing was ever stored. An entry without roots was forgotten on purpose.
   * @throws TrustError (`state`) when what was stored cannot be read, or is gone.
   */
  load(gun: Gun, admit?: (bytes: number) => Promise<void>): Promise<LoadedTrust | undefined>;
  /** Whether there is something to load, or was and is gone. False for what was forgotten on purpose. @throws TrustError (`state`) */
  has(gun: Gun): Promise<boolean>;
  /** The stamp `load` would give, without reading the rest. @throws TrustError (`state`) */
  stampOf(gun: Gun): Promise<StateStamp>;
  /**
   * Replaces the entry as a whole, atomically, if it is still the one that `replaces` names.
   *
   * @throws TrustError (`state`) when it cannot be written, or when it would lower what is there.
   */
  save(gun: Gun, trust: StoredTrust, replaces: Replaces): Promise<SaveResult>;
}

/** A tag as its signers signed it. */
export type TrustedTarget = {
  readonly name: string;
  readonly digest: Digest;
  /** Size of the signed manifest in bytes. */
  readonly length: number;
  /** The role Docker takes it from: `targets/releases`, or `targets`. */
  readonly role: RoleName;
  /** Other delegations that hold the same digest under the same name, without the `targets/` prefix, sorted. */
  readonly signers: readonly string[];
  /** The first expiry among the roles that vouch for it. */
  readonly expires: Date;
};

/** Whose signatures on a delegation's file are valid. */
export type SigningKeys = {
  /** How many the delegation asks for, as declared. */
  readonly threshold: number;
  /** Each distinct key that signed, by every ID it signed under: TUF and canonical, in each encoding. */
  readonly keys: readonly (readonly string[])[];
};

/** One role of the verified set, for people, metrics and `inspect`. */
export type RoleStatus = {
  readonly role: RoleName;
  readonly version: number;
  readonly expires: Date;
  readonly keyIds: readonly string[];
  readonly canonicalKeyIds: readonly string[];
  readonly threshold: number;
  /** Why a declared delegation is not used (`expired`, `threshold`, `absent`); undefined when it is. */
  readonly skipped: 'expired' | 'threshold' | 'absent' | undefined;
};

/** The verified metadata of one repository: immutable, and asked with a time. */
export interface VerifiedTrust {
  readonly gun: Gun;
  readonly roles: readonly RoleStatus[];
  /** The first expiry of root, timestamp, snapshot and targets: after it nothing here may be used. */
  readonly expires: Date;
  /** Who signed each delegation, by its name without `targets/`. Absent: not known, so no rule that names keys is met. */
  readonly signingKeys?: ReadonlyMap<string, SigningKeys>;
  /** The role among those four that expires first. */
  readonly firstToExpire: RoleName;
  /** The tag's signed target in Docker's order of roles, or undefined: the tag is not signed. */
  target(tag: string, now: Date): TrustedTarget | undefined;
  /** Every signed tag, sorted by name. */
  tags(now: Date): readonly string[];
  /** Signed tags next to this name, sorted: up to `each` names on either side are looked at, and no others. */
  tagsNear(tag: string, now: Date, each: number): readonly string[];
}
