/**
 * One resolution of a repository's trust: what is remembered, then what the server says, then remembered again.
 *
 * The verb reads top to bottom: root → timestamp → snapshot → targets and delegations → save. A new state is saved
 * before anything is answered from it, so that no later run can accept less than was ever served.
 */
import type { Gun } from '../registry/reference.ts';
import { checkAtOnce, type FileChecker } from './check-file.ts';
import { sha256Hex, sha256OffThread } from './encoding.ts';
import { TrustError } from './errors.ts';
import { createRepositoryFiles, type RepositoryFiles } from './fetch.ts';
import { LIMITS } from './limits.ts';
import { inTime, LostRace, type Proven, recall } from './memory.ts';
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
import type { RoleName, StoredTrust, TrustSource, TrustState } from './types.ts';

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
  /** From the state alone: a root that was seen since may be newer than the rest. */
  readonly isRestored?: true;
};

/** How often an update is judged again because another one was saved before it. */
const ATTEMPTS = 4;

/**
 * Asks the trust server and verifies everything it says.
 *
 * @throws TrustError; `isOutage` and `isLag` tell whether an earlier answer may be used instead.
 */
export async function updateTrust(deps: UpdateDeps, request: UpdateRequest): Promise<VerifiedRepository> {
  const { gun, now, signal, previous } = request;
  const timely = { source: deps.source, state: inTime(deps.state, gun, signal) };
  const files = createRepositoryFiles(deps.source, gun, signal);
  if (previous !== undefined && now <= previous.expires && (await isUnchanged(timely.state, files, previous)))
    return previous;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const asked = attempt === 1 ? files : createRepositoryFiles(deps.source, gun, signal);
    try {
      return await updateOnce(timely, request, asked);
    } catch (error) {
      // What the other update saved may be newer than what this one read: it is judged by that now.
      if (!(error instanceof LostRace)) throw error;
    }
  }
  throw new TrustError(
    'trust_unreachable',
    'state',
    `the trust state of ${gun} was changed by others ${ATTEMPTS} times while it was updated; try again`,
  );
}

/** @throws LostRace when another update was saved since this one loaded. */
async function updateOnce(
  deps: UpdateDeps,
  { gun, pin, now, signal }: UpdateRequest,
  files: RepositoryFiles,
): Promise<VerifiedRepository> {
  // Asked for early, so that it travels beside the root; a failure is met where it is awaited.
  files.current('timestamp').catch(() => undefined);
  const memory = await recall(deps.state, gun);
  const { stored } = memory;
  const chain =
    stored.roots.length > 0
      ? await followRoots(files, gun, restoreRootChain(stored.roots, gun, pin), memory.keepRoots)
      : await findFirstRoot(files, gun, pin, now);
  await memory.keepRoots(chain);
  const freshFiles = () => createRepositoryFiles(deps.source, gun, signal);
  const check = checkerFor(deps.check, gun, signal);
  const pass: Pass = { gun, now, stored, files, check };
  const proven = await proveWithNewestRoot(pass, chain, freshFiles, memory.keepRoots);
  await memory.keep(proven);
  return new VerifiedRepository(gun, proven.trusted, memory.stamp());
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
  if (stored === undefined || stored.roots.length === 0) throw noTrustData(gun);
  const lacking = (role: RoleName) =>
    new TrustError('trust_unreachable', 'state', `the stored trust state of ${gun} lacks ${role}`, { role });
  const files: RepositoryFiles = {
    current: async (role) => stored.files.get(role),
    rootVersion: async () => undefined,
    named: async (role) => {
      throw lacking(role);
    },
  };
  const pass: Pass = { gun, now, stored, files, check, isRestored: true };
  const trusted = await proveAll(pass, restoreRootChain(stored.roots, gun, pin));
  return new VerifiedRepository(gun, trusted, stored.stamp);
}

function checkerFor(check: FileChecker = checkAtOnce, gun: Gun, signal: AbortSignal | undefined): CheckFile {
  return (file) => check(gun, file, signal);
}

/**
 * The common case: no newer root, the very timestamp that was verified before, and nobody saved anything since. A newer
 * root comes first, whatever the timestamp says or whether it is there: it must be kept.
 */
