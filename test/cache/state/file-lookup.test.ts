/** A file that is not there is an answer; a disk that cannot say is none. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { statIfThere } from '../../../proxy/cache/state/file-lookup.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pullwarden-lookup-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a file that is there, one that is not, and one nobody can tell of', async () => {
  const file = join(folder, 'file');
  await writeFile(file, 'four');
  expect((await statIfThere(file))?.size).toBe(4);
  expect(await statIfThere(join(folder, 'none'))).toBeUndefined();
  await expect(statIfThere(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});
