/**
 * Staged changes in Notary's own files. `notary publish` signs and uploads them like those that `notary addhash`
 * stages, which would take a process each; and a threshold is a member of theirs for which the program has no option.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Entry } from './plan.ts';

interface Change {
  readonly action: 'create' | 'update' | 'delete';
  readonly role: string;
  readonly type: 'target' | 'delegation';
  readonly path: string;
  /** Base64. */
  readonly data: string;
}

/** Bytes that a signed manifest is said to have. */
export const TARGET_SIZE = 1862;

export function digestOf(content: string, algorithm: 'sha256' | 'sha512' = 'sha256'): Buffer {
  return createHash(algorithm).update(content).digest();
}

/** Stages targets, in their order and behind what is staged already. */
export async function stageTargets(folder: string, entries: readonly Entry[]): Promise<void> {
  await stage(
    folder,
    entries.map((entry) => ({
      action: 'create',
      role: entry.role,
      type: 'target',
      path: entry.tag,
      data: toBase64({
        length: TARGET_SIZE,
        hashes: hashesOf(entry),
        ...(entry.custom === undefined ? {} : { custom: JSON.parse(entry.custom) }),
      }),
    })),
  );
}

export async function stageRemovals(folder: string, entries: readonly Entry[]): Promise<void> {
  await stage(
    folder,
    entries.map(({ role, tag }) => ({ action: 'delete', role, type: 'target', path: tag, data: '' })),
  );
}

/** Gives every delegation that is staged another threshold. */
export async function setStagedThreshold(folder: string, threshold: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const change = JSON.parse(await readFile(file, 'utf8')) as Change;
    const data = JSON.parse(Buffer.from(change.data, 'base64').toString()) as Record<string, unknown>;
    if (change.type !== 'delegation' || data['threshold'] === undefined) continue;
    await writeFile(file, JSON.stringify({ ...change, data: toBase64({ ...data, threshold }) }));
  }
}

/** Notary sorts the files by name, which begins with nanoseconds. */
async function stage(folder: string, changes: readonly Change[]): Promise<void> {
  const start = BigInt(Date.now()) * 1_000_000n;
  for (const [index, change] of changes.entries()) {
    const time = String(start + BigInt(index)).padStart(20, '0');
    await writeFile(join(folder, `${time}_${randomUUID()}.change`), JSON.stringify(change));
  }
}

function hashesOf({ content, hashes }: Entry): Readonly<Record<string, string>> {
  const sha256 = { sha256: digestOf(content).toString('base64') };
  const sha512 = { sha512: digestOf(content, 'sha512').toString('base64') };
  return { ...(hashes === 'sha512' ? {} : sha256), ...(hashes === 'sha256' ? {} : sha512) };
}

function toBase64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
