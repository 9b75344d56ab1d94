/**
 * Trust state in a folder: one file a repository, replaced by rename, so that a crash at any moment leaves the old
 * one or the new one. Several processes may write to one folder: a save counts only if it replaces what was loaded.
 */
import { hash, randomUUID } from 'node:crypto';
import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gun } from '../../names/reference.ts';
import { TrustError } from '../../trust-client/errors.ts';
import type {
  LoadedTrust,
  Replaces,
  RoleRecord,
  SaveResult,
  StateStamp,
  StoredTrust,
  TrustState,
} from '../../trust-client/types.ts';
import { hasCode, replaceIfUnchanged, UNFINISHED, writeSynced } from './claimed-write.ts';
import { statIfThere } from './file-lookup.ts';
import { makeFolder } from './make-folder.ts';
import { requireNotLower } from './raise-only.ts';
import { decodeStoredTrust, encodeStoredTrust, readStamp, STAMP_BYTES } from './stored-trust-codec.ts';

const SUFFIX = '.trust';
const FORGOTTEN = '.forgotten';
/** A temporary file older than this was left by a crash, in milliseconds. */
const ABANDONED_AFTER = 3_600_000;
/** How long a caller of `probe` waits for a disk that does not answer; at the start, in milliseconds too. */
const PROBE_MS = 2_000;
const FIRST_PROBE_MS = 10_000;

export type FileState = TrustState & {
  /** Proves that the folder can be written to. @throws TrustError (`state`) when it cannot, or does not answer. */
  probe(): Promise<void>;
};

/** What this process knows of an entry it has read or written. Only stored repositories have one. */
type Known = { readonly roots: number; readonly timestamp: RoleRecord | undefined; readonly at: number };

/** @throws TrustError (`state`) when the folder cannot be made or written to. */
export async function openFileState(folder: string): Promise<FileState> {
  await guardState(folder, 'cannot be used', async () => {
    await makeFolder(folder);
    await removeAbandoned(folder);
  });
  await createProbe(folder)(FIRST_PROBE_MS);
  return createFileState(folder);
}

/** As `openFileState`, for commands that only read: the folder need not exist. */
export function createFileState(folder: string): FileState {
  return new FolderState(folder);
}

class FolderState implements FileState {
  readonly #folder: string;
  readonly #known = new Map<Gun, Known>();
  readonly #probe: (limitMs: number) => Promise<void>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#probe = createProbe(folder);
  }

  load(gun: Gun, admit?: Admit): Promise<LoadedTrust | undefined> {
    return this.#reading(gun, async (path) => {
      // Twice: a save of this very process may fall between reading the file and looking at what is known.
      const entry = await this.#read(gun, path, admit).catch(async (error: unknown) => {
        if (this.#known.has(gun)) return await this.#read(gun, path, admit);
        throw error;
      });
      if (entry === undefined || entry === NOTHING_LEFT) this.#known.delete(gun);
      else this.#know(gun, entry);
      return entry;
    });
  }

  has(gun: Gun): Promise<boolean> {
    return this.#reading(
      gun,
      async (path) => this.#known.has(gun) || (await statIfThere(path)) !== undefined,
    );
  }

  stampOf(gun: Gun): Promise<StateStamp> {
    return this.#reading(gun, readStampOf);
  }

  save(gun: Gun, trust: StoredTrust, { stamp, fallen }: Replaces): Promise<SaveResult> {
    const path = stateFileOf(this.#folder, gun);
    return guardState(path, `with what is remembered of ${gun} cannot be written`, async () => {
      const current = await readIfThere(path);
      if ((current ? readStamp(current) : await readStampOf(path)) !== stamp) return { kind: 'changed' };
      if (current) requireNotLower(gun, await decodeStoredTrust(gun, current), trust, fallen);
      const parts = await encodeStoredTrust(gun, trust);
      const isReplaced = await replaceIfUnchanged({
        path,
        parts,
        stamp,
        stampNow: () => readStampOf(path),
        isWhole: (left) => isWhole(gun, left),
      });
      if (!isReplaced) return { kind: 'changed' };
      this.#know(gun, trust);
      return { kind: 'saved', stamp: readStamp(parts[0] ?? NO_BYTES) };
    });
  }

  probe(): Promise<void> {
    return this.#probe(PROBE_MS);
  }

  #know(gun: Gun, { roots, floors }: StoredTrust): void {
    this.#known.set(gun, {
      roots: roots.length,
      timestamp: floors.get('timestamp'),
      at: Date.now(),
    });
  }

  #reading<T>(gun: Gun, work: (path: string) => Promise<T>): Promise<T> {
    const path = stateFileOf(this.#folder, gun);
    return guardState(path, `with what is remembered of ${gun} cannot be read`, () => work(path));
  }

  async #read(gun: Gun, path: string, admit?: Admit): Promise<LoadedTrust | undefined> {
    const bytes = await readIfThere(path, admit);
    const entry = bytes && { ...(await decodeStoredTrust(gun, bytes)), stamp: readStamp(bytes) };
    const before = this.#known.get(gun);
    if (entry !== undefined && (before === undefined || !isOlder(entry, before))) return entry;
    const forgottenAt = await whenForgotten(path);
    if (before !== undefined && forgottenAt < before.at) throw new Error(entry === undefined ? GONE : OLDER);
    return entry ?? (forgottenAt > 0 ? NOTHING_LEFT : undefined);
  }
}

