/** Slow retrieval: a server that answers too late, or never (notary-semantics.md §13). */
import { describe, expect, test } from '@jest/globals';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import type { SourceFault } from '../simulators/simulated-source.ts';
import { createWorld, digestOf, FIRST_USE, refusal, type World } from '../trust-client/kit.ts';

const NEVER: SourceFault = { delay: new Promise(() => undefined) };

/** One update whose deadline passes as soon as every request that can be answered was. */
async function resolveUntilStalled(world: World): Promise<unknown> {
  const { source, state, repository, now } = world;
  const deadline = new AbortController();
  const request = { gun: repository.gun, pin: FIRST_USE, now, signal: deadline.signal };
  const attempt = updateTrust({ source, state }, request);
  attempt.catch(() => undefined);
  for (let asked = -1; asked !== source.requests.length; ) {
    asked = source.requests.length;
    await new Promise((done) => setImmediate(done));
    await new Promise((done) => setImmediate(done));
  }
  deadline.abort();
  return await attempt;
}

describe('a file that never comes ends at the deadline', () => {
  test.each(['root', 'timestamp', 'snapshot', 'targets', 'targets/releases'])('%s', async (role) => {
    const world = createWorld();
    world.repository.addDelegation('releases');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    world.source.fault(role, NEVER);
    const error = await refusal(resolveUntilStalled(world), 'deadline_exceeded', 'deadline');
    expect(error.isOutage).toBe(true);
  });

  test('the next root, with everything else remembered', async () => {
    const world = createWorld();
    await world.resolve();
    world.source.fault('2.root', NEVER);
    await refusal(resolveUntilStalled(world), 'deadline_exceeded', 'deadline');
  });
});

test('Ratify #116: time that runs out is never a success, and nothing is remembered of it', async () => {
  const world = createWorld();
  world.source.fault('targets', NEVER);
  await refusal(resolveUntilStalled(world), 'deadline_exceeded', 'deadline');
  expect(await world.state.load(world.repository.gun)).toBeUndefined();
});

test('after the deadline nothing more is asked for', async () => {
  const world = createWorld();
  world.source.fault('*', NEVER);
  await refusal(resolveUntilStalled(world), 'deadline_exceeded', 'deadline');
  const asked = world.source.requests.length;
  await new Promise((done) => setImmediate(done));
  expect(world.source.requests.length).toBe(asked);
});

test('a deadline that has passed before anything was asked', async () => {
  const { source, state, repository, now } = createWorld();
  const request = { gun: repository.gun, pin: FIRST_USE, now, signal: AbortSignal.abort() };
  await refusal(updateTrust({ source, state }, request), 'deadline_exceeded', 'deadline');
  expect(source.requests).toEqual([]);
});
