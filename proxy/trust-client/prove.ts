/** What the server, or the state, must show to prove one repository: timestamp, snapshot, targets and delegations. */
import type { Gun } from '../names/reference.ts';
import { asLag, goesWith } from './behind-root.ts';
import { sha256InTurns } from './encoding.ts';
import { TrustError } from './errors.ts';
import type { RepositoryFiles } from './fetch.ts';
import { LIMITS } from './limits.ts';
import type { FileMeta } from './metadata.ts';
import { newestOf, noTrustData, type RootChain } from './root-chain.ts';
import { TrustedMetadata } from './trusted-metadata.ts';
import type { RoleName, StoredTrust } from './types.ts';
import type { CheckFile } from './verified.ts';

export type Pass = {
  readonly gun: Gun;
  readonly now: Date;
  readonly stored: StoredTrust;
  readonly files: RepositoryFiles;
  readonly check: CheckFile;
  /** SHA-256 of remembered files, each made once however often the update looks. */
  readonly hashes: WeakMap<Uint8Array, Promise<string>>;
  /** From the state alone: a root that was seen since may be newer than the rest. */
  readonly isRestored?: true;
};

/** @throws TrustError. */
export async function proveAll(pass: Pass, roots: RootChain): Promise<TrustedMetadata> {
  const { gun, stored, now, check } = pass;
  const held = await heldIn(pass);
  const trusted = new TrustedMetadata(newestOf(roots), gun, stored.floors, now, check, held);
  await trusted.acceptRoot(pass.files.signal);
  await proveTop(trusted, pass, roots);
  await proveTargets(trusted, pass);
  return trusted;
}

/** Remembered files of delegations, as far as they are the ones that set the floors. */
async function heldIn(pass: Pass): Promise<ReadonlyMap<RoleName, Uint8Array>> {
  const { files, floors } = pass.stored;
  const held = new Map<RoleName, Uint8Array>();
  for (const [role, bytes] of files) {
    const floor = role.startsWith('targets/') ? floors.get(role) : undefined;
    if (floor !== undefined && (await hashOf(pass, bytes)) === floor.sha256) held.set(role, bytes);
  }
  return held;
}

/**
 * Timestamp and snapshot. A cache on the way may lawfully hand out a timestamp a few minutes old, and a replica that lags
 * one that goes with an earlier root, so a stale one is asked for once more (notary-semantics.md §1.2).
 */
async function proveTop(trusted: TrustedMetadata, pass: Pass, roots: RootChain): Promise<void> {
  const { files, gun } = pass;
  let snapshot: Uint8Array | undefined;
  const accept = async (timestamp: Uint8Array) => {
    await acceptTimestamp(trusted, timestamp);
    snapshot = await bytesOf(pass, 'snapshot', trusted.timestamp.metadata.snapshot);
    await acceptSnapshot(trusted, snapshot);
    requireRootNamed(trusted, pass, roots);
  };
  const isStale = (error: unknown) =>
    error instanceof TrustError &&
    (error.fault === 'expired' ||
      error.fault === 'rollback' ||
      (error.isLag && roots.slice(0, -1).some((root) => snapshot !== undefined && goesWith(snapshot, root))));
  const bytes = await files.current('timestamp');
  if (bytes === undefined) throw noTrustData(gun);
  try {
    await accept(bytes);
  } catch (error) {
    // A server that then falls silent must not turn what it showed into an outage.
    const again = isStale(error)
      ? await files.current('timestamp', true).catch(undefinedOnOutage)
      : undefined;
    if (again === undefined || Buffer.from(again).equals(bytes)) throw error;
    await accept(again);
  }
}

function requireRootNamed(trusted: TrustedMetadata, { gun, isRestored }: Pass, roots: RootChain): void {
  if (trusted.isRootNamedBySnapshot) return;
  // An earlier root: the snapshot lags. One that nobody showed: the root files do.
  if (isRestored && roots.some((root) => trusted.isNamedBySnapshot(root))) return;
  throw new TrustError(
    'metadata_invalid',
    'hash_mismatch',
    `the snapshot of ${gun} names another root than the trusted one`,
    { role: 'root', isLag: true },
  );
}

/**
 * One that too few of today's keys signed is refused, but the key may have been replaced where we cannot see it: a replica
 * has the root from before, or the timestamp.
 */
async function acceptTimestamp(trusted: TrustedMetadata, bytes: Uint8Array): Promise<void> {
  try {
    await trusted.acceptTimestamp(bytes);
  } catch (error) {
    throw error instanceof TrustError && error.fault === 'threshold' ? asLag(error) : error;
  }
}

/** The same for a snapshot, which says itself which root it goes with. */
async function acceptSnapshot(trusted: TrustedMetadata, bytes: Uint8Array): Promise<void> {
  try {
    await trusted.acceptSnapshot(bytes);
  } catch (error) {
    const isOfAnotherRoot =
      error instanceof TrustError && error.fault === 'threshold' && !goesWith(bytes, trusted.root);
    throw isOfAnotherRoot ? asLag(error) : error;
  }
}

function undefinedOnOutage(failure: unknown): undefined {
  if (failure instanceof TrustError && failure.isOutage) return undefined;
  throw failure;
}

/**
 * Targets and every delegation below it. All the snapshot names are asked for together, before it is known which of
 * them are declared: their hashes are known already, and waiting for one after the other is what makes others slow.
 */
async function proveTargets(trusted: TrustedMetadata, pass: Pass): Promise<void> {
  const { meta } = trusted.snapshot.metadata;
  const names = [...meta.keys()].filter((name) => name !== 'root');
  const early = new Map<RoleName, Promise<Uint8Array>>();
  for (const name of names.length > LIMITS.delegations ? ['targets'] : names) {
    const bytes = fetchNamed(pass, name, meta);
    // Whoever needs the file meets its failure; one that nobody declares may fail unseen.
    bytes.catch(() => undefined);
    early.set(name, bytes);
  }
  const bytesFor = (name: RoleName) => early.get(name) ?? fetchNamed(pass, name, meta);
  await trusted.acceptTargets(await bytesFor('targets'));
  const parents = [trusted.targets];
  for (let parent = parents.shift(); parent !== undefined; parent = parents.shift()) {
    for (const declared of trusted.declaredBy(parent)) {
      if (declared.meta === undefined) {
        await trusted.skipAbsent(declared);
        continue;
      }
      if (pass.isRestored && trusted.isReplaced(declared)) {
        await trusted.skip({ reason: 'threshold', declared, bytes: undefined });
        continue;
      }
      const verified = await trusted.acceptDelegation(declared, await bytesFor(declared.name));
      if (verified !== undefined) parents.push(verified);
    }
  }
}

async function fetchNamed(
  pass: Pass,
  role: RoleName,
  meta: ReadonlyMap<RoleName, FileMeta>,
): Promise<Uint8Array> {
  const named = meta.get(role);
  if (named === undefined) throw new Error(`${role} is asked for although the snapshot does not name it`);
  return await bytesOf(pass, role, named);
}

/** From what is remembered where that is the very file, otherwise from the server. */
async function bytesOf(pass: Pass, role: RoleName, meta: FileMeta): Promise<Uint8Array> {
  const { stored, files } = pass;
  const remembered = stored.files.get(role);
  if (remembered?.length === meta.length && (await hashOf(pass, remembered)) === meta.sha256)
    return remembered;
  return await files.named(role, meta);
}

function hashOf({ hashes }: Pass, remembered: Uint8Array): Promise<string> {
  const hash = hashes.get(remembered) ?? sha256InTurns(remembered);
  hashes.set(remembered, hash);
  return hash;
}
