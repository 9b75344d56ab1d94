/**
 * From nothing, or from what is remembered, to the newest root: every step vouched for by the one before.
 * Source: TUF client workflow 5.3, notary-semantics.md §6.3.
 */
import type { Gun } from '../names/reference.ts';
import { asLag } from './behind-root.ts';
import { sha256Hex } from './encoding.ts';
import { invalid, TrustError } from './errors.ts';
import type { RepositoryFiles } from './fetch.ts';
import { LIMITS } from './limits.ts';
import {
  firstRootSteps,
  nextRootSteps,
  type RootFile,
  type RootPin,
  rootFileSteps,
  usableRootKeys,
} from './root-trust.ts';
import { thresholdSteps } from './signatures.ts';
import { inTurns, type Steps } from './steps.ts';

/** Oldest first; the first is the one a pin or first use vouched for. Never empty. */
export type RootChain = readonly [RootFile, ...RootFile[]];

export function newestOf(chain: RootChain): RootFile {
  return chain.at(-1) ?? chain[0];
}

/**
 * Checks a remembered chain against today's pins. The pin may name any root of the chain: what came before it is
 * history, what comes after is vouched for step by step.
 *
 * @throws TrustError `key_not_pinned` when the pins no longer vouch for any of it, `trust_unreachable` (`state`) when
 *   the remembered bytes do not hold together.
 */
export async function restoreRootChain(
  stored: readonly Uint8Array[],
  gun: Gun,
  pin: RootPin,
  signal?: AbortSignal,
): Promise<RootChain> {
  return await inTurns(restoreSteps(stored, gun, pin), gun, signal);
}

function* restoreSteps(stored: readonly Uint8Array[], gun: Gun, pin: RootPin): Steps<RootChain> {
  const roots: RootFile[] = [];
  for (const bytes of stored) roots.push(yield* sound(gun, rootFileSteps(bytes)));
  let refusal: unknown = damaged(gun, 'has no root');
  for (const [index, anchor] of roots.entries()) {
    try {
      yield* firstRootSteps(anchor, gun, pin, undefined);
    } catch (error) {
      refusal = error;
      continue;
    }
    const later = roots.slice(index + 1);
    for (const [step, next] of later.entries())
      yield* sound(gun, nextRootSteps(later[step - 1] ?? anchor, next, gun));
    return [anchor, ...later];
  }
  throw refusal;
}

/** What was remembered was verified once: if it is not now, the state is at fault and not the server. */
function* sound<T>(gun: Gun, read: Steps<T>): Steps<T> {
  try {
    return yield* read;
  } catch (error) {
    throw error instanceof TrustError ? damaged(gun, 'does not hold together', error) : error;
  }
}

function damaged(gun: Gun, how: string, cause?: unknown): TrustError {
  return new TrustError('trust_unreachable', 'state', `the stored trust state of ${gun} ${how}`, {
    role: 'root',
    cause,
  });
}

/**
 * First contact. The newest root is taken when the pin vouches for it; when it does not, the repository may have
 * rotated since the pin was written, so older roots are searched for the pinned one and followed from there.
 *
 * @throws TrustError `no_trust_data`, `key_not_pinned`, `metadata_expired`, `metadata_invalid`, or an outage.
 */
export async function findFirstRoot(
  files: RepositoryFiles,
  gun: Gun,
  pin: RootPin,
  now: Date,
): Promise<RootChain> {
  const bytes = await files.current('root');
  if (bytes === undefined) throw noTrustData(gun);
  const newest = await inTurns(rootFileSteps(bytes), gun, files.signal);
  try {
    await inTurns(firstRootSteps(newest, gun, pin, now), gun, files.signal);
    return [newest];
  } catch (error) {
    const mayHaveRotated =
      error instanceof TrustError && error.code === 'key_not_pinned' && pin.kind === 'keys';
    const anchor = mayHaveRotated ? await searchHistory(files, gun, pin, newest.metadata.version) : undefined;
    if (anchor === undefined) throw error;
    return await followRoots(files, gun, [anchor]);
  }
}

/** The oldest published root that the pin vouches for. Its age does not matter: the newest must be valid. */
async function searchHistory(
  files: RepositoryFiles,
  gun: Gun,
  pin: RootPin,
  below: number,
): Promise<RootFile | undefined> {
  const last = Math.min(below - 1, LIMITS.rootsPerUpdate);
  for (let first = 1; first <= last; first += LIMITS.parallelFetches) {
    const versions = range(first, Math.min(last, first + LIMITS.parallelFetches - 1));
    for (const bytes of await Promise.all(versions.map((version) => files.rootVersion(version)))) {
      const root = bytes && (await inTurns(rootFileSteps(bytes), gun, files.signal));
      if (root !== undefined && (await isVouchedFor(files, root, gun, pin))) return root;
    }
  }
  return undefined;
}

async function isVouchedFor(
  { signal }: RepositoryFiles,
  root: RootFile,
  gun: Gun,
  pin: RootPin,
): Promise<boolean> {
  try {
    await inTurns(firstRootSteps(root, gun, pin, undefined), gun, signal);
    return true;
  } catch (error) {
    if (error instanceof TrustError && !error.isOutage) return false;
    throw error;
  }
}

