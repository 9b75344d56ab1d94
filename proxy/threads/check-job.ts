/**
 * The check of one file as two threads speak of it: plain data both ways. What is large travels without being copied,
 * the file's bytes there and the packed table of its entries back.
 */

import {
  type CheckedFile,
  checkFile,
  type FileCheck,
  type FileKind,
  type MetadataOf,
} from '../trust-client/check-file.ts';
import { type TrustCause, TrustError } from '../trust-client/errors.ts';
import { type PackedTargets, TargetTable } from '../trust-client/target-table.ts';

/** `bytes` has memory of its own, which the other thread is given. */
export type CheckJob = FileCheck;

type Checked = {
  readonly kind: 'checked';
  readonly checked: Omit<CheckedFile, 'metadata'>;
  /** Without the table, which is a class and stays behind. */
  readonly metadata: object;
  readonly targets: PackedTargets | undefined;
};

type Refused = {
  readonly kind: 'refused';
  readonly code: TrustError['code'];
  readonly fault: TrustCause;
  readonly role: string | undefined;
  readonly message: string;
};

export type CheckAnswer = Checked | Refused;

/** Never throws. */
export function answerJob(job: CheckJob): CheckAnswer {
  try {
    const { sha256, content, signers, metadata } = checkFile(job);
    const checked = { sha256, content, signers };
    if (!('targets' in metadata)) return { kind: 'checked', checked, metadata, targets: undefined };
    const { targets, ...rest } = metadata;
    return { kind: 'checked', checked, metadata: rest, targets: targets.packed };
  } catch (error) {
    // `checkFile` makes a TrustError of everything, so this is one.
    const { code, fault, role, message } = error as TrustError;
    return { kind: 'refused', code, fault, role, message };
  }
}

/** What of an answer changes hands instead of being copied. */
export function buffersOf(answer: CheckAnswer): readonly ArrayBuffer[] {
  if (answer.kind === 'refused' || answer.targets === undefined) return [];
  const { names, ends, digests, lengths } = answer.targets;
  return [names, ends, digests, lengths].map(({ buffer }) => buffer as ArrayBuffer);
}

/** @throws TrustError that the other thread refused the file with. */
export function readAnswer<K extends FileKind>(answer: CheckAnswer): CheckedFile<K> {
  if (answer.kind === 'refused') {
    const { code, fault, role, message } = answer;
    throw new TrustError(code, fault, message, role === undefined ? {} : { role });
  }
  const { checked, metadata, targets } = answer;
  const whole = targets === undefined ? metadata : { ...metadata, targets: new TargetTable(targets) };
  return { ...checked, metadata: whole as MetadataOf[K] };
}
