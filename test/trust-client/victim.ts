/** A repository with tags in targets and in a delegation, made again and again with the same keys and bytes. */
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { VerifiedRepository } from '../../proxy/trust-client/targets.ts';
import type { StoredTrust } from '../../proxy/trust-client/types.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { SimulatedSource } from '../simulators/simulated-source.ts';
import { digestOf, FIRST_USE, GUN, NOW } from './kit.ts';

const KEYS = {
  root: createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW }),
  targets: createSigningKey('ecdsa'),
  snapshot: createSigningKey('ecdsa'),
  timestamp: createSigningKey('ecdsa'),
  releases: createSigningKey('ecdsa'),
};

/** What is signed: `0.9` in targets, `1.0` in targets/releases. */
export const SIGNED = { '0.9': digestOf('b'), '1.0': digestOf('a') } as const;

/** Every file has the same version. */
export function createVictim(version: number): SimulatedRepository {
  const repository = new SimulatedRepository(GUN, {
    clock: () => NOW,
    rootKey: KEYS.root,
    targetsKey: KEYS.targets,
    snapshotKey: KEYS.snapshot,
    timestampKey: KEYS.timestamp,
  });
  repository.addDelegation('releases', { keys: [KEYS.releases] });
  repository.addTag('0.9', SIGNED['0.9'], 7);
  repository.signAs('releases', '1.0', SIGNED['1.0'], 8);
  for (const role of repository.roleNames()) repository.setVersion(role, version);
  repository.publish();
  return withKnownFiles(repository, version);
}

const publishedFiles = new Map<number, ReadonlyMap<string, Uint8Array>>();

/** ECDSA signatures differ each time; the files that a state remembers must be the very files that are served. */
function withKnownFiles(repository: SimulatedRepository, version: number): SimulatedRepository {
  const known = publishedFiles.get(version) ?? new Map(repository.files);
  publishedFiles.set(version, known);
  repository.files.clear();
  for (const [name, bytes] of known) repository.files.set(name, bytes);
  return repository;
}

export type Resolved = { readonly trust: VerifiedRepository; readonly stored: StoredTrust | undefined };

/** One update of the victim from the given state. */
export async function resolveVictim(
  repository: SimulatedRepository,
  stored?: StoredTrust,
): Promise<Resolved> {
  const state = createMemoryState(stored === undefined ? [] : [[GUN, stored]]);
  const request = { gun: GUN, pin: FIRST_USE, now: NOW, signal: new AbortController().signal };
  const trust = await updateTrust({ source: new SimulatedSource(repository), state }, request);
  return { trust, stored: await state.load(GUN) };
}

/** The digests of both tags as they are found, to compare with `SIGNED`. */
export function digestsOf(trust: VerifiedRepository): object {
  const digest = (tag: string) => trust.target(tag, NOW)?.digest ?? 'not signed';
  return { '0.9': digest('0.9'), '1.0': digest('1.0') };
}
