/** What is remembered survives, is never half there, and is never silently begun anew. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFileState, openFileState } from '../../../proxy/cache/state/file-state.ts';
import { createOverlayState } from '../../../proxy/cache/state/memory-state.ts';
import type { Gun } from '../../../proxy/names/reference.ts';
import { TrustError } from '../../../proxy/trust-client/errors.ts';
import type { StoredTrust, TrustState } from '../../../proxy/trust-client/types.ts';
import { GUN, refusal } from '../../trust-client/kit.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pullwarden-state-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function trustAt(version: number): StoredTrust {
  const floor = { version, sha256: 'a'.repeat(64), signers: ['b'.repeat(64)] };
  return {
    roots: [Buffer.from('root 1'), Buffer.from('root\n2')],
    files: new Map([
      ['timestamp', Buffer.from(`timestamp ${version}`)],
      ['targets/releases', Buffer.alloc(0)],
    ]),
    floors: new Map([
      ['timestamp', floor],
      ['targets/gone', floor],
    ]),
  };
}

/** Saves over whatever is there. */
async function put(state: TrustState, gun: Gun, trust: StoredTrust): Promise<void> {
  const stamp = (await state.load(gun))?.stamp;
  expect(await state.save(gun, trust, { stamp })).toMatchObject({ kind: 'saved' });
}

function plain(trust: StoredTrust | undefined) {
  return (
    trust && {
      roots: trust.roots.map((bytes) => Buffer.from(bytes).toString()),
      files: [...trust.files].map(([role, bytes]) => [role, Buffer.from(bytes).toString()]),
      floors: [...trust.floors],
    }
  );
}

async function onlyFile(): Promise<string> {
  const [name] = await readdir(folder);
  return join(folder, name ?? '');
}

describe('what was saved', () => {
  test('is read back exactly, by another process too', async () => {
    const state = await openFileState(folder);
    expect(await state.load(GUN)).toBeUndefined();
    await put(state, GUN, trustAt(7));
    expect(plain(await createFileState(folder).load(GUN))).toEqual(plain(trustAt(7)));
  });

  test('is replaced as a whole, and no other file is left', async () => {
    const state = await openFileState(folder);
    for (const version of [1, 2, 3]) {
      await put(state, GUN, trustAt(version));
    }
    expect((await state.load(GUN))?.floors.get('timestamp')?.version).toBe(3);
    expect(await readdir(folder)).toHaveLength(1);
  });

  test('is read only when there is room for its bytes', async () => {
    const state = await openFileState(folder);
    await put(state, GUN, trustAt(7));
    const { size } = await stat(await onlyFile());
    const asked: number[] = [];
    const admit = async (bytes: number) => {
      asked.push(bytes);
    };
    for (const each of [state, createOverlayState(state)]) {
      expect(plain(await each.load(GUN, admit))).toEqual(plain(trustAt(7)));
    }
    expect(asked).toEqual([size, size]);
    const refused = new TrustError('deadline_exceeded', 'deadline', 'no room');
    await expect(state.load(GUN, () => Promise.reject(refused))).rejects.toBe(refused);
  });

  test('is kept under a name that no repository can choose (Cure53 TUF-01-004)', async () => {
    const state = await openFileState(folder);
    await put(state, '../../etc/passwd', trustAt(1));
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.trust$/)]);
  });
});

describe('damage is refused, never taken for "nothing stored"', () => {
  test('each single byte', async () => {
    const state = await openFileState(folder);
    await put(state, GUN, trustAt(7));
    const path = await onlyFile();
    const good = await readFile(path);
    for (let at = 0; at < good.length; at += 1) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      await writeFile(path, bad);
      await refusal(createFileState(folder).load(GUN), 'trust_unreachable', 'state');
    }
  });

  test.each([0, 1, 80, 90, 200])('a file cut to %s bytes', async (length) => {
    const state = await openFileState(folder);
    await put(state, GUN, trustAt(7));
    const path = await onlyFile();
    await writeFile(path, (await readFile(path)).subarray(0, length));
    const error = await refusal(createFileState(folder).load(GUN), 'trust_unreachable', 'state');
    expect(error.message).toContain(path);
    expect(error.message).toContain('restore it from a backup');
    expect(error.isOutage).toBe(false);
  });

  test("another repository's file", async () => {
    const state = await openFileState(folder);
    await put(state, 'docker.io/library/debian', trustAt(7));
    const bytes = await readFile(await onlyFile());
    await rm(await onlyFile());
    await put(state, GUN, trustAt(1));
    await writeFile(await onlyFile(), bytes);
    await refusal(state.load(GUN), 'trust_unreachable', 'state');
  });
});

describe('writing that cannot be trusted is refused', () => {
  test('a change by another process since it was read', async () => {
    const [ours, theirs] = [await openFileState(folder), await openFileState(folder)];
    const stamp = (await ours.load(GUN))?.stamp;
    await put(theirs, GUN, trustAt(9));
    expect(await ours.save(GUN, trustAt(8), { stamp })).toEqual({ kind: 'changed' });
    expect((await ours.load(GUN))?.floors.get('timestamp')?.version).toBe(9);
  });

  test('a folder that cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    await refusal(openFileState(join(folder, 'file', 'state')), 'trust_unreachable', 'state');
    await expect(openFileState(join(folder, 'file'))).rejects.toThrow(
      `${folder}/file is a file; name a folder`,
    );
    // Refused with ENOENT, although the folder above it is there.
    await refusal(openFileState('/proc/nope/state'), 'trust_unreachable', 'state');
  });

  test('a folder that is gone', async () => {
    const state = await openFileState(folder);
    await state.load(GUN);
    await rm(folder, { recursive: true });
    await refusal(put(state, GUN, trustAt(1)), 'trust_unreachable', 'state');
    await refusal(state.probe(), 'trust_unreachable', 'state');
  });

  test('files are readable by their owner alone', async () => {
    const state = await openFileState(join(folder, 'new'));
    await put(state, GUN, trustAt(1));
    await chmod(folder, 0o755);
    const { statSync } = await import('node:fs');
    const [name] = await readdir(join(folder, 'new'));
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'new', name ?? '')).mode & 0o777).toBe(0o600);
  });
});

test('a command that only looks saves nothing to the folder', async () => {
  const overlay = createOverlayState(createFileState(folder));
  await put(overlay, GUN, trustAt(1));
  expect((await overlay.load(GUN))?.floors.get('timestamp')?.version).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});
