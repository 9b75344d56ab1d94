/** What every trust state keeps, whatever it stores entries in: compare-and-set, and entries that only rise. */
import { mkdtemp, rename, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { claimOf } from '../../../proxy/cache/state/claimed-write.ts';
import { createFileState, stateFileOf } from '../../../proxy/cache/state/file-state.ts';
import { createMemoryState, createOverlayState } from '../../../proxy/cache/state/memory-state.ts';
import { resetFileState } from '../../../proxy/cache/state/state-reset.ts';
import type { StoredTrust, TrustState } from '../../../proxy/trust-client/types.ts';
import { updateTrust } from '../../../proxy/trust-client/update.ts';
import { createWorld, FIRST_USE, GUN, refusal } from '../../trust-client/kit.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pullwarden-contract-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function trustAt(version: number, roots = 1): StoredTrust {
  const floor = { version, sha256: 'a'.repeat(64), signers: ['b'.repeat(64)], threshold: 1 };
  return {
    roots: Array.from({ length: roots }, (_, index) => Buffer.from(`root ${index}`)),
    files: new Map([['timestamp', Buffer.from(`timestamp ${version}`)]]),
    floors: new Map([
      ['timestamp', floor],
      ['targets', floor],
    ]),
  };
}

/** Two views of one state, as two processes or the parts before and after a reload have them. */
const STATES: readonly (readonly [string, () => readonly [TrustState, TrustState]])[] = [
  ['memory', () => twice(createMemoryState())],
  ['a folder, one process', () => twice(createFileState(folder))],
  ['a folder, two processes', () => [createFileState(folder), createFileState(folder)]],
  ['an overlay', () => twice(createOverlayState(createFileState(folder)))],
];

function twice(state: TrustState): readonly [TrustState, TrustState] {
  return [state, state];
}

describe.each(STATES)('%s', (_name, open) => {
  test('saves over what was loaded, and over nothing else', async () => {
    const [ours, theirs] = open();
    const stamp = (await ours.load(GUN))?.stamp;
    expect(await theirs.save(GUN, trustAt(2), { stamp: undefined })).toMatchObject({ kind: 'saved' });
    expect(await ours.save(GUN, trustAt(3), { stamp })).toEqual({ kind: 'changed' });
    const loaded = await ours.load(GUN);
    expect(loaded?.floors.get('timestamp')?.version).toBe(2);
    expect(await ours.stampOf(GUN)).toBe(loaded?.stamp);
    expect(await ours.save(GUN, trustAt(3), { stamp: loaded?.stamp })).toMatchObject({ kind: 'saved' });
    expect(await theirs.save(GUN, trustAt(4), { stamp: loaded?.stamp })).toEqual({ kind: 'changed' });
  });

  test('has what was saved, by either', async () => {
    const [ours, theirs] = open();
    expect(await ours.has(GUN)).toBe(false);
    await theirs.save(GUN, trustAt(1), { stamp: undefined });
    expect(await ours.has(GUN)).toBe(true);
    expect(await ours.has(`${GUN}-other`)).toBe(false);
  });

  test('of many that save over the same, one does', async () => {
    const views = open();
    const saves = Array.from({ length: 12 }, (_, index) =>
      views[index % 2]?.save(GUN, trustAt(index + 1), { stamp: undefined }),
    );
    const results = await Promise.all(saves);
    expect(results.filter((result) => result?.kind === 'saved')).toHaveLength(1);
  });

  test('no role goes down, no root goes away, unless its keys are gone', async () => {
    const [state] = open();
    await state.save(GUN, trustAt(5, 2), { stamp: undefined });
    const stamp = await state.stampOf(GUN);
    await refusal(state.save(GUN, trustAt(4, 2), { stamp }), 'trust_unreachable', 'state');
    await refusal(state.save(GUN, trustAt(6, 1), { stamp }), 'trust_unreachable', 'state');
    const without = { ...trustAt(6, 2), floors: new Map() };
    await refusal(state.save(GUN, without, { stamp }), 'trust_unreachable', 'state');
    const fallen = new Set(['timestamp', 'targets']);
    expect(await state.save(GUN, trustAt(4, 3), { stamp, fallen })).toMatchObject({ kind: 'saved' });
  });

  test('an update that lost the race is judged again by what won', async () => {
    const [ours, theirs] = open();
    const world = createWorld();
    const request = { gun: GUN, pin: FIRST_USE, now: world.now, signal: new AbortController().signal };
    await updateTrust({ source: world.source, state: theirs }, request);
    let release = () => {};
    world.source.fault('timestamp', { delay: new Promise<void>((resolve) => (release = resolve)), times: 1 });
    const slow = updateTrust({ source: world.source, state: ours }, request);
    world.repository.addTag('4.0', `sha256:${'d'.repeat(64)}`, 7);
    world.repository.publish();
    await updateTrust({ source: world.source, state: theirs }, request);
    release();
    expect((await slow).target('4.0', world.now)).toBeDefined();
  });
});

