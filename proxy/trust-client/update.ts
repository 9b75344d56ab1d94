/**
 * One resolution of a repository's trust: what is remembered, then what the server says, then remembered again.
 *
 * The verb reads top to bottom: root → timestamp → snapshot → targets and delegations → save. A new state is saved
 * before anything is answered from it, so that no later run can accept less than was ever served.
 */
import type { Gun } from '../registry/reference.ts';
import { checkAtOnce, type FileChecker } from './check-file.ts';
import { sha256Hex, sha256OffThread } from './encoding.ts';
import { invalid, TrustError } from './errors.ts';
import { createRepositoryFiles, type RepositoryFiles } from './fetch.ts';
import { LIMITS } from './limits.ts';
import type { FileMeta } from './metadata.ts';
import {
  catchUpRoots,
  findFirstRoot,
  followRoots,
  newestOf,
  noTrustData,
  type RootChain,
  restoreRootChain,
} from './root-chain.ts';
import type { RootPin } from './root-trust.ts';
import { VerifiedRepository } from './targets.ts';
import { type CheckFile, TrustedMetadata } from './trusted-metadata.ts';
import type { RoleName, RoleRecord, StoredTrust, TrustSource, TrustState } from './types.ts';

export type UpdateDeps = {
  readonly source: TrustSource;
  readonly state: TrustState;
  /** Where files are checked; at once when absent. */
  readonly check?: FileChecker | undefined;
};

export type UpdateRequest = {
  readonly gun: Gun;
  readonly pin: RootPin;
  /** The one time everything in this update is judged by (TUF 5.1). */
  readonly now: Date;
  readonly signal: AbortSignal;
  /** What an earlier update proved: if the server still names the same timestamp, nothing else is asked. */
  readonly previous?: VerifiedRepository | undefined;
};

type Pass = {
  readonly gun: Gun;
  readonly now: Date;
  readonly stored: StoredTrust;
  readonly files: RepositoryFiles;
  readonly check: CheckFile;
};

type Proven = { readonly trusted: TrustedMetadata; readonly roots: RootChain };

const NOTHING_STORED: StoredTrust = { roots: [], files: new Map(), floors: new Map() };

/**
 * Asks the trust server and verifies everything it says.
 *
 * @throws TrustError; `isOutage` tells whether an earlier answer may be used instead.
 */
export async function updateTrust(deps: UpdateDeps, request: UpdateRequest): Promise<VerifiedRepository> {
  const { gun, pin, now, signal, previous } = request;
  const files = createRepositoryFiles(deps.source, gun, signal);
  if (previous !== undefined && now <= previous.expires && (await isUnchanged(files, previous)))
    return previous;
  // Asked for early, so that it travels beside the root; a failure is met where it is awaited.
  files.current('timestamp').catch(() => undefined);
  const stored = (await deps.state.load(gun)) ?? NOTHING_STORED;
  const chain =
    stored.roots.length > 0
      ? await followRoots(files, gun, restoreRootChain(stored.roots, gun, pin))
      : await findFirstRoot(files, gun, pin, now);
  const keepRoots = (roots: RootChain) => saveNewerRoots(deps.state, gun, stored, roots);
  await keepRoots(chain);
  const freshFiles = () => createRepositoryFiles(deps.source, gun, signal);
  const check = checkerFor(deps.check, gun, signal);
  const proven = await proveWithNewestRoot({ gun, now, stored, files, check }, chain, freshFiles, keepRoots);
  await saveIfChanged(deps.state, gun, stored, proven);
  return new VerifiedRepository(gun, proven.trusted);
}

/**
 * What was verified before, from the state alone, for use while the trust server cannot be asked.
 *
 * @throws TrustError when nothing is stored, or it is no longer valid at `now`.
 */
export async function restoreTrust(
  state: TrustState,
  gun: Gun,
  pin: RootPin,
  now: Date,
  deadline: Pick<UpdateDeps, 'check'> & { readonly signal?: AbortSignal } = {},
): Promise<VerifiedRepository> {
  const check = checkerFor(deadline.check, gun, deadline.signal);
  const stored = await state.load(gun);
  if (stored === undefined) throw noTrustData(gun);
  const lacking = (role: RoleName) =>
    new TrustError('trust_unreachable', 'state', `the stored trust state of ${gun} lacks ${role}`, { role });
  const files: RepositoryFiles = {
    current: async (role) => stored.files.get(role),
    rootVersion: async () => undefined,
    named: async (role) => {
      throw lacking(role);
    },
  };
  const trusted = await proveAll(
    { gun, now, stored, files, check },
    restoreRootChain(stored.roots, gun, pin),
  );
  return new VerifiedRepository(gun, trusted);
}

function checkerFor(check: FileChecker = checkAtOnce, gun: Gun, signal: AbortSignal | undefined): CheckFile {
  return (file) => check(gun, file, signal);
}

/** The common case: no newer root, and the very timestamp that was verified before. */
async function isUnchanged(files: RepositoryFiles, previous: VerifiedRepository): Promise<boolean> {
  const [timestamp, newerRoot] = await Promise.all([
    files.current('timestamp'),
    files.rootVersion(previous.root.metadata.version + 1),
  ]);
  if (timestamp === undefined) throw noTrustData(previous.gun);
  return newerRoot === undefined && sha256Hex(timestamp) === previous.timestampSha256;
}

