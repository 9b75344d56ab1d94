/**
 * One repository of a Notary server together with everybody who signs for it: owner, delegates and server.
 *
 * It signs on demand and keeps the exact bytes a server would send, under the names of the wire (`root`, `3.root`,
 * `snapshot.<hex>`). Everything is open on purpose: hostile tests take the keys, re-sign what they like and
 * overwrite files.
 */
import type { Digest, Gun } from '../../names/reference.ts';
import {
  describeFile,
  encodeEnvelope,
  encodeFileText,
  type Plain,
  type PlainMeta,
  type SignedOf,
  sha256Hex,
  signedBytes,
  signWith,
  writeFile,
} from './metadata-writer.ts';
import {
  BASE_ROLES,
  type BaseRole,
  type DelegationOptions,
  fromDigest,
  type KeyChoice,
  NOTARY_LIFETIMES,
  newRole,
  parentOf,
  type RepositoryOptions,
  type ResignOptions,
  type Role,
  type RotateOptions,
  rootContent,
  type TagOptions,
  targetsContent,
  toRoleName,
  touch,
} from './repository-roles.ts';
import { createSigningKey, type SigningKey } from './signing-key.ts';

export class SimulatedRepository {
  readonly gun: Gun;
  /** Wire name → the bytes served. Overwrite, add or delete to corrupt. */
  readonly files = new Map<string, Uint8Array>();
  readonly clock: () => Date;
  readonly #lifetimes: Record<BaseRole, number>;
  readonly #roles = new Map<string, Role>();
  #lastRootKeys: readonly SigningKey[] = [];

  constructor(gun: Gun, options: RepositoryOptions = {}) {
    this.gun = gun;
    this.clock = options.clock ?? (() => new Date());
    this.#lifetimes = { ...NOTARY_LIFETIMES, ...options.lifetimes };
    const choices: Record<BaseRole, KeyChoice> = {
      root: options.rootKey ?? 'ecdsa-x509',
      targets: options.targetsKey ?? 'ecdsa',
      snapshot: options.snapshotKey ?? 'ecdsa',
      timestamp: options.timestampKey ?? 'ecdsa',
    };
    for (const name of BASE_ROLES) this.#roles.set(name, newRole(name, [this.createKey(choices[name])]));
  }

  /**
   * Adds or replaces a tag; the next `publish()` signs it.
   *
   * @param content the manifest's bytes, or its sha256 digest
   * @param length in bytes; needed with a digest
   */
  addTag(tag: string, content: Uint8Array | Digest, length?: number, options: TagOptions = {}): void {
    const role = this.#role(toRoleName(options.role ?? 'targets'));
    const size = length ?? (typeof content === 'string' ? undefined : content.length);
    if (size === undefined) throw new TypeError(`The length of ${tag} is needed beside its digest.`);
    const sha256 = typeof content === 'string' ? fromDigest(content) : describeFile(content).hashes.sha256;
    const sha512 = options.sha512 && { sha512: Buffer.from(options.sha512).toString('base64') };
    const custom = options.custom === undefined ? {} : { custom: options.custom };
    role.targets.set(tag, { ...custom, hashes: { sha256, ...sha512 }, length: size });
    touch(role);
  }

  removeTag(tag: string, role = 'targets'): void {
    const holder = this.#role(toRoleName(role));
    if (!holder.targets.delete(tag)) throw new RangeError(`${role} holds no tag ${tag}.`);
    touch(holder);
  }

  /** Adds a tag to a delegation; `qa` is short for `targets/qa`. */
  signAs(delegation: string, tag: string, content: Uint8Array | Digest, length?: number): void {
    this.addTag(tag, content, length, { role: delegation });
  }

  /** What `docker trust sign` does: the tag goes into `targets/releases` and into the signer's own delegation. */
  trustSign(signer: string, tag: string, content: Uint8Array | Digest, length?: number): void {
    for (const delegation of ['releases', signer]) this.signAs(delegation, tag, content, length);
  }

