/** The folder of the trust state: made with those above it, also while others make it. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeFolder } from '../../../proxy/cache/state/make-folder.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'make-folder-'));
});
afterEach(() => rmSync(base, { recursive: true }));

test('it is for this process alone, with those above it', async () => {
  await makeFolder(join(base, 'a', 'b'));
  for (const path of ['a', 'a/b']) expect(statSync(join(base, path)).mode & 0o777).toBe(0o700);
});

test('one that is there stays as it is', async () => {
  const path = join(base, 'a');
  await makeFolder(path);
  writeFileSync(join(path, 'kept'), '');
  await makeFolder(path);
  expect(existsSync(join(path, 'kept'))).toBe(true);
});

/** Not in step with the others: one then makes a folder between two questions of another. */
async function makeAfter(turns: number, path: string): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
  await makeFolder(path);
}

test('several that make the same missing one at once all have it', async () => {
  for (let round = 0; round < 50; round += 1) {
    const path = join(base, `${round}`, 'a', 'b', 'c');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, turns) => makeAfter(turns, path)),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(existsSync(path)).toBe(true);
  }
});

test.each(['', 'below'])('a file in its way is refused (%j)', async (below) => {
  writeFileSync(join(base, 'file'), '');
  await expect(makeFolder(join(base, 'file', below))).rejects.toThrow(/is a file|ENOTDIR/);
});

test('where a system refuses to make any, that is said and not tried for ever', async () => {
  await expect(makeFolder('/proc/pullwarden/state')).rejects.toThrow('ENOENT');
});
