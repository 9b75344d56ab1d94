/** Asking a trust source for one repository's files within all limits: bytes, time, and how many at once. */
import type { Gun } from '../names/reference.ts';
import { requireTime } from './deadline.ts';
import { invalid, TrustError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { FileMeta } from './metadata.ts';
import type { MetadataFile, RoleName, TrustSource } from './types.ts';

/** One update's view of the source: each current file is asked for once, so that one update sees one state of it. */
export type RepositoryFiles = {
  /** Ends the update. */
  readonly signal?: AbortSignal;
  /** @returns undefined when the server has no such file. */
  readonly current: (role: 'root' | 'timestamp', revalidate?: boolean) => Promise<Uint8Array | undefined>;
  readonly rootVersion: (version: number) => Promise<Uint8Array | undefined>;
  /** A file that a verified parent names: its absence is the server's fault. */
  readonly named: (role: RoleName, meta: FileMeta) => Promise<Uint8Array>;
};

/**
 * @param signal ends every request; the error is then `deadline_exceeded`.
 */
export function createRepositoryFiles(source: TrustSource, gun: Gun, signal: AbortSignal): RepositoryFiles {
  return new UpdateFiles(source, gun, signal);
}

class UpdateFiles implements RepositoryFiles {
  readonly signal: AbortSignal;
  readonly #source: TrustSource;
  readonly #gun: Gun;
  readonly #limit = createLimiter(LIMITS.parallelFetches);
  readonly #asked = new Map<string, Promise<Uint8Array | undefined>>();
  #total = 0;

  constructor(source: TrustSource, gun: Gun, signal: AbortSignal) {
    this.#source = source;
    this.#gun = gun;
    this.signal = signal;
  }

  current(role: 'root' | 'timestamp', revalidate = false): Promise<Uint8Array | undefined> {
    return this.#once(`${role} ${revalidate}`, () =>
      this.#fetch({ role }, LIMITS[`${role}Bytes`], { revalidate }),
    );
  }

  rootVersion(version: number): Promise<Uint8Array | undefined> {
    return this.#once(`root ${version}.`, () => this.#fetch({ role: 'root', version }, LIMITS.rootBytes));
  }

  async named(role: RoleName, meta: FileMeta): Promise<Uint8Array> {
    if (meta.sha256 === undefined)
      throw invalid('hash_mismatch', role, `the snapshot gives no sha256 for ${role}`);
    if (meta.length > LIMITS.fileBytes) {
      throw invalid(
        'size',
        role,
        `${role} is ${meta.length} bytes long; at most ${LIMITS.fileBytes} are read`,
      );
    }
    // Another replica may have it: the one that named it did.
    for (let ask = 1; ask <= LIMITS.asksForNamed; ask += 1) {
      const options = { known: meta.length, revalidate: ask > 1 };
      const bytes = await this.#fetch({ role, sha256: meta.sha256 }, meta.length, options);
      if (bytes !== undefined) return bytes;
    }
    throw new TrustError(
      'trust_unreachable',
      'unreachable',
      `the trust server does not have the ${role} file of ${this.#gun} that its own metadata names`,
      { role },
    );
  }

  #once(key: string, ask: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    const answer = this.#asked.get(key) ?? ask();
    this.#asked.set(key, answer);
    return answer;
  }

  /** @param known bytes the file has when it is honest; charged before they are asked for. */
  #fetch(
    file: MetadataFile,
    maxBytes: number,
    { known = 0, revalidate = false } = {},
  ): Promise<Uint8Array | undefined> {
    const { signal } = this;
    return this.#limit(async () => {
      requireTime(this.#gun, signal, 'did not arrive');
      this.#charge(file.role, known);
      const bytes = await this.#source
        .fetch(this.#gun, file, { maxBytes, signal, revalidate })
        .catch((error: unknown) => {
          requireTime(this.#gun, signal, 'did not arrive', error);
          throw error;
        });
      this.#charge(file.role, (bytes?.length ?? 0) - known);
      return bytes;
    });
  }

  #charge(role: RoleName, bytes: number): void {
    if (this.#total + bytes > LIMITS.updateBytes) {
      throw invalid(
        'size',
        role,
        `the metadata of ${this.#gun} is larger than ${LIMITS.updateBytes} bytes in all`,
      );
    }
    this.#total += bytes;
  }
}

/** Runs at most `most` tasks at a time, in the order they came. */
function createLimiter(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await task();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