test('a claim that a crash left is put in place by the next writer', async () => {
  const state = createFileState(folder);
  await state.save(GUN, trustAt(1), { stamp: undefined });
  const stamp = await state.stampOf(GUN);
  const path = stateFileOf(folder, GUN);
  const other = await mkdtemp(join(tmpdir(), 'pullwarden-contract-'));
  await createFileState(other).save(GUN, trustAt(7), { stamp: undefined });
  await rename(stateFileOf(other, GUN), claimOf(path, stamp));
  await rm(other, { recursive: true });
  await utimes(claimOf(path, stamp), 0, 0);
  expect(await createFileState(folder).save(GUN, trustAt(2), { stamp })).toEqual({ kind: 'changed' });
  expect((await createFileState(folder).load(GUN))?.floors.get('timestamp')?.version).toBe(7);
}, 15_000);

describe('an entry that goes away under a running process', () => {
  test('is a fault, and no first contact', async () => {
    const state = createFileState(folder);
    await state.save(GUN, trustAt(1), { stamp: undefined });
    await rm(stateFileOf(folder, GUN));
    const error = await refusal(state.load(GUN), 'trust_unreachable', 'state');
    expect(error.message).toContain('is gone');
  });

  test('unless it was forgotten on purpose', async () => {
    const state = createFileState(folder);
    await state.save(GUN, trustAt(5), { stamp: undefined });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await resetFileState(folder, GUN, 'a test', new Date());
    const entry = await state.load(GUN);
    expect(entry?.roots).toEqual([]);
    expect(await state.save(GUN, trustAt(1), { stamp: entry?.stamp })).toMatchObject({ kind: 'saved' });
    expect((await state.load(GUN))?.floors.get('timestamp')?.version).toBe(1);
  });

  test('is not taken for what never was', async () => {
    const state = createFileState(folder);
    await state.save(GUN, trustAt(1), { stamp: undefined });
    await rm(stateFileOf(folder, GUN));
    expect(await state.has(GUN)).toBe(true);
    expect(await createFileState(folder).has(GUN)).toBe(false);
  });

  test('or comes back older', async () => {
    const state = createFileState(folder);
    await state.save(GUN, trustAt(5), { stamp: undefined });
    await rm(stateFileOf(folder, GUN));
    await createFileState(folder).save(GUN, trustAt(4), { stamp: undefined });
    await refusal(state.load(GUN), 'trust_unreachable', 'state');
  });
});

test('a disk that hangs is a deadline that passed', async () => {
  const world = createWorld();
  const hang = () => new Promise<never>(() => undefined);
  const state: TrustState = { load: hang, has: hang, stampOf: hang, save: hang };
  const controller = new AbortController();
  const request = { gun: GUN, pin: FIRST_USE, now: world.now, signal: controller.signal };
  const update = updateTrust({ source: world.source, state }, request);
  controller.abort();
  await refusal(update, 'deadline_exceeded', 'deadline');
});
