/** What one update knows of files: verified ones, and delegations that are passed over. */
import type { CheckedFile, FileCheck, FileKind } from './check-file.ts';
import type { DelegatedRole, FileMeta, TargetsMetadata } from './metadata.ts';
import type { Role } from './signatures.ts';
import type { RoleName } from './types.ts';

/** A verified file of one role. */
export type Verified<M> = {
  readonly role: RoleName;
  readonly metadata: M;
  readonly keys: Role;
  /** Exact bytes as served. */
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** SHA-256 of what is signed. */
  readonly content: string;
  readonly signers: readonly string[];
};

/**
 * A verified delegation, with the paths that are left to it after every ancestor's restriction (notary-semantics.md §8).
 */
export type VerifiedDelegation = Verified<TargetsMetadata> & { readonly paths: readonly string[] };

/**
 * Why a declared delegation is passed over instead of failing the update, as Notary does (notary-semantics.md §7.2, §8).
 */
export type SkipReason = 'expired' | 'threshold' | 'absent';

export type SkippedDelegation = {
  readonly reason: SkipReason;
  readonly declared: DelegatedRole;
  /** The file that the snapshot names, which proves that it is to be passed over; undefined when it names none. */
  readonly bytes: Uint8Array | undefined;
};

export type DeclaredDelegation = DelegatedRole & { readonly meta: FileMeta | undefined };

/** Checks one file by itself; a large one may be checked in another thread. */
export type CheckFile = <K extends FileKind>(check: FileCheck<K>) => Promise<CheckedFile<K>>;
