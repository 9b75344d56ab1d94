/**
 * Trust state in a folder: one file a repository, replaced by rename, so that a crash at any moment leaves the old
 * one or the new one. One proxy writes to one folder; a change by somebody else is noticed and refused.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gun } from '../registry/reference.ts';
import { TrustError } from '../trust-client/errors.ts';
import type { StoredTrust, TrustState } from '../trust-client/types.ts';
import { decodeStoredTrust, encodeStoredTrust, readStamp } from './stored-trust-codec.ts';

const SUFFIX = '.trust';
const UNFINISHED = '.tmp';
/** A temporary file older than this was left by a crash, in milliseconds. */
const ABANDONED_AFTER = 3_600_000;

export type FileState = TrustState & {
  /** Proves that the folder can be written to. @throws TrustError (`state`) when it cannot. */
  probe(): Promise<void>;
};

/** @throws TrustError (`state`) when the folder cannot be made or written to. */
export async function openFileState(folder: string): Promise<FileState> {
  const state = createFileState(folder);
  await guardState(folder, 'cannot be used', async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await removeAbandoned(folder);
  });
  await state.probe();
  return state;
}

/** As `openFileState`, for commands that only read: the folder need not exist. */
export function createFileState(folder: string): FileState {
  /** What each repository's file looked like when it was last read or written here; undefined: it was not there. */
  const seen = new Map<Gun, string | undefined>();

  const load = (gun: Gun) =>
    guardState(stateFileOf(folder, gun), `with what is remembered of ${gun} cannot be read`, async () => {
      const bytes = await readIfThere(stateFileOf(folder, gun));
      seen.set(gun, bytes && readStamp(bytes));
      return bytes && decodeStoredTrust(gun, bytes);
    });

  const save = (gun: Gun, trust: StoredTrust) =>
    guardState(stateFileOf(folder, gun), `with what is remembered of ${gun} cannot be written`, async () => {
      const current = await readIfThere(stateFileOf(folder, gun));
      if ((current && readStamp(current)) !== seen.get(gun)) {
        throw new Error('it was changed by another process since it was read');
      }
      const bytes = encodeStoredTrust(gun, trust);
      await writeAtomically(folder, stateFileOf(folder, gun), bytes);
      seen.set(gun, readStamp(bytes));
    });

  const probe = () =>
    guardState(folder, 'cannot be written to', async () => {
      const path = join(folder, `probe-${randomUUID()}${UNFINISHED}`);
      await writeSynced(path, Buffer.from('probe'));
      await rm(path);
    });

  return { load, save, probe };
}

/** A hash, because a name from outside must never become a path (Cure53 TUF-01-004). */
export function stateFileOf(folder: string, gun: Gun): string {
  return join(folder, createHash('sha256').update(gun).digest('hex') + SUFFIX);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function writeAtomically(folder: string, path: string, bytes: Buffer): Promise<void> {
  const unfinished = `${path}.${randomUUID()}${UNFINISHED}`;
  try {
    await writeSynced(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(UNFINISHED)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > ABANDONED_AFTER) await rm(path, { force: true });
  }
}

/** Nothing of the file system reaches a caller but as a TrustError that says which file and what to do. */
export async function guardState<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = String(error).split('\n', 1)[0];
    throw new TrustError(
      'trust_unreachable',
      'state',
      `the trust state ${path} ${what}: ${why}; nothing is served without it, so repair it or restore it from a backup`,
      { cause: error },
    );
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