const NO_BYTES = new Uint8Array();
const GONE = 'it was there and is gone; a restart begins anew';
const OLDER = 'it is older than what this process read or wrote there';
/** What is left of an entry after `trust reset`: first contact may happen again. */
const NOTHING_LEFT: LoadedTrust = { roots: [], files: new Map(), floors: new Map(), stamp: 'forgotten' };

/**
 * Of the same roots and the same keys, as a version may go down only when its keys were replaced. The root that replaces
 * them is saved first, so this process may have read it beside what the keys before it signed.
 */
function isOlder({ roots, floors }: StoredTrust, known: Known): boolean {
  if (roots.length !== known.roots) return roots.length < known.roots;
  const timestamp = floors.get('timestamp');
  if (timestamp === undefined || known.timestamp === undefined) return known.timestamp !== undefined;
  const before = new Set(known.timestamp.signers);
  return timestamp.version < known.timestamp.version && timestamp.signers.some((id) => before.has(id));
}

/** A hash, because a name from outside must never become a path (Cure53 TUF-01-004). */
export function stateFileOf(folder: string, gun: Gun): string {
  return join(folder, hash('sha256', gun) + SUFFIX);
}

/** Beside the entry, its time says when the entry was last forgotten on purpose. */
export function forgottenFileOf(path: string): string {
  return path + FORGOTTEN;
}

/** @returns milliseconds since the epoch; 0: never. */
async function whenForgotten(path: string): Promise<number> {
  return (await statIfThere(forgottenFileOf(path)))?.mtimeMs ?? 0;
}

async function readStampOf(path: string): Promise<StateStamp> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(STAMP_BYTES), 0, STAMP_BYTES, 0);
      return readStamp(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return (await whenForgotten(path)) > 0 ? NOTHING_LEFT.stamp : undefined;
  }
}

async function isWhole(gun: Gun, bytes: Buffer): Promise<boolean> {
  return await decodeStoredTrust(gun, bytes).then(
    () => true,
    () => false,
  );
}

type Admit = (bytes: number) => Promise<void>;

async function readIfThere(path: string, admit?: Admit): Promise<Buffer | undefined> {
  const stats = await statIfThere(path);
  if (stats === undefined) return undefined;
  await admit?.(stats.size);
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** One write at a time, which later callers join: a disk that hangs is asked once, and nobody waits longer than said. */
function createProbe(folder: string): (limitMs: number) => Promise<void> {
  let running: Promise<void> | undefined;
  const write = async () => {
    const path = join(folder, `probe-${randomUUID()}${UNFINISHED}`);
    try {
      await writeSynced(path, [Buffer.from('probe')]);
    } finally {
      await rm(path, { force: true });
    }
  };
  return (limitMs) =>
    guardState(folder, 'cannot be written to', async () => {
      running ??= write().finally(() => {
        running = undefined;
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`the disk did not answer within ${limitMs} ms`)), limitMs);
      });
      await Promise.race([running, late]).finally(() => clearTimeout(timer));
    });
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(UNFINISHED)) continue;
    const path = join(folder, name);
    // Another process may just have removed it.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_AFTER) await rm(path, { force: true });
  }
}

/** Nothing of the file system reaches a caller but as a TrustError that says which file and what to do. */
export async function guardState<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TrustError) throw error;
    const why = String(error).split('\n', 1)[0];
    throw new TrustError(
      'trust_unreachable',
      'state',
      `the trust state ${path} ${what}: ${why}; nothing is served without it, so repair it or restore it from a backup`,
      { cause: error },
    );
  }
}
