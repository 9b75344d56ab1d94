/** What of a proven update replaces what was loaded, and which floors are forgotten (memory.ts). */
import { expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { identityOf, type PublicKey } from '../../proxy/trust-client/keys.ts';
import { LostRace, type Proven, recall } from '../../proxy/trust-client/memory.ts';
import type { RoleRecord, TrustState } from '../../proxy/trust-client/types.ts';
import { GUN } from './kit.ts';
import { withLimitsUntilDone } from './lowered-limits.ts';

/** A floor that counts as so many IDs: one for itself, and its signers. */
const floorOf = (ids: number, earlier: RoleRecord['earlier'] = []): RoleRecord => ({
  version: 1,
  sha256: 'a'.repeat(64),
  signers: Array.from({ length: ids - 1 }, (_, at) => `${at}`),
  threshold: 1,
  ...(earlier.length === 0 ? {} : { earlier }),
});

const verified = (role: string) => ({
  role,
  bytes: Buffer.from(role),
  sha256: `new ${role}`,
  metadata: { version: 1 },
  signers: [],
  keys: { keys: [], threshold: 1 },
});

/** An update that proved the three files and these delegations, and passed these over. */
function proven(delegations: readonly string[] = [], skipped: readonly string[] = []): Proven {
  const byRole = (names: readonly string[]) => new Map(names.map((name) => [name, verified(name)]));
  const trusted = {
    timestamp: verified('timestamp'),
    snapshot: verified('snapshot'),
    targets: verified('targets'),
    delegations: byRole(delegations),
    skipped: byRole(skipped),
    replaced: new Map(),
    fallen: new Set(),
  };
  return { trusted, roots: [{ sha256: 'root', bytes: Buffer.from('root') }] } as unknown as Proven;
}

/** The delegations that are still remembered after an update that may remember so many IDs. */
async function remembered(
  floors: Readonly<Record<string, RoleRecord>>,
  update: Proven,
  rememberedIds: number,
): Promise<readonly string[]> {
  const state = createMemoryState();
  const stored = { roots: [], files: new Map(), floors: new Map(Object.entries(floors)) };
  await state.save(GUN, stored, { stamp: undefined, fallen: new Set() });
  const memory = await recall(state, GUN);
  await withLimitsUntilDone({ rememberedIds }, () => memory.keep(update));
  const after = await state.load(GUN);
  return [...(after?.floors.keys() ?? [])].filter((role) => role.includes('/'));
}

/** Of timestamp, snapshot and targets, which are never forgotten: one each. */
const TOP = 3;
const gone = { 'targets/a': floorOf(2), 'targets/b': floorOf(2), 'targets/c': floorOf(2) };

test.each([
  [TOP + 6, ['targets/a', 'targets/b', 'targets/c']],
  [TOP + 5, ['targets/b', 'targets/c']],
  [TOP + 4, ['targets/b', 'targets/c']],
  [TOP + 3, ['targets/c']],
  [0, []],
])('where %i IDs are remembered, the longest known go first: %j stay', async (most, expected) => {
  expect(await remembered(gone, proven(), most)).toEqual(expected);
});

test('earlier versions of a floor count as what they are', async () => {
  const earlier = { version: 1, signers: ['x', 'y'], threshold: 1, sha256: 'b'.repeat(64) };
  const floors = { 'targets/a': floorOf(2, [earlier, earlier]), 'targets/b': floorOf(2) };
  expect(await remembered(floors, proven(), TOP + 10)).toEqual(['targets/a', 'targets/b']);
  expect(await remembered(floors, proven(), TOP + 9)).toEqual(['targets/b']);
});

test('what is declared stays, and so does what is below a role that was passed over', async () => {
  const floors = {
    'targets/a': floorOf(2),
    'targets/b': floorOf(2),
    'targets/b/below/deep': floorOf(2),
    'targets/bb': floorOf(2),
  };
  const update = proven(['targets/a'], ['targets/b']);
  expect(await remembered(floors, update, 0)).toEqual(['targets/a', 'targets/b', 'targets/b/below/deep']);
});

test('what another update saved in between is not replaced', async () => {
  const saved = createMemoryState();
  const state: TrustState = {
    ...saved,
    load: saved.load,
    save: async () => ({ kind: 'changed', stamp: 'other' }),
  };
  const memory = await recall(state, GUN);
  await expect(memory.keep(proven())).rejects.toThrow(new LostRace(`the entry of ${GUN} was changed`));
});

test('a floor that is forgotten is named as fallen, and no other', async () => {
  const saved = createMemoryState();
  const fallen: (readonly string[])[] = [];
  const stored = { roots: [], files: new Map(), floors: new Map(Object.entries(gone)) };
  await saved.save(GUN, stored, { stamp: undefined, fallen: new Set() });
  const state: TrustState = {
    ...saved,
    save: async (gun, trust, replaces) => {
      fallen.push([...(replaces.fallen ?? [])]);
      return await saved.save(gun, trust, replaces);
    },
  };
  for (const rememberedIds of [TOP + 6, TOP + 5]) {
    const memory = await recall(state, GUN);
    const update = proven();
    Object.assign(update.trusted.timestamp, { sha256: `new ${rememberedIds}` });
    await withLimitsUntilDone({ rememberedIds }, () => memory.keep(update));
  }
  expect(fallen).toEqual([[], ['targets/a']]);
});

test('a floor names its signers by their IDs and by what outlives an encoding', async () => {
  const state = createMemoryState();
  const update = proven();
  const key = (id: string) => ({ id, pair: `pair of ${id}` });
  Object.assign(update.trusted.targets, {
    signers: ['a'],
    keys: { keys: [key('a'), key('b')], threshold: 1 },
  });
  const memory = await recall(state, GUN);
  await memory.keep(update);
  const floors = (await state.load(GUN))?.floors;
  expect(floors?.get('targets')?.signers).toEqual(['a', identityOf(key('a') as PublicKey)]);
});

test('what is remembered of the same timestamp is not written again', async () => {
  const state = createMemoryState();
  const first = await recall(state, GUN);
  await first.keep(proven());
  const stamp = first.stamp();
  const second = await recall(state, GUN);
  await second.keep(proven(['targets/a']));
  expect(await state.stampOf(GUN)).toBe(stamp);
  expect(second.stamp()).toBe(stamp);
});
