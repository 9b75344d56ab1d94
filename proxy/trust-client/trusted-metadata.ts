/**
 * The state machine of one update: bytes and one fixed time in, verified metadata out, or a TrustError. No I/O.
 *
 * Files must be offered in the order root → timestamp → snapshot → targets → delegations, each delegation after the
 * role that declares it; another order is our own mistake and throws a plain Error. Each file is checked in the
 * order size → hash → form → signatures → version → expiry (notary-semantics.md §14). What a file proves is used only
 * when every check passed; a failed update is thrown away as a whole.
 */
import { checkAtOnce, type FileKind, isNamedBy, type MetadataOf } from './check-file.ts';
import { invalid, TrustError } from './errors.ts';
import { type FileVersion, floorInForce, requireNotOlder } from './floors.ts';
import { LIMITS } from './limits.ts';
import type { FileMeta, SnapshotMetadata, TimestampMetadata } from './metadata.ts';
import { permittedBy, RELEASES, readReplaced } from './replaced.ts';
import { currentRootSteps, type RootFile, requireUnexpired } from './root-trust.ts';
import type { Role } from './signatures.ts';
import { inTurns } from './steps.ts';
import type { RoleName, RoleRecord } from './types.ts';
import type {
  CheckFile,
  DeclaredDelegation,
  SkippedDelegation,
  Verified,
  VerifiedDelegation,
} from './verified.ts';

export class TrustedMetadata {
  readonly root: RootFile;
  readonly delegations = new Map<RoleName, VerifiedDelegation>();
  readonly skipped = new Map<RoleName, SkippedDelegation>();
  /** Delegations among the verified ones that have expired: they prove nothing, but what they name is not taken elsewhere. */
  readonly expired = new Set<RoleName>();
  /** Remembered files of delegations that are passed over now: they prove nothing either, but hide names (replaced.ts). */
  readonly replaced = new Map<RoleName, VerifiedDelegation>();
  /** Roles whose floor fell with the keys that set it. */
  readonly fallen = new Set<RoleName>();
  private readonly gun: string;
  private readonly now: Date;
  private readonly floors: ReadonlyMap<RoleName, RoleRecord>;
  private readonly check: CheckFile;
  private readonly held: ReadonlyMap<RoleName, Uint8Array>;
  private loadedUntil: Date | undefined;
  private loadedTimestamp: Verified<TimestampMetadata> | undefined;
  private loadedSnapshot: Verified<SnapshotMetadata> | undefined;
  private loadedTargets: VerifiedDelegation | undefined;

  /**
   * @param root the newest root of a chain that root-trust.ts verified.
   * @param floors what was verified before; no file may be older (notary-semantics.md §7.5, §13).
   * @param held the very files that set the floors of delegations: while `targets` declares those, they must be there.
   */
  constructor(
    root: RootFile,
    gun: string,
    floors: ReadonlyMap<RoleName, RoleRecord>,
    now: Date,
    check: CheckFile = (file) => checkAtOnce(gun, file, undefined),
    held: ReadonlyMap<RoleName, Uint8Array> = new Map(),
  ) {
    this.gun = gun;
    this.check = check;
    this.root = root;
    this.floors = floors;
    this.held = held;
    this.now = now;
  }

  /** When the newest root, or the certificates it is signed with, stop being valid. */
  get rootValidUntil(): Date {
    return required(this.loadedUntil, 'root');
  }

  get timestamp(): Verified<TimestampMetadata> {
    return required(this.loadedTimestamp, 'timestamp');
  }

  get snapshot(): Verified<SnapshotMetadata> {
    return required(this.loadedSnapshot, 'snapshot');
  }

  get targets(): VerifiedDelegation {
    return required(this.loadedTargets, 'targets');
  }

  /** Comes first: nothing counts under a root that is not valid at `now`. @throws TrustError. */
  async acceptRoot(signal?: AbortSignal): Promise<void> {
    this.loadedUntil = await inTurns(currentRootSteps(this.root, this.gun, this.now), this.gun, signal);
  }

  async acceptTimestamp(bytes: Uint8Array): Promise<void> {
    required(this.loadedUntil, 'root');
    const keys = this.root.metadata.roles.timestamp;
    this.loadedTimestamp = await this.verify('timestamp', bytes, 'timestamp', keys, undefined);
  }

  /**
   * A snapshot also says which root it goes with; `isRootNamedBySnapshot` tells, and the caller heals or refuses: a
   * newer root may have to be fetched first (notary-semantics.md §7.2 step 3).
   */
  async acceptSnapshot(bytes: Uint8Array): Promise<void> {
    const { snapshot } = this.timestamp.metadata;
    const keys = this.root.metadata.roles.snapshot;
    this.loadedSnapshot = await this.verify('snapshot', bytes, 'snapshot', keys, snapshot);
  }

  get isRootNamedBySnapshot(): boolean {
    return this.isNamedBySnapshot(this.root);
  }

  isNamedBySnapshot({ bytes, sha256 }: RootFile): boolean {
    return isNamedBy(this.metaOf('root'), bytes, sha256);
  }

  async acceptTargets(bytes: Uint8Array): Promise<void> {
    const keys = this.root.metadata.roles.targets;
    const file = await this.verify('targets', bytes, 'targets', keys, this.metaOf('targets'));
    this.loadedTargets = { ...file, paths: [''] };
  }