  /** @returns the delegation's keys */
  addDelegation(name: string, options: DelegationOptions = {}): readonly SigningKey[] {
    const roleName =
      options.parent === undefined ? toRoleName(name) : `${toRoleName(options.parent)}/${name}`;
    touch(this.#role(parentOf(roleName)));
    const kinds = Array.from({ length: options.keyCount ?? 1 }, () => options.keyType ?? 'ecdsa');
    const role = newRole(roleName, options.keys ?? kinds.map((kind) => this.createKey(kind)));
    role.threshold = options.threshold ?? 1;
    role.paths = options.paths ?? [''];
    this.#roles.set(roleName, role);
    return role.keys;
  }

  /** Takes the delegation out of its parent and, with everything below it, out of the snapshot. */
  removeDelegation(name: string): void {
    const roleName = toRoleName(name);
    touch(this.#role(parentOf(roleName)));
    for (const other of [...this.#roles.keys()]) {
      if (other !== roleName && !other.startsWith(`${roleName}/`)) continue;
      this.#roles.delete(other);
      this.files.delete(other);
    }
  }

  roleNames(): readonly string[] {
    return [...this.#roles.keys()];
  }

  /** The role's keys as they are now. */
  keys(role: string): readonly SigningKey[] {
    return this.#role(role).keys;
  }

  /** The version published last, 0 before the first publication. */
  version(role: string): number {
    return this.#role(role).version;
  }

  /** A copy of what the role signed last. */
  signed<Name extends string>(role: Name): SignedOf<Name> {
    return structuredClone(this.#role(role).signed) as SignedOf<Name>;
  }

  setThreshold(role: string, threshold: number, keys?: readonly SigningKey[]): void {
    const changed = this.#role(role);
    changed.threshold = threshold;
    if (keys !== undefined) changed.keys = [...keys];
    this.#touchWithParent(changed);
  }

  /** Every later publication of the role carries this expiry, a string literally; undefined: its lifetime again. */
  setExpiry(role: string, expires: Date | string | undefined): void {
    const changed = this.#role(role);
    changed.expires = expires;
    touch(changed);
  }

  /** The next publication of the role carries exactly this version. */
  setVersion(role: string, version: number): void {
    const changed = this.#role(role);
    changed.nextVersion = version;
    touch(changed);
  }

  /**
   * Replaces all keys of a role by one new key, with threshold 1, and publishes, as `notary key rotate` does. A new
   * root is signed by the keys before it too.
   */
  rotateKey(role: string, choice?: KeyChoice, options: RotateOptions = {}): SigningKey {
    const rotated = this.#role(role);
    const key = this.createKey(choice ?? rotated.keys[0]?.kind ?? 'ecdsa');
    rotated.keys = [key];
    rotated.threshold = 1;
    if (role === 'root' && options.crossSign === false) this.#lastRootKeys = [];
    this.#touchWithParent(rotated);
    this.publish();
    return key;
  }

  /** A key for this repository: certificates name the GUN and start now. */
  createKey(choice: KeyChoice): SigningKey {
    if (typeof choice !== 'string') return choice;
    return createSigningKey(choice, { commonName: this.gun, now: this.clock() });
  }

  /** Signs what changed, each with the next version, then snapshot and timestamp over the files as they are. */
  publish(): void {
    for (const role of this.#roles.values()) {
      if (!role.dirty || !role.hasFile || role.name === 'snapshot' || role.name === 'timestamp') continue;
      this.#write(role, role.name === 'root' ? rootContent(this.#roles) : targetsContent(this.#roles, role));
    }
    this.relink();
  }

  /** A new snapshot and timestamp that name every other file with the bytes it has now, corrupted or not. */
  relink(): void {
    const named = [...this.#roles.keys()].filter((name) => name !== 'snapshot' && name !== 'timestamp');
    this.#write(this.#role('snapshot'), { _type: 'Snapshot', meta: this.#describe(named) });
    this.refreshTimestamp();
  }

  /** A new timestamp over the snapshot as it is. */
  refreshTimestamp(): void {
    this.#write(this.#role('timestamp'), { _type: 'Timestamp', meta: this.#describe(['snapshot']) });
  }

  /**
   * Signs the role's last content again after changing it, and serves the result. The repository's own books stay
   * as they are: the next honest publication of the role undoes the forgery.
   */
  resign<Name extends string>(
    role: Name,
    mutate: (signed: SignedOf<Name>) => void,
    options: ResignOptions = {},
  ): Uint8Array {
    const signed = this.signed(role);
    mutate(signed);
    const text = options.rawSigned ?? encodeFileText(signed as unknown as Plain);
    const keys = options.keys ?? this.#role(role).signers;
    const bytes = encodeEnvelope(text, signWith(keys, options.signBytes ?? signedBytes(signed)));
    this.replaceFile(role, bytes, { version: signed.version, propagate: options.propagate ?? true });
    return bytes;
  }

  /** Serves these bytes for the role, and lets snapshot and timestamp name them unless told not to. */
  replaceFile(
    role: string,
    bytes: Uint8Array,
    options: { version?: number; propagate?: boolean } = {},
  ): void {
    this.#store(role, options.version ?? this.version(role), bytes);
    if (options.propagate === false || role === 'timestamp') return;
    if (role === 'snapshot') this.refreshTimestamp();
    else this.relink();
  }

  #role(name: string): Role {
    const role = this.#roles.get(name);
    if (role === undefined) throw new RangeError(`${this.gun} has no role ${name}.`);
    return role;
  }

  /** New keys or a new threshold stand in the parent, and the role itself must be signed by them. */
  #touchWithParent(role: Role): void {
    touch(this.#role(parentOf(role.name)));
    role.dirty = true;
  }

  /** The root before a new one has to vouch for it (notary-semantics.md §6.1), so its keys sign too. */
  #signers(role: Role): readonly SigningKey[] {
    if (role.name !== 'root') return role.keys;
    const earlier = this.#lastRootKeys.filter((key) => !role.keys.some(({ id }) => id === key.id));
    this.#lastRootKeys = [...role.keys];
    return [...earlier, ...role.keys];
  }

  #write(role: Role, content: object): void {
    const version = role.nextVersion ?? role.version + 1;
    const signed = { ...content, expires: this.#expires(role), version };
    const signers = this.#signers(role);
    Object.assign(role, { version, nextVersion: undefined, dirty: false, signed, signers });
    this.#store(role.name, version, writeFile(signed, signers));
  }

  #expires(role: Role): string {
    if (typeof role.expires === 'string') return role.expires;
    const lifetime = this.#lifetimes[BASE_ROLES.find((name) => name === role.name) ?? 'targets'];
    return (role.expires ?? new Date(this.clock().getTime() + lifetime)).toISOString();
  }

  #store(role: string, version: number, bytes: Uint8Array): void {
    for (const name of [role, `${version}.${role}`, `${role}.${sha256Hex(bytes)}`])
      this.files.set(name, bytes);
  }

  /** The files of these roles as they are, each also served by the hash it gets here. */
  #describe(roles: readonly string[]): Record<string, PlainMeta> {
    const present = roles.flatMap((name) => {
      const bytes = this.files.get(name);
      return bytes === undefined ? [] : [{ name, bytes }];
    });
    const described = present.map(({ name, bytes }) => {
      const meta = describeFile(bytes);
      this.files.set(`${name}.${Buffer.from(meta.hashes.sha256, 'base64').toString('hex')}`, bytes);
      return [name, meta] as const;
    });
    return Object.fromEntries(described);
  }
}