/**
 * Follows version by version to the newest root (TUF 5.3.3). After a first hit the next ones are asked for together,
 * as a server with one more root may have many.
 *
 * @param keep told of what was followed when a later root fails: what was vouched for counts all the same.
 * @throws TrustError `root_rotation_refused`, `metadata_invalid`, or an outage.
 */
export async function followRoots(
  files: RepositoryFiles,
  gun: Gun,
  chain: RootChain,
  keep: (followed: RootChain) => Promise<unknown> = async () => undefined,
): Promise<RootChain> {
  let followed = chain;
  let ahead = 1;
  while (followed.length - chain.length < LIMITS.rootsPerUpdate) {
    const from = newestOf(followed).metadata.version + 1;
    const batch = range(from, from + ahead - 1).map((version) => files.rootVersion(version));
    // Each is awaited in its turn; one behind the last must not fail unseen.
    for (const root of batch) root.catch(() => undefined);
    try {
      for (const root of batch) {
        const bytes = await root;
        if (bytes === undefined) return followed;
        followed = await appendRoot(files, followed, bytes, gun, 'exactlyNext');
      }
    } catch (error) {
      await keep(followed);
      throw error;
    }
    ahead = LIMITS.parallelFetches;
  }
  throw invalid('size', 'root', `${gun} has more than ${LIMITS.rootsPerUpdate} new roots`);
}

/**
 * For a failed update: the newest root may be reachable although a version between is missing, when the trusted keys
 * signed it directly, as roots with many old signatures are (notary-semantics.md §6.3).
 */
export async function catchUpRoots(files: RepositoryFiles, gun: Gun, chain: RootChain): Promise<RootChain> {
  const followed = await followRoots(files, gun, chain);
  if (followed.length > chain.length) return followed;
  const bytes = await files.current('root', true);
  // One that we went through already is only a stale copy; any other must be vouched for or is refused by name.
  const hash = bytes && sha256Hex(bytes);
  if (bytes === undefined || followed.some(({ sha256 }) => sha256 === hash)) return followed;
  try {
    return await appendRoot(files, followed, bytes, gun, 'anyLater');
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'root_rotation_refused') throw error;
    const older = await inTurns(rootFileSteps(bytes), gun, files.signal);
    // A replica that lags may lack the version between, which alone could vouch for it; or it has one from before the
    // first that was ever seen, which only a repository that was not created again can have led to that.
    const isGap = older.metadata.version > newestOf(followed).metadata.version + 1;
    const isLag = isGap || (await hasLedTo(chain[0], older, gun, files.signal));
    throw isLag ? asLag(error) : error;
  }
}

/** Its keys signed the first root of the chain, as the keys before a new root do. */
async function hasLedTo(
  first: RootFile,
  older: RootFile,
  gun: Gun,
  signal: RepositoryFiles['signal'],
): Promise<boolean> {
  if (older.metadata.version >= first.metadata.version) return false;
  const keys = usableRootKeys(older.metadata, gun, undefined).map(({ key }) => key);
  const { signatures, message } = first.envelope;
  const role = { keys, threshold: older.metadata.roles.root.threshold };
  try {
    await inTurns(thresholdSteps(role, signatures, message, 'root'), gun, signal);
    return true;
  } catch (error) {
    if (error instanceof TrustError && error.fault === 'threshold') return false;
    throw error;
  }
}

async function appendRoot(
  { signal }: RepositoryFiles,
  chain: RootChain,
  bytes: Uint8Array,
  gun: Gun,
  step: 'exactlyNext' | 'anyLater',
): Promise<RootChain> {
  const trusted = newestOf(chain);
  requireShortChain(chain, bytes, gun);
  const next = await inTurns(rootFileSteps(bytes), gun, signal);
  if (step === 'exactlyNext' && next.metadata.version !== trusted.metadata.version + 1) {
    // TUF 5.3.5: a file served as version N+1 must say so.
    throw new TrustError(
      'metadata_rollback',
      'rollback',
      `a root served as version ${trusted.metadata.version + 1} says it is version ${next.metadata.version}`,
      // One that was followed before is a stale copy.
      { role: 'root', isLag: chain.some(({ sha256 }) => sha256 === next.sha256) },
    );
  }
  await inTurns(nextRootSteps(trusted, next, gun), gun, signal);
  return [...chain, next];
}

/** All of them are remembered, and checked again after each restart. */
function requireShortChain(chain: RootChain, next: Uint8Array, gun: Gun): void {
  const size = chain.reduce((sum, root) => sum + root.bytes.length, next.length);
  if (size <= LIMITS.chainBytes) return;
  throw invalid(
    'size',
    'root',
    `the ${chain.length + 1} roots of ${gun} have ${size} bytes in all, and ${LIMITS.chainBytes} are allowed; ` +
      'to start again from its newest root, pin a key of that and run "trust reset"',
  );
}

export function noTrustData(gun: Gun): TrustError {
  const message = `the trust server has no trust data for ${gun}`;
  return TrustError.withoutStack('no_trust_data', 'absent', message);
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