  /**
   * The delegations a verified role declares, their paths cut down to what the role itself may sign
   * (notary-semantics.md §8), with what the snapshot says of each; one that the snapshot does not name has no metadata
   * (notary-semantics.md §8, outcome table).
   */
  declaredBy(parent: VerifiedDelegation): readonly DeclaredDelegation[] {
    return parent.metadata.delegations.map((declared) => {
      const meta = this.snapshot.metadata.meta.get(declared.name);
      // A role without a file, remembered or shown, may sign nothing, so its paths need not be compared.
      const hasFile = meta !== undefined || this.held.has(declared.name);
      return { ...declared, paths: hasFile ? permittedBy(parent, declared) : [], meta };
    });
  }

  /**
   * Passes over a declared delegation that has no metadata, with its whole subtree.
   *
   * @throws TrustError `metadata_rollback` for one that was there: an honest removal changes `targets`, which the
   *   holder of the online keys cannot (TUF client workflow 5.5.5).
   */
  async skipAbsent(declared: DeclaredDelegation): Promise<void> {
    // Tags are looked up there before `targets`: under new keys too, an entry from before there were signers must not come back.
    const isBeforeTargets = declared.name === RELEASES && this.held.has(RELEASES);
    if (isBeforeTargets || this.mustBeThere(declared)) {
      throw new TrustError(
        'metadata_rollback',
        'rollback',
        `${declared.name} was verified before and is still declared, but the snapshot does not name it`,
        { role: declared.name },
      );
    }
    await this.skip({ reason: 'absent', declared, bytes: undefined });
  }

  /**
   * @returns the verified delegation, or undefined when it is expired or under-signed: such a role is passed over
   *   with its subtree, and the lookup goes on without it. Every other fault fails the update (notary-semantics.md §7.2
   *   step 5). One that was verified before is not passed over: under-signed it fails the update, and expired it is kept,
   *   so that what it names is not taken from an older `targets` (targets.ts).
   */
  async acceptDelegation(
    declared: DeclaredDelegation,
    bytes: Uint8Array,
  ): Promise<VerifiedDelegation | undefined> {
    const { name } = declared;
    // A role that is passed over was fetched and verified all the same, so it counts.
    const followed = this.delegations.size + this.skipped.size;
    if (followed >= LIMITS.delegations || name.split('/').length - 1 > LIMITS.delegationDepth) {
      throw invalid(
        'size',
        name,
        `more delegations than the ${LIMITS.delegations} that are followed, or too deep`,
      );
    }
    if (declared.meta?.sha256 === undefined) {
      throw invalid('hash_mismatch', name, `the snapshot gives no sha256 for ${name}`);
    }
    const isKnown = this.mustBeThere(declared);
    try {
      const validAt = isKnown ? ANY_AGE : this.now;
      const file = await this.verify('targets', bytes, name, declared, declared.meta, validAt);
      const verified = { ...file, paths: declared.paths };
      this.delegations.set(name, verified);
      if (file.metadata.expires < this.now) this.expired.add(name);
      return verified;
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      if (isKnown || (error.fault !== 'expired' && error.fault !== 'threshold')) throw error;
      await this.skip({ reason: error.fault, declared, bytes });
      return undefined;
    }
  }

  /** In a stored state: the snapshot names another file, so this was passed over, and only what hides names was kept. */
  isReplaced({ name, meta }: DeclaredDelegation): boolean {
    return this.held.has(name) && this.floors.get(name)?.sha256 !== meta?.sha256;
  }

  /** What was remembered of it hides what `targets` holds under the same names (replaced.ts). */
  async skip(delegation: SkippedDelegation): Promise<void> {
    this.skipped.set(delegation.declared.name, delegation);
    await readReplaced(this.replaced, this.held, this.check, delegation.declared);
  }

  /** What the verified snapshot says of a file every snapshot must name. */
  metaOf(role: 'root' | 'targets'): FileMeta {
    const meta = this.snapshot.metadata.meta.get(role);
    if (meta === undefined) throw new Error(`a parsed snapshot always names ${role}`);
    return meta;
  }

  private async verify<K extends FileKind>(
    kind: K,
    bytes: Uint8Array,
    role: RoleName,
    { keys, threshold }: Role,
    meta: FileMeta | undefined,
    validAt = this.now,
  ): Promise<Verified<MetadataOf[K]>> {
    const checked = await this.check({ kind, role, bytes, keys: { keys, threshold }, meta });
    const { metadata, sha256, content, signers } = checked;
    this.requireFloor(role, { keys, threshold }, { version: metadata.version, sha256, content });
    requireUnexpired(role, metadata.expires, validAt);
    return { role, metadata, keys: { keys, threshold }, bytes, sha256, content, signers };
  }

  /**
   * Its floor's own file is remembered and still counts. When only what others signed counts, it hides names (replaced.ts).
   */
  private mustBeThere({ name, keys, threshold }: DeclaredDelegation): boolean {
    const floor = this.floors.get(name);
    if (floor === undefined || !this.held.has(name)) return false;
    return floorInForce(floor, { keys, threshold }) === floor;
  }

  /**
   * Rollback protection that Notary's client lacks for most roles (notary-semantics.md §7.5). A floor falls only when the
   * keys that signed it can no longer sign for the role: so a version raised by a stolen key does not lock anybody out once
   * the key was replaced (fast-forward recovery, TUF 5.3.11 and notary-semantics.md §13).
   */
  private requireFloor(role: RoleName, keys: Role, file: FileVersion): void {
    const newest = this.floors.get(role);
    if (newest === undefined) return;
    const floor = floorInForce(newest, keys);
    if (floor !== newest) this.fallen.add(role);
    if (floor !== undefined) requireNotOlder(role, file, floor);
  }
}

/** Every date is later. */
const ANY_AGE = new Date(-8.64e15);

function required<T>(value: T | undefined, role: string): T {
  if (value === undefined) throw new Error(`${role} is asked for before it was accepted`);
  return value;
}
