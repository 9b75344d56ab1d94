/**
 * The outcome of one row of the corrupter's table, by rule. A small model of the reader in notary-semantics.md §6, §7,
 * §14 that knows files only by what is wrong with them.
 */

import type { TrustCause, TrustError } from '../../proxy/trust-client/errors.ts';
import type { RoleName } from '../../proxy/trust-client/types.ts';
import {
  type Attacker,
  type CorruptibleRole,
  type Corruption,
  fileAltered,
} from '../simulators/corruptions/types.ts';
import { type Finding, findingOf } from './corrupter-findings.ts';

/** Versions that the server offers, and those that are remembered in each state. */
export const SERVED_VERSION = 5;
export const NEWER_VERSION = 9;

/** `none`: first contact; `same`: what is served was verified before; `newer`: so were later versions of it all. */
export const STATES = ['none', 'same', 'newer'] as const;
export type State = (typeof STATES)[number];

export type Row = {
  readonly corruption: Corruption;
  readonly role: CorruptibleRole;
  readonly attacker: Attacker;
  readonly state: State;
};

export type Outcome =
  | { readonly kind: 'accepted'; readonly unsigned?: Finding['unsigned'] | undefined }
  | {
      readonly kind: 'refused';
      readonly code: TrustError['code'];
      readonly fault: TrustCause;
      /** Not stated where two files contradict and either may be named. */
      readonly at?: RoleName;
    };

const ACCEPTED: Outcome = { kind: 'accepted' };

export function outcomeOf(row: Row, lengths: { readonly honest: number; readonly forged: number }): Outcome {
  const finding = findingOf(row.corruption.name, row.role);
  const file = fileAltered(row.corruption, row.role);
  if (row.state === 'newer') return againstNewerState(row, file, finding);
  if (file === 'root') return row.state === 'none' ? firstRoot(row, finding) : laterRoot(row, finding);
  if (file === 'timestamp') return timestamp(row, finding);
  if (row.attacker !== 'transit') return believedHash(row, file, finding);
  // What is remembered with the named hash is used, and never asked for again (notary-semantics.md §7.2 step 2).
  return row.state === 'same' ? ACCEPTED : brokenHash(row, file, lengths);
}

/**
 * An older timestamp is the first thing that shows, unless the timestamp itself cannot be read (notary-semantics.md §14).
 */
function againstNewerState(row: Row, file: CorruptibleRole, finding: Finding): Outcome {
  if (file === 'timestamp') {
    if (row.corruption.name === 'missing') return noTrustData();
    if (finding.form !== undefined) return invalid(finding.form, file);
  }
  // A timestamp under a key ID nobody knows makes us look at the root again, and what is there is malformed.
  if (row.role === 'timestamp' && row.attacker === 'keyHolder' && finding.form === 'key_mismatch') {
    return invalid(finding.form, 'root');
  }
  // Either by its version, or by the older root that is found when its signature makes us look again
  // (notary-semantics.md §7.3).
  return { kind: 'refused', code: 'metadata_rollback', fault: 'rollback' };
}

/**
 * notary-semantics.md §6.1: form, certificates, signatures; then expiry; then the snapshot must name this very root
 * (notary-semantics.md §7.2 step 3).
 */
function firstRoot(row: Row, finding: Finding): Outcome {
  if (row.corruption.name === 'missing') return noTrustData();
  const fault = finding.form ?? finding.certificate ?? proofOf(row, finding);
  if (fault !== undefined) return invalid(fault, 'root');
  if (finding.expired) return expired('root');
  if (row.attacker === 'transit') return invalid('hash_mismatch', 'root');
  return conclude(row, finding);
}

/**
 * With a trusted root only its successor is asked for; another root is looked at when the snapshot names it
 * (notary-semantics.md §7.3).
 */
function laterRoot(row: Row, finding: Finding): Outcome {
  if (row.attacker === 'transit') return ACCEPTED;
  if (finding.form !== undefined) return invalid(finding.form, 'root');
  if (row.attacker === 'server') {
    const isSigned = finding.certificate === undefined && proofOf(row, finding) === undefined;
    return isSigned ? rollback('root') : rotationRefused();
  }
  // TUF 5.3.5: what is served as the next version must say so.
  if (finding.version !== undefined) return rollback('root');
  if (finding.proof !== undefined) return rotationRefused();
  if (finding.expired) return expired('root');
  return conclude(row, finding);
}