/**
 * A file that does not verify may only mean that the root changed while we read, or that a version between is
 * missing; so once, and only if a newer root is found, everything is asked for again (notary-semantics.md §7.3).
 */
async function proveWithNewestRoot(
  pass: Pass,
  chain: RootChain,
  freshFiles: () => RepositoryFiles,
  keepRoots: (roots: RootChain) => Promise<void>,
): Promise<Proven> {
  try {
    return { trusted: await proveAll(pass, chain), roots: chain };
  } catch (error) {
    if (!isHealedByNewerRoot(error)) throw error;
    const files = freshFiles();
    const roots = await catchUpRoots(files, pass.gun, chain).catch((failure: unknown) => {
      throw failure instanceof TrustError && failure.isOutage ? error : failure;
    });
    if (roots.length === chain.length) throw error;
    await keepRoots(roots);
    return { trusted: await proveAll({ ...pass, files }, roots), roots };
  }
}

function isHealedByNewerRoot(error: unknown): boolean {
  return (
    error instanceof TrustError &&
    (error.fault === 'threshold' ||
      error.fault === 'signature' ||
      error.fault === 'hash_mismatch' ||
      (error.fault === 'expired' && error.role === 'root'))
  );
}

async function proveAll(pass: Pass, roots: RootChain): Promise<TrustedMetadata> {
  const trusted = new TrustedMetadata(newestOf(roots), pass.gun, pass.stored.floors, pass.now, pass.check);
  await proveTimestamp(trusted, pass);
  await trusted.acceptSnapshot(await bytesOf(pass, 'snapshot', trusted.timestamp.metadata.snapshot));
  if (!trusted.isRootNamedBySnapshot) {
    throw invalid(
      'hash_mismatch',
      'root',
      `the snapshot of ${pass.gun} names another root than the trusted one`,
    );
  }
  await proveTargets(trusted, pass);
  return trusted;
}

/** A cache on the way may lawfully hand out a timestamp a few minutes old, so a stale one is asked for once more (§1.2). */
async function proveTimestamp(trusted: TrustedMetadata, { files, gun }: Pass): Promise<void> {
  const bytes = await files.current('timestamp');
  if (bytes === undefined) throw noTrustData(gun);
  try {
    await trusted.acceptTimestamp(bytes);
  } catch (error) {
    const isStale = error instanceof TrustError && (error.fault === 'expired' || error.fault === 'rollback');
    // A server that then falls silent must not turn what it showed into an outage.
    const again = isStale ? await files.current('timestamp', true).catch(undefinedOnOutage) : undefined;
    if (again === undefined) throw error;
    await trusted.acceptTimestamp(again);
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
        trusted.skipAbsent(declared);
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
async function bytesOf({ stored, files }: Pass, role: RoleName, meta: FileMeta): Promise<Uint8Array> {
  const remembered = stored.files.get(role);
  if (remembered?.length === meta.length && (await sha256OffThread(remembered)) === meta.sha256)
    return remembered;
  return await files.named(role, meta);
}

/**
 * A root that its predecessor vouches for counts from then on, whatever becomes of the rest of the update (TUF 5.3.8):
 * a server that showed it once cannot take it back, and with it the keys it replaced. Not at first contact: what is
 * pinned then must have proved itself as a whole.
 */
async function saveNewerRoots(
  state: TrustState,
  gun: Gun,
  stored: StoredTrust,
  chain: RootChain,
): Promise<void> {
  const known = stored.roots.at(-1);
  if (known === undefined || sha256Hex(known) === newestOf(chain).sha256) return;
  await state.save(gun, { ...stored, roots: chain.map(({ bytes }) => bytes) });
}

/** A timestamp names every other file through the snapshot, the root too: the same one is the same state. */
async function saveIfChanged(
  state: TrustState,
  gun: Gun,
  stored: StoredTrust,
  proven: Proven,
): Promise<void> {
  const { trusted, roots } = proven;
  if (stored.floors.get('timestamp')?.sha256 === trusted.timestamp.sha256) return;
  const verified = [trusted.timestamp, trusted.snapshot, trusted.targets, ...trusted.delegations.values()];
  const floors = new Map<RoleName, RoleRecord>(stored.floors);
  for (const { role, metadata, sha256, signers } of verified) {
    floors.set(role, { version: metadata.version, sha256, signers });
  }
  await state.save(gun, { roots: roots.map(({ bytes }) => bytes), files: filesToKeep(trusted), floors });
}

/** Also those that were passed over: without them `restoreTrust` could not tell that they are to be. */
function filesToKeep(trusted: TrustedMetadata): ReadonlyMap<RoleName, Uint8Array> {
  const { timestamp, snapshot, targets, delegations, skipped } = trusted;
  const files = new Map<RoleName, Uint8Array>();
  for (const { role, bytes } of [timestamp, snapshot, targets, ...delegations.values()])
    files.set(role, bytes);
  for (const [role, { bytes }] of skipped) if (bytes !== undefined) files.set(role, bytes);
  return files;
}
