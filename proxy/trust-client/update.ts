/**
 * One resolution of a repository's trust: what is remembered, then what the server says, then remembered again.
 *
 * The verb reads top to bottom: root → timestamp → snapshot → targets and delegations → save. A new state is saved
 * before anything is answered from it, so that no later run can accept less than was ever served.
 */
import type { Gun } from '../names/reference.ts';
import { isBehind, stillBehind } from './behind-root.ts';
import { checkAtOnce, type FileChecker } from './check-file.ts';
import { sha256Hex } from './encoding.ts';
import { TrustError } from './errors.ts';
import { createRepositoryFiles, type RepositoryFiles } from './fetch.ts';
import { heldSource, heldState, ROOM, type Room } from './held-bytes.ts';
import { LIMITS } from './limits.ts';
import { inTime, LostRace, type Proven, recall } from './memory.ts';
import { type Pass, proveAll } from './prove.ts';
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
import type { RoleName, TrustSource, TrustState } from './types.ts';
import type { CheckFile } from './verified.ts';

export type UpdateDeps = {
  readonly source: TrustSource;
  readonly state: TrustState;
  /** Where files are checked; at once when absent. */
  readonly check?: FileChecker | undefined;
  /** Where updates share what they may hold in memory; that of the process when absent. */
  readonly room?: Room;
};

export type UpdateRequest = {
  readonly gun: Gun;
  readonly pin: RootPin;
  /** The one time everything in this update is judged by (TUF 5.1). */
  readonly now: Date;
  readonly signal: AbortSignal;
  /** What an earlier update proved: if the server still names the same timestamp, nothing else is asked. */
  readonly previous?: VerifiedRepository | undefined;
  /**
   * Nothing was stored of it a moment ago, and others wait for their turn: without a timestamp it is refused before its root
   * is asked for and the state is read. One round trip more for one that is there, half the work for a made-up name.
   */
  readonly isDoubtful?: boolean;
};

/** Shared: each new error would collect a stack trace that is never used. */
const OVER = new DOMException('the update is over', 'AbortError');

/** How often an update is judged again because another one was saved before it. */
const ATTEMPTS = 4;

/**
 * Asks the trust server and verifies everything it says.
 *
 * @throws TrustError; `isOutage` and `isLag` tell whether an earlier answer may be used instead.
 */
export async function updateTrust(deps: UpdateDeps, request: UpdateRequest): Promise<VerifiedRepository> {
  const holding = (deps.room ?? ROOM).enter();
  try {
    return await untilEnd(request.signal, (signal) => {
      const source = heldSource(deps.source, holding);
      const state = heldState(deps.state, holding, signal);
      return updateWithin({ ...deps, source, state }, { ...request, signal });
    });
  } finally {
    holding.leave();
  }
}

/** Work under a signal of its own; what it left on its way when it ended is given up. */
async function untilEnd<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const follow = () => own.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  try {
    return await work(own.signal);
  } finally {
    signal.removeEventListener('abort', follow);
    own.abort(OVER);
  }
}

async function updateWithin(deps: UpdateDeps, request: UpdateRequest): Promise<VerifiedRepository> {
  const { gun, now, signal, previous } = request;
  const timely = { ...deps, state: inTime(deps.state, gun, signal) };
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
  { gun, pin, now, signal, isDoubtful = false }: UpdateRequest,
  files: RepositoryFiles,
): Promise<VerifiedRepository> {
  // Asked for early, so that it travels beside the root; a failure is met where it is awaited.
  const timestamp = files.current('timestamp');
  timestamp.catch(() => undefined);
  // Whatever its root and the state say, without a timestamp there is nothing to answer from.
  if (isDoubtful && (await timestamp) === undefined) throw noTrustData(gun);
  const memory = await recall(deps.state, gun);
  const { stored } = memory;
  const chain =
    stored.roots.length > 0
      ? await followRoots(
          files,
          gun,
          await restoreRootChain(stored.roots, gun, pin, signal),
          memory.keepRoots,
        )
      : await findFirstRoot(files, gun, pin, now);
  await memory.keepRoots(chain);
  const freshFiles = () => createRepositoryFiles(deps.source, gun, signal);
  const check = checkerFor(deps.check, gun, signal);
  const pass: Pass = { gun, now, stored, files, check, hashes: new WeakMap() };
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
  deadline: RestoreOptions = {},
): Promise<VerifiedRepository> {
  const holding = (deadline.room ?? ROOM).enter();
  try {
    return await restoreWithin(heldState(state, holding, deadline.signal), gun, pin, now, deadline);
  } finally {
    holding.leave();
  }
}

type RestoreOptions = Pick<UpdateDeps, 'check' | 'room'> & { readonly signal?: AbortSignal };

async function restoreWithin(
  state: TrustState,
  gun: Gun,
  pin: RootPin,
  now: Date,
  deadline: RestoreOptions,
): Promise<VerifiedRepository> {
  const check = checkerFor(deadline.check, gun, deadline.signal);
  const stored = await state.load(gun);
  if (stored === undefined || stored.roots.length === 0) throw noTrustData(gun);
  const lacking = (role: RoleName) =>
    new TrustError('trust_unreachable', 'state', `the stored trust state of ${gun} lacks ${role}`, { role });
  const files: RepositoryFiles = {
    ...(deadline.signal && { signal: deadline.signal }),
    current: async (role) => stored.files.get(role),
    rootVersion: async () => undefined,
    named: async (role) => {
      throw lacking(role);
    },
  };
  const pass: Pass = { gun, now, stored, files, check, hashes: new WeakMap(), isRestored: true };
  const trusted = await proveAll(pass, await restoreRootChain(stored.roots, gun, pin, deadline.signal));
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
 * have come from a replica that lags (notary-semantics.md §7.3). More often while what is remembered is from before the
 * newest root: its keys may have been replaced, so that only new files will do.
 */
async function proveWithNewestRoot(
  pass: Pass,
  chain: RootChain,
  freshFiles: () => RepositoryFiles,
  keepRoots: (roots: RootChain) => Promise<void>,
): Promise<Proven> {
  let [files, roots] = [pass.files, chain];
  for (let look = 1; ; look += 1) {
    try {
      return { trusted: await proveAll({ ...pass, files }, roots), roots };
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      const isVoid = isBehind(pass.stored, newestOf(roots));
      const isOver = look >= (isVoid ? LIMITS.looks : 2);
      if (isOver && isVoid && error.isLag)
        throw stillBehind(pass.stored, newestOf(roots), error, await files.current('timestamp'));
      if (isOver || !(isHealedByNewerRoot(error) || (isVoid && error.isLag))) throw error;
      files = freshFiles();
      roots = await newerRoots(files, pass, roots, error).catch((failure: unknown) => {
        if (isVoid && failure instanceof TrustError && failure.isLag) return roots;
        throw failure;
      });
      await keepRoots(roots);
    }
  }
}

/** @throws `failure` when there is no newer root than what is remembered goes with. */
async function newerRoots(
  files: RepositoryFiles,
  { gun, stored }: Pass,
  chain: RootChain,
  failure: TrustError,
): Promise<RootChain> {
  const roots = await catchUpRoots(files, gun, chain).catch((error: unknown) => {
    throw error instanceof TrustError && error.isOutage ? failure : error;
  });
  const hasGrown =
    stored.roots.length > 0 && sha256Hex(stored.roots.at(-1) ?? NO_BYTES) !== newestOf(roots).sha256;
  if (roots.length === chain.length && !hasGrown && !isBehind(stored, newestOf(roots))) throw failure;
  return roots;
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