function timestamp(row: Row, finding: Finding): Outcome {
  if (row.corruption.name === 'missing') return noTrustData();
  const fault = finding.form ?? proofOf(row, finding);
  if (fault !== undefined) return invalid(fault, 'timestamp');
  // Other bytes under the version that was seen: notary-semantics.md §13, rollback.
  const isRepeated = row.attacker === 'transit' || finding.version === 'equal';
  if (row.state === 'same' && (isRepeated || finding.version === 'lower')) return rollback('timestamp');
  return finding.expired ? expired('timestamp') : conclude(row, finding);
}

/** Snapshot, targets or the delegation, altered in such a way that everything above names the altered file. */
function believedHash(row: Row, file: CorruptibleRole, finding: Finding): Outcome {
  if (finding.form !== undefined) return invalid(finding.form, file);
  const proof = proofOf(row, finding);
  if (proof !== undefined) return isSkipped(row, file, proof) ? withoutDelegation() : invalid(proof, file);
  if (row.state === 'same' && finding.version === 'lower') return rollback(file);
  if (finding.expired) return isSkipped(row, file, 'expired') ? withoutDelegation() : expired(file);
  return conclude(row, finding);
}

/** On first contact the altered bytes meet the hash their parent gives. */
function brokenHash(row: Row, file: CorruptibleRole, lengths: { honest: number; forged: number }): Outcome {
  if (row.corruption.name === 'missing') {
    return { kind: 'refused', code: 'trust_unreachable', fault: 'unreachable', at: file };
  }
  return invalid(lengths.forged > lengths.honest ? 'size' : 'hash_mismatch', file);
}

/** The altered file is believed; what it says of the attacked role decides. */
function conclude(row: Row, { about, unsigned }: Finding): Outcome {
  const { role, state, corruption } = row;
  // What was verified before and is still declared must be there (TUF 5.5.5).
  const isHidden = role === 'targets/releases' && corruption.name === 'nothing said of the file';
  if (isHidden && state === 'same') return rollback(role);
  if (about === undefined) return { kind: 'accepted', unsigned };
  // Keys that lost the role take their floor with them; a threshold that is raised does not.
  const isKept = corruption.name === 'threshold above the number of keys';
  return isSkipped(isKept ? row : { ...row, state: 'none' }, role, about)
    ? withoutDelegation()
    : invalid(about, role);
}

/** Content that changed without its key has a stale signature. */
function proofOf({ corruption, attacker }: Row, { proof }: Finding): 'signature' | 'threshold' | undefined {
  if (proof !== undefined) return proof;
  return attacker !== 'keyHolder' && corruption.content !== undefined ? 'threshold' : undefined;
}

/**
 * notary-semantics.md §7.2 step 5, §8: an expired or under-signed delegation is passed over; any other fault fails the
 * update. One that was verified before must be signed.
 */
function isSkipped({ state }: Row, role: CorruptibleRole, fault: TrustCause): boolean {
  if (fault === 'threshold' && state === 'same') return false;
  return role === 'targets/releases' && (fault === 'threshold' || fault === 'expired');
}

function withoutDelegation(): Outcome {
  return { kind: 'accepted', unsigned: '1.0' };
}

function invalid(fault: TrustCause, at: RoleName): Outcome {
  return { kind: 'refused', code: 'metadata_invalid', fault, at };
}

function expired(at: RoleName): Outcome {
  return { kind: 'refused', code: 'metadata_expired', fault: 'expired', at };
}

function rollback(at: RoleName): Outcome {
  return { kind: 'refused', code: 'metadata_rollback', fault: 'rollback', at };
}

function rotationRefused(): Outcome {
  return { kind: 'refused', code: 'root_rotation_refused', fault: 'signature', at: 'root' };
}

function noTrustData(): Outcome {
  return { kind: 'refused', code: 'no_trust_data', fault: 'absent' };
}
