/**
 * A publisher declares other delegations with every update and removes them again: what is remembered of those that are
 * gone would grow for ever, and is read as a whole by every update.
 */
import { expect, test } from '@jest/globals';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import type { RoleRecord, StoredTrust } from '../../proxy/trust-client/types.ts';
import { createWorld, digestIn, digestOf, GUN, refusal, type World } from '../trust-client/kit.ts';

const RELEASES = 'targets/releases';
const BELOW = `${RELEASES}/below`;
const SIGNERS = 15;
const GONE = LIMITS.rememberedIds / (1 + SIGNERS);

async function load(world: World) {
  const loaded = await world.state.load(GUN);
  if (loaded === undefined) throw new Error('nothing was saved');
  return loaded;
}

/** As many as fit are gone, all of them first seen after `targets/releases` and before `targets/last`. */
async function createFlooded(): Promise<World> {
  const world = createWorld();
  const { repository } = world;
  repository.addDelegation('releases');
  repository.addDelegation('below', { parent: RELEASES });
  for (const role of [RELEASES, BELOW]) repository.signAs(role, '1.0', digestOf('b'), 7);
  repository.publish();
  await world.resolve();
  const { stamp, ...trust } = await load(world);
  const gone: RoleRecord = {
    version: 3,
    sha256: 'a'.repeat(64),
    signers: Array.from({ length: SIGNERS }, (_, at) => `${at}`.padStart(64, '0')),
    threshold: 1,
  };
  const floors = new Map(trust.floors);
  for (let at = 0; at < GONE; at += 1) floors.set(`targets/gone${at}`, gone);
  await world.state.save(GUN, { ...trust, floors } satisfies StoredTrust, { stamp });
  repository.addDelegation('last');
  repository.signAs('last', '1.0', digestOf('b'), 7);
  repository.publish();
  return world;
}

function idsIn(floors: ReadonlyMap<string, RoleRecord>): number {
  return [...floors.values()].reduce((sum, { signers }) => sum + 1 + signers.length, 0);
}

test('what is remembered has a bound, and what is declared stays remembered', async () => {
  const world = await createFlooded();
  await world.resolve();
  const { floors } = await load(world);
  expect(idsIn(floors)).toBeLessThanOrEqual(LIMITS.rememberedIds);
  expect(idsIn(floors)).toBeGreaterThan(LIMITS.rememberedIds - 1 - SIGNERS);
  const declared = ['timestamp', 'snapshot', 'targets', RELEASES, BELOW, 'targets/last'];
  expect([...floors.keys()]).toEqual(expect.arrayContaining(declared));
  expect([floors.has('targets/gone0'), floors.has(`targets/gone${GONE - 1}`)]).toEqual([false, true]);
  world.repository.removeDelegation('last');
  world.repository.publish();
  await world.resolve();
  expect((await load(world)).floors.has('targets/last')).toBe(true);
});

test('so does what is below a delegation that is passed over', async () => {
  const world = await createFlooded();
  const { repository } = world;
  const file = repository.files.get(RELEASES) ?? new Uint8Array();
  const below = repository.keys(BELOW);
  repository.setThreshold(RELEASES, 1, [repository.createKey('ecdsa')]);
  repository.publish();
  const next = repository.files.get(RELEASES) ?? new Uint8Array();
  repository.replaceFile(RELEASES, file);
  expect(digestIn(await world.resolve(), '1.0')).toBeUndefined();
  expect((await load(world)).floors.has(BELOW)).toBe(true);
  repository.replaceFile(RELEASES, next);
  repository.resign(BELOW, (signed) => void Object.assign(signed, { targets: {} }), { keys: below });
  await refusal(world.resolve(), 'metadata_rollback', 'rollback');
});
