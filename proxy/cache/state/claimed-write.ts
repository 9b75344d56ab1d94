/**
 * Replacing a file only if it is still the one that was read, with other processes at the same folder and no lock
 * that a crash could leave shut.
 *
 * The new content is written beside the file and then linked under a name made from the content it replaces. A link is
 * exclusive, so of all who would replace the same content one has that name, and only he may compare and rename it
 * over the file. Content never comes back, as entries only rise, so nobody else can change the file meanwhile. What a
 * crash leaves under that name is complete: after a while the next writer puts it in place himself.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants, copyFile, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export const UNFINISHED = '.tmp';
/** A claim this old belongs to a process that died, in milliseconds. */
const STALE_MS = 5_000;
/** A claim held longer than this is given up, so that it is never used when others may take it for stale. */
const HOLD_MS = 2_000;
const POLL_MS = 20;
/** What a file system without hard links says. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

export type ClaimedWrite = {
  readonly path: string;
  /** The new content, in parts. */
  readonly parts: readonly Uint8Array[];
  /** What the content must be that is replaced. */
  readonly stamp: string | undefined;
  readonly stampNow: () => Promise<string | undefined>;
  /** Whether bytes that a dead process left are whole. */
  readonly isWhole: (bytes: Buffer) => Promise<boolean>;
};

/** @returns false when the file is not the one that was to be replaced; it is untouched then. */
export async function replaceIfUnchanged(write: ClaimedWrite): Promise<boolean> {
  const { path, parts } = write;
  const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
  try {
    await writeSynced(unfinished, parts);
    const isReplaced = await claimAndRename(write, unfinished);
    if (isReplaced) await syncFolder(dirname(path));
    return isReplaced;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function claimAndRename(write: ClaimedWrite, unfinished: string): Promise<boolean> {
  const { path, stamp, stampNow } = write;
  const claim = claimOf(path, stamp);
  if (!(await takeClaim(write, unfinished, claim))) return false;
  const taken = performance.now();
  const isMine = async () => (await stampNow()) === stamp && performance.now() - taken < HOLD_MS;
  if (!(await isMine().catch(() => false))) {
    await rm(claim, { force: true });
    return false;
  }
  return await rename(claim, path).then(
    () => true,
    (error: unknown) => {
      // Somebody took it for stale and put it in place: read again.
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    },
  );
}

/** @returns false when the content changed while another writer had the claim. */
async function takeClaim(write: ClaimedWrite, unfinished: string, claim: string): Promise<boolean> {
  const until = performance.now() + 2 * STALE_MS;
  while (performance.now() < until) {
    if (await linkExclusively(unfinished, claim)) return true;
    if ((await write.stampNow()) !== write.stamp) return false;
    await finishStale(write, claim);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`another process holds ${claim}`);
}

async function linkExclusively(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    if (!hasCode(error, ...NO_LINKS)) throw error;
  }
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** A claim that a crash left: what it holds was verified and synced, so it counts; half a copy does not. */
async function finishStale({ path, isWhole }: ClaimedWrite, claim: string): Promise<void> {
  try {
    const { ctimeMs, ino } = await stat(claim);
    if (Math.abs(Date.now() - ctimeMs) < STALE_MS) return;
    const whole = await isWhole(await readFile(claim));
    if ((await stat(claim)).ino !== ino) return;
    if (whole) await rename(claim, path);
    else await rm(claim, { force: true });
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** One name for all who would replace the same content. */
export function claimOf(path: string, stamp: string | undefined): string {
  const name = createHash('sha256')
    .update(stamp ?? '')
    .digest('hex')
    .slice(0, 16);
  return `${path}.${name}${UNFINISHED}`;
}

export async function writeSynced(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return codes.some((code) => code === error.code);
}
