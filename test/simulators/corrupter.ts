/**
 * Everything that can be wrong with one metadata file, one named entry a corruption, each applied by one of three
 * attackers. Hostile tests build their table from this list; the folder corruptions/ holds the entries.
 */

import {
  encodeEnvelope,
  encodeFileText,
  sha256Hex,
  signedBytes,
  signWith,
} from '../../proxy/demo/notary/metadata-writer.ts';
import type { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { aboutHashes } from './corruptions/about-hashes.ts';
import { aboutKeys } from './corruptions/about-keys.ts';
import { brokenBytes } from './corruptions/broken-bytes.ts';
import { otherContent } from './corruptions/other-content.ts';
import { otherFiles } from './corruptions/other-files.ts';
import { otherSignatures } from './corruptions/other-signatures.ts';
import { otherSpelling } from './corruptions/other-spelling.ts';
import {
  type Attacker,
  type CorruptibleRole,
  type Corruption,
  type Forged,
  fileAltered,
  readFile,
  type Scene,
} from './corruptions/types.ts';

export const CORRUPTIONS: readonly Corruption[] = [
  ...brokenBytes,
  ...otherSpelling,
  ...otherContent,
  ...otherSignatures,
  ...aboutKeys,
  ...aboutHashes,
  ...otherFiles,
];

/**
 * Corrupts a repository that is as the factory makes it.
 *
 * @param create makes the honest repository, each time with the same keys and versions.
 * @param role the role under attack; which file that alters, the corruption says.
 */
export function corrupt(
  create: () => SimulatedRepository,
  corruption: Corruption,
  role: CorruptibleRole,
  attacker: Attacker,
): Forged {
  const repository = create();
  const file = fileAltered(corruption, role);
  const honest = repository.files.get(file) ?? Buffer.alloc(0);
  const scene: Scene = { repository, role, file, create };
  if (attacker === 'keyHolder' && corruption.republish !== undefined) {
    corruption.republish(repository, role);
    return { repository, honest, forged: repository.files.get(file) };
  }
  const forged = forge(corruption, scene, attacker);
  if (attacker === 'transit') replaceEverywhere(repository, honest, forged);
  else {
    const version = repository.version(file) + (attacker === 'keyHolder' ? 1 : 0);
    repository.replaceFile(file, forged ?? Buffer.alloc(0), { version });
  }
  return { repository, honest, forged };
}

/** The file's new bytes: what is signed, then how it is spelled, then who signed, then the bytes themselves. */
function forge(corruption: Corruption, scene: Scene, attacker: Attacker): Uint8Array | undefined {
  const { repository, file } = scene;
  const { signed, signatures: honest } = readFile(repository, file);
  if (attacker === 'keyHolder') signed['version'] = repository.version(file) + 1;
  corruption.content?.(signed, scene);
  const plainText = encodeFileText(signed);
  const text = corruption.spelling?.(plainText) ?? plainText;
  const signatures = attacker === 'keyHolder' ? signWith(repository.keys(file), signedBytes(signed)) : honest;
  const bytes = encodeEnvelope(text, corruption.signatures?.(signatures, scene) ?? signatures);
  return corruption.bytes === undefined ? bytes : corruption.bytes(bytes, scene);
}

/** Whatever name the honest file is asked for by, the other bytes come. */
function replaceEverywhere(
  repository: SimulatedRepository,
  honest: Uint8Array,
  forged: Uint8Array | undefined,
): void {
  const sha256 = sha256Hex(honest);
  for (const [name, bytes] of repository.files) {
    if (sha256Hex(bytes) !== sha256) continue;
    if (forged === undefined) repository.files.delete(name);
    else repository.files.set(name, forged);
  }
}
