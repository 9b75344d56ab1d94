/** Forgetting one repository on purpose: its file is moved aside, never removed, and the record says who lost what. */
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gun } from '../../names/reference.ts';
import { createFileState, forgottenFileOf, guardState, stateFileOf } from './file-state.ts';

const RECORD = 'resets.jsonl';

/**
 * A state that cannot be read can be reset too: that is one of the reasons to.
 *
 * @returns the path the old state was moved to; undefined when there was none.
 * @throws TrustError (`state`) when the folder cannot be written to.
 */
export async function resetFileState(
  folder: string,
  gun: Gun,
  reason: string,
  at: Date,
): Promise<string | undefined> {
  const stored = await createFileState(folder)
    .load(gun)
    .catch(() => 'unreadable' as const);
  if (stored === undefined) return undefined;
  const path = stateFileOf(folder, gun);
  const archive = `${path}.reset-${at.toISOString().replaceAll(':', '-')}`;
  const versions =
    stored === 'unreadable'
      ? stored
      : Object.fromEntries([...stored.floors].map(([role, { version }]) => [role, version]));
  return await guardState(path, 'cannot be moved aside', async () => {
    // Recorded first: a reset that is recorded and did not happen is seen; the other way round is not.
    await appendFile(join(folder, RECORD), `${JSON.stringify({ at, gun, reason, versions, archive })}\n`, {
      mode: 0o600,
    });
    await rename(path, archive);
    // A running proxy that knows the entry tells by this that it was not lost.
    await writeFile(forgottenFileOf(path), `${at.toISOString()}\n`, { mode: 0o600 });
    return archive;
  });
}