async function isUnchanged(
  state: TrustState,
  files: RepositoryFiles,
  previous: VerifiedRepository,
): Promise<boolean> {
  const timestamp = files.current('timestamp');
  const stamp = state.stampOf(previous.gun);
  // Each is awaited below; what fails earlier must not fail unseen.
  for (const early of [timestamp, stamp]) early.catch(() => undefined);
  if ((await files.rootVersion(previous.root.metadata.version + 1)) !== undefined) return false;
  if ((await stamp) !== previous.stamp) return false;
  const bytes = await timestamp;
  if (bytes === undefined) throw noTrustData(previous.gun);
  return sha256Hex(bytes) === previous.timestampSha256;
}

/**
 * A file that does not verify may only mean that the root changed while we read, or that a version between is
 * missing; so once, and only if a newer root is found now or was in this update, everything is asked for again: it may
 * have come from a replica that lags (notary-semantics.md §7.3).
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
    const { stored } = pass;
    const hasGrown =
      stored.roots.length > 0 && sha256Hex(stored.roots.at(-1) ?? NO_BYTES) !== newestOf(roots).sha256;
    if (roots.length === chain.length && !hasGrown) throw error;
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

const NO_BYTES = new Uint8Array();

async function proveAll(pass: Pass, roots: RootChain): Promise<TrustedMetadata> {
  const { gun, stored, now, check } = pass;
  const held = await heldIn(stored);
  const trusted = new TrustedMetadata(newestOf(roots), gun, stored.floors, now, check, held);
  await proveTimestamp(trusted, pass);
  await trusted.acceptSnapshot(await bytesOf(pass, 'snapshot', trusted.timestamp.metadata.snapshot));
  if (!trusted.isRootNamedBySnapshot) {
    const isEarlier = roots.some((root) => trusted.isNamedBySnapshot(root));
    // An earlier root: the snapshot lags. One that nobody showed: the root files do.
    if (!(isEarlier && pass.isRestored)) {
      throw new TrustError(
        'metadata_invalid',
        'hash_mismatch',
        `the snapshot of ${gun} names another root than the trusted one`,
        { role: 'root', isLag: true },
      );
    }
  }
  await proveTargets(trusted, pass);
  return trusted;
}

/** Delegations whose remembered file is the one that set their floor. */
async function heldIn({ files, floors }: StoredTrust): Promise<ReadonlySet<RoleName>> {
  const held = new Set<RoleName>();
  for (const [role, bytes] of files) {
    const floor = role.startsWith('targets/') ? floors.get(role) : undefined;
    if (floor !== undefined && (await sha256OffThread(bytes)) === floor.sha256) held.add(role);
  }
  return held;
}

/** A cache on the way may lawfully hand out a timestamp a few minutes old, so a stale one is asked for once more (§1.2). */
async function proveTimestamp(trusted: TrustedMetadata, { files, gun }: Pass): Promise<void> {
  const bytes = await files.current('timestamp');
  if (bytes === undefined) throw noTrustData(gun);
  const accept = (candidate: Uint8Array) => acceptTimestamp(trusted, candidate);
  try {
    await accept(bytes);
  } catch (error) {
    const isStale = error instanceof TrustError && (error.fault === 'expired' || error.fault === 'rollback');
    // A server that then falls silent must not turn what it showed into an outage.
    const again = isStale ? await files.current('timestamp', true).catch(undefinedOnOutage) : undefined;
    if (again === undefined) throw error;
    await accept(again);
  }
}

/**
 * One that too few of today's keys signed is refused, but the key may have been replaced where we cannot see it: a replica
 * has the root from before, or the timestamp. To show it says no more than silence would, so it carries no less.
 */
async function acceptTimestamp(trusted: TrustedMetadata, bytes: Uint8Array): Promise<void> {
  try {
    await trusted.acceptTimestamp(bytes);
  } catch (error) {
    if (!(error instanceof TrustError) || error.fault !== 'threshold') throw error;
    const { code, fault, message, role } = error;
    throw new TrustError(code, fault, message, { ...(role && { role }), cause: error, isLag: true });
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
