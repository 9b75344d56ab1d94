/** The books of a simulated repository: its roles, and the content each signs (notary-semantics.md §3). */
import type { Digest } from '../../names/reference.ts';
import {
  describeKeys,
  type Plain,
  type PlainDelegation,
  type PlainRole,
  type SignedRoot,
  type SignedTargets,
} from './metadata-writer.ts';
import type { KeyKind, SigningKey } from './signing-key.ts';

const DAY_MS = 86_400_000;

/** Lifetimes Notary gives when signing (notary-semantics.md §3), in milliseconds. */
export const NOTARY_LIFETIMES = {
  root: 3650 * DAY_MS,
  targets: 1095 * DAY_MS,
  snapshot: 1095 * DAY_MS,
  timestamp: 14 * DAY_MS,
} as const;

export type BaseRole = keyof typeof NOTARY_LIFETIMES;
export const BASE_ROLES: readonly BaseRole[] = ['root', 'targets', 'snapshot', 'timestamp'];

/** A kind makes a new key; a ready key is used as it is. */
export type KeyChoice = KeyKind | SigningKey;

export type RepositoryOptions = {
  readonly clock?: () => Date;
  /** Only x509 kinds can be valid root keys (notary-semantics.md §4.4); `ecdsa-x509` when absent. */
  readonly rootKey?: KeyChoice;
  readonly targetsKey?: KeyChoice;
  readonly snapshotKey?: KeyChoice;
  readonly timestampKey?: KeyChoice;
  /** In milliseconds; delegations live as long as targets. */
  readonly lifetimes?: Partial<Record<BaseRole, number>>;
};

export type DelegationOptions = {
  /** Plain string prefixes of tag names; every tag (`['']`) when absent. */
  readonly paths?: readonly string[];
  readonly keyType?: KeyKind;
  /** Ready keys, instead of `keyType` and `keyCount`. */
  readonly keys?: readonly SigningKey[];
  readonly threshold?: number;
  readonly keyCount?: number;
  /** The delegating role, for a name that does not already start with it. */
  readonly parent?: string;
};

export type TagOptions = { readonly role?: string; readonly custom?: Plain; readonly sha512?: Uint8Array };

export type ResignOptions = {
  /** Sign with these instead of the keys that signed last. */
  readonly keys?: readonly SigningKey[];
  /** The text of `signed` in the file; the signatures stay over the mutated plain content. */
  readonly rawSigned?: string;
  /** What is signed, instead of the canonical form of the mutated content. */
  readonly signBytes?: Uint8Array;
  /** When false, snapshot and timestamp go on naming the file as it was before. */
  readonly propagate?: boolean;
};

export type RotateOptions = {
  /** Root only: when false, the keys before it do not sign the new root. */
  readonly crossSign?: boolean;
};

export type Role = {
  readonly name: string;
  keys: SigningKey[];
  threshold: number;
  /** The version published last, 0 before the first. */
  version: number;
  nextVersion: number | undefined;
  expires: Date | string | undefined;
  dirty: boolean;
  /** What was signed last, and by whom. */
  signed: unknown;
  signers: readonly SigningKey[];
  /** Delegations: prefixes of the tags they may sign. */
  paths: readonly string[];
  /** Delegations: false until there is something to sign; `docker trust signer add` alone makes no file. */
  hasFile: boolean;
  readonly targets: Map<string, SignedTargets['targets'][string]>;
};

export type Roles = ReadonlyMap<string, Role>;

export function newRole(name: string, keys: readonly SigningKey[]): Role {
  const isBase = !name.includes('/');
  return {
    name,
    keys: [...keys],
    threshold: 1,
    version: 0,
    nextVersion: undefined,
    expires: undefined,
    dirty: isBase,
    signed: undefined,
    signers: [],
    paths: [],
    hasFile: isBase,
    targets: new Map(),
  };
}

/** The role's content changed: the next publication signs it again. */
export function touch(role: Role): void {
  role.dirty = true;
  role.hasFile = true;
}

/** `qa` is short for `targets/qa`. */
export function toRoleName(name: string): string {
  return name === 'targets' || name.startsWith('targets/') ? name : `targets/${name}`;
}

/** Which role names the keys of this one: root for the base roles, its own parent for a delegation. */
export function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash < 0 ? 'root' : name.slice(0, slash);
}

/** Hashes stand in metadata as base64 of the raw digest, not as hex (notary-semantics.md §3.2). */
export function fromDigest(digest: Digest): string {
  return Buffer.from(digest.slice(digest.indexOf(':') + 1), 'hex').toString('base64');
}

function describeRole(role: Role): PlainRole {
  return { keyids: role.keys.map((key) => key.id), threshold: role.threshold };
}

export function rootContent(
  roles: Roles,
): Pick<SignedRoot, '_type' | 'consistent_snapshot' | 'keys' | 'roles'> {
  const base = [...roles.values()].filter((role) => parentOf(role.name) === 'root');
  const described = Object.fromEntries(base.map((role) => [role.name, describeRole(role)]));
  return {
    _type: 'Root',
    consistent_snapshot: false,
    keys: describeKeys(base.flatMap((role) => role.keys)),
    roles: described as SignedRoot['roles'],
  };
}

export function targetsContent(
  roles: Roles,
  role: Role,
): Pick<SignedTargets, '_type' | 'delegations' | 'targets'> {
  const children = [...roles.values()].filter((child) => parentOf(child.name) === role.name);
  const delegations = {
    keys: describeKeys(children.flatMap((child) => child.keys)),
    roles: children.map(describeDelegation),
  };
  return { _type: 'Targets', delegations, targets: Object.fromEntries(role.targets) };
}

/** `paths` is left out when empty (notary-semantics.md §3.2). */
function describeDelegation(role: Role): PlainDelegation {
  const paths = role.paths.length === 0 ? {} : { paths: [...role.paths] };
  return { ...describeRole(role), name: role.name, ...paths };
}
