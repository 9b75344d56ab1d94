/**
 * All that one metadata file proves by itself: bytes and the keys of its role in, plain data out. Pure, and the only
 * part of an update whose cost grows with what a publisher signs; so it can run in another thread, and what it gives
 * back can be sent there and back (limits.ts bounds its size).
 *
 * What depends on other files and on time, floors and expiry, is asked of the result by trusted-metadata.ts.
 */
import { createHash } from 'node:crypto';
import { bundleIn, isStrongCertificate } from './certificates.ts';
import { requireTime } from './deadline.ts';
import { sha256Hex } from './encoding.ts';
import { invalid, TrustError } from './errors.ts';
import {
  type Envelope,
  type FileMeta,
  parseEnvelope,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
  type SnapshotMetadata,
  type TargetsMetadata,
  type TimestampMetadata,
} from './metadata.ts';
import { countTries, type Role, verifyThreshold } from './signatures.ts';
import { turn } from './turn.ts';
import type { RoleName } from './types.ts';

/** What each kind of file says. */
export type MetadataOf = {
  readonly timestamp: TimestampMetadata;
  readonly snapshot: SnapshotMetadata;
  readonly targets: TargetsMetadata;
  /** A targets file that was verified before, read for what it lists: nobody's signature is asked for. */
  readonly remembered: TargetsMetadata;
};
export type FileKind = keyof MetadataOf;

export type FileCheck<K extends FileKind = FileKind> = {
  readonly kind: K;
  readonly role: RoleName;
  /** Exact bytes as served. */
  readonly bytes: Uint8Array;
  /** Who may sign it. */
  readonly keys: Role;
  /** What its parent says of it; undefined for the timestamp, which has none. */
  readonly meta: FileMeta | undefined;
};

export type CheckedFile<K extends FileKind = FileKind> = {
  readonly sha256: string;
  /** SHA-256 of what is signed, lower-case hex: the same whoever signed it, and however the file spells it. */
  readonly content: string;
  /** IDs of the keys whose signatures are valid. */
  readonly signers: readonly string[];
  readonly metadata: MetadataOf[K];
};

/**
 * Where files are checked: at once, or large ones in another thread.
 *
 * @throws TrustError as `checkFile`, and `deadline_exceeded` when `signal` is aborted before the check ends.
 */
export type FileChecker = <K extends FileKind>(
  gun: string,
  check: FileCheck<K>,
  signal: AbortSignal | undefined,
) => Promise<CheckedFile<K>>;

/**
 * In the thread that asks. Between two files everything else has its turn and the deadline is looked at, so many
 * files that cost much, stored ones too, hold up the rest no longer than one of them.
 */
export const checkAtOnce: FileChecker = async (gun, check, signal) => {
  requireTime(gun, signal);
  try {
    return checkFile(check);
  } finally {
    // Also when it is refused: an under-signed delegation is passed over, and the next one is checked.
    await turn();
    requireTime(gun, signal);
  }
};

/** In the order size → hash → form → signatures (notary-semantics.md §14). @throws TrustError, and nothing else. */
export function checkFile<K extends FileKind>(check: FileCheck<K>): CheckedFile<K> {
  const checked = checkWithin(check, Number.POSITIVE_INFINITY);
  if (checked === undefined) throw new Error('no number of signatures is above infinity');
  return checked;
}

/** @returns undefined when more than `most` signatures would have to be checked: nothing is known then. */
export function checkWithin<K extends FileKind>(
  check: FileCheck<K>,
  most: number,
): CheckedFile<K> | undefined {
  try {
    return proveFile(check, most);
  } catch (error) {
    throw toTrustError(error, check.role);
  } finally {
    SHORT_MATCH.exec('');
  }
}

/** The engine keeps the text of the last match, and with a part of a file all 32 MiB of it: the next match lets go. */
const SHORT_MATCH = /^/;

function proveFile<K extends FileKind>(
  { kind, role, bytes, keys, meta }: FileCheck<K>,
  most: number,
): CheckedFile<K> | undefined {
  if (role.startsWith('targets/')) requireStrongCertificates(role, keys);
  const sha256 = sha256Hex(bytes);
  if (meta !== undefined && !isNamedBy(meta, bytes, sha256)) {
    throw invalid('hash_mismatch', role, `${role} is not the file its parent names`);
  }
  const envelope = parseEnvelope(bytes, role);
  const metadata = PARSERS[kind](envelope, role);
  const content = sha256Hex(envelope.message);
  if (kind === 'remembered') return { sha256, content, signers: [], metadata };
  if (countTries(keys, envelope.signatures) > most) return undefined;
  const signers = verifyThreshold(keys, envelope.signatures, envelope.message, role);
  return { sha256, content, signers, metadata };
}

const PARSERS: { readonly [K in FileKind]: (envelope: Envelope, role: RoleName) => MetadataOf[K] } = {
  timestamp: parseTimestamp,
  snapshot: parseSnapshot,
  targets: parseTargets,
  remembered: parseTargets,
};

/**
 * Every hash given must match, over the bytes as served; honest lengths are exact (notary-semantics.md §7, §13
 * "mix-and-match").
 */
export function isNamedBy(meta: FileMeta, bytes: Uint8Array, sha256: string): boolean {
  return (
    bytes.length === meta.length &&
    sha256 === meta.sha256 &&
    (meta.sha512 === undefined || createHash('sha512').update(bytes).digest('hex') === meta.sha512)
  );
}

/**
 * A delegation's certificate may have expired, which its role's expiry covers, but one that is weak fails the whole
 * update as it does for Notary (notary-semantics.md §4.5).
 */
function requireStrongCertificates(name: RoleName, { keys }: Role): void {
  for (const { keytype, bytes } of keys) {
    if (!keytype.endsWith('-x509')) continue;
    const [leaf] = bundleIn(bytes) ?? [];
    if (leaf !== undefined && !isStrongCertificate(leaf)) {
      throw invalid('signature', name, `the certificate of a key of ${name} uses SHA-1 or too short a key`);
    }
  }
}

/** Whatever else is thrown over a file, the file is at fault: it was the only input. */
export function toTrustError(error: unknown, role: RoleName): TrustError {
  if (error instanceof TrustError) return error;
  return invalid('format', role, `${role} cannot be verified: ${String(error).split('\n', 1)[0]}`, error);
}
