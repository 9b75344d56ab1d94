/** Freeze: the server goes on showing the same files for ever (notary-semantics.md §13; NCC-2). */
import { expect, test } from '@jest/globals';
import { unreachable } from '../simulators/simulated-source.ts';
import { createWorld, DAY_MS, digestIn, digestOf, fileOf, record, refusal } from '../trust-client/kit.ts';

test('is bounded by the expiry of the timestamp', async () => {
  const world = createWorld();
  const trust = await world.resolve();
  const replay = record(world);
  world.repository.addTag('3.20', digestOf('c'), 5);
  world.repository.publish();
  replay();
  world.now = new Date(world.now.getTime() + 13 * DAY_MS);
  expect(digestIn(await world.resolve(trust), '3.20', world.now)).toBe(digestOf('a'));
  world.now = new Date(world.now.getTime() + 2 * DAY_MS);
  const error = await refusal(world.resolve(trust), 'metadata_expired', 'expired');
  expect(error.role).toBe('timestamp');
});

test.each(['root', 'timestamp', 'snapshot', 'targets'])(
  'an expired %s is refused, and what was verified before it expired answers nothing any more',
  async (role) => {
    const world = createWorld();
    world.repository.setExpiry(role, new Date(world.now.getTime() + DAY_MS));
    world.repository.publish();
    const trust = await world.resolve();
    expect(trust.firstToExpire).toBe(role);
    world.now = new Date(world.now.getTime() + DAY_MS + 1);
    if (role !== 'timestamp') world.repository.refreshTimestamp();
    const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
    expect(error.role).toBe(role);
    expect(trust.target('3.20', world.now)).toBeUndefined();
    expect(trust.tags(world.now)).toEqual([]);
    await refusal(world.restore(), 'metadata_expired', 'expired');
  },
);

test('an expired timestamp is no outage, even when the server is silent on the second try', async () => {
  const world = createWorld();
  await world.resolve();
  world.now = new Date(world.now.getTime() + 15 * DAY_MS);
  world.source.fault(({ revalidate }) => revalidate, { error: unreachable() });
  const error = await refusal(world.resolve(), 'metadata_expired', 'expired');
  expect(error.isOutage).toBe(false);
});

test('a newer root cannot be hidden: the snapshot that goes with it names it', async () => {
  const world = createWorld();
  await world.resolve();
  const older = fileOf(world, 'root');
  world.repository.rotateKey('targets');
  world.source.fault(({ name }) => name === '2.root', { missing: true });
  world.source.fault(({ name }) => name === 'root', { bytes: older });
  await refusal(world.resolve(), 'metadata_invalid', 'hash_mismatch');
});

test('a delegation expires by itself, and with it every tag it alone holds', async () => {
  const world = createWorld();
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', digestOf('b'), 7);
  world.repository.setExpiry('targets/releases', new Date(world.now.getTime() + DAY_MS));
  world.repository.publish();
  const trust = await world.resolve();
  const later = new Date(world.now.getTime() + DAY_MS + 1);
  expect(trust.tags(world.now)).toEqual(['1.0', '3.20']);
  expect(trust.target('1.0', world.now)?.expires).toEqual(new Date(world.now.getTime() + DAY_MS));
  expect(trust.tags(later)).toEqual(['3.20']);
});

test('a clock that says nothing proves nothing', async () => {
  const world = createWorld();
  const trust = await world.resolve();
  const unreadable = new Date(Number.NaN);
  expect(trust.target('3.20', unreadable)).toBeUndefined();
  world.now = unreadable;
  await refusal(world.resolve(), 'metadata_expired', 'expired');
});
