/** What a corruption is made of. */
import type { Plain, PlainSignature } from '../../../proxy/demo/notary/metadata-writer.ts';
import type { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { parentOf } from '../../../proxy/demo/notary/repository-roles.ts';

/** Every kind of metadata file; the last is the delegation that Docker takes tags from. */
export const CORRUPTIBLE_ROLES = ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases'] as const;
export type CorruptibleRole = (typeof CORRUPTIBLE_ROLES)[number];

/**
 * Who corrupts.
 *
 * - `transit` stands between us and the server and holds no key: every signature and every hash stays as it was.
 * - `server` holds the keys of all files that name the altered one: the hashes fit, its signature is not renewed.
 * - `keyHolder` holds the key of the altered file and publishes it as its next version: it is signed well.
 */
export const ATTACKERS = ['transit', 'server', 'keyHolder'] as const;
export type Attacker = (typeof ATTACKERS)[number];

export type Scene = {
  readonly repository: SimulatedRepository;
  /** The role under attack. */
  readonly role: CorruptibleRole;
  /** The file that is altered for it. */
  readonly file: CorruptibleRole;
  /** Makes another repository just like it. */
  readonly create: () => SimulatedRepository;
};

export type Corruption = {
  readonly name: string;
  /** The file altered: the role's own, the one that declares its keys, or the one that gives its hash and length. */
  readonly alters: 'itself' | 'declaration' | 'description';
  /** All that have such a file when absent. */
  readonly roles?: readonly CorruptibleRole[];
  /** All three when absent. */
  readonly attackers?: readonly Attacker[];
  /** Changes what is signed; a key holder signs the result. */
  readonly content?: (signed: Record<string, Plain>, scene: Scene) => void;
  /** Changes the text of `signed` after it was signed. */
  readonly spelling?: (text: string) => string;
  readonly signatures?: (signatures: readonly PlainSignature[], scene: Scene) => readonly PlainSignature[];
  /** Changes the finished file; undefined takes it away. */
  readonly bytes?: (bytes: Uint8Array, scene: Scene) => Uint8Array | undefined;
  /** What a key holder does instead of signing altered content: an honest publication of something wrong. */
  readonly republish?: (repository: SimulatedRepository, role: CorruptibleRole) => void;
};

export type Forged = {
  readonly repository: SimulatedRepository;
  readonly honest: Uint8Array;
  /** undefined: the file was taken away. */
  readonly forged: Uint8Array | undefined;
};

export function fileAltered({ alters }: Corruption, role: CorruptibleRole): CorruptibleRole {
  if (alters === 'itself') return role;
  if (alters === 'declaration') return parentOf(role) === 'root' ? 'root' : 'targets';
  return role === 'snapshot' ? 'timestamp' : 'snapshot';
}

/** The roles a corruption makes sense for: nothing gives a hash of the timestamp. */
export function rolesOf({ alters, roles = CORRUPTIBLE_ROLES }: Corruption): readonly CorruptibleRole[] {
  return alters === 'description' ? roles.filter((role) => role !== 'timestamp') : roles;
}

/** No file names the timestamp, so whoever sits at the server can do no more to it than whoever sits before it. */
export function attackersOf(corruption: Corruption, role: CorruptibleRole): readonly Attacker[] {
  const { attackers = ATTACKERS } = corruption;
  return fileAltered(corruption, role) === 'timestamp'
    ? attackers.filter((attacker) => attacker !== 'server')
    : attackers;
}

/** A plain copy of the file as it is served. */
export function readFile(
  { files }: SimulatedRepository,
  file: CorruptibleRole,
): { readonly signed: Record<string, Plain>; readonly signatures: readonly PlainSignature[] } {
  return JSON.parse(Buffer.from(files.get(file) ?? Buffer.from('{}')).toString());
}
