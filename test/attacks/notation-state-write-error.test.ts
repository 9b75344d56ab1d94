/** notation-go GHSA-qjh3-4j3h-vmwp: an error while writing the cache crashed the verifier. Here it is a refusal. */
import { expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { createWorld, FIRST_USE, GUN, refusal } from '../trust-client/kit.ts';

function damaged(message: string): TrustError {
  return new TrustError('trust_unreachable', 'state', message);
}

function resolveWith(state: Parameters<typeof updateTrust>[0]['state']): Promise<unknown> {
  const { source, repository, now } = createWorld();
  const request = { gun: repository.gun, pin: FIRST_USE, now, signal: new AbortController().signal };
  return updateTrust({ source, state }, request);
}

test('a state that cannot be written: nothing is answered from what could not be remembered', async () => {
  const save = () => Promise.reject(damaged('the disk is full'));
  const error = await refusal(
    resolveWith({
      load: async () => undefined,
      has: async () => false,
      stampOf: async () => undefined,
      save,
    }),
    'trust_unreachable',
    'state',
  );
  expect(error.isOutage).toBe(false);
});

test('a state that cannot be read is not the same as no state', async () => {
  const load = () => Promise.reject(damaged('the file is cut short'));
  const save = () => Promise.reject(new Error('never reached'));
  const state = { load, has: async () => true, stampOf: async () => undefined, save };
  await refusal(resolveWith(state), 'trust_unreachable', 'state');
});

test('a state without a root, as a reset leaves it, carries nothing', async () => {
  const world = createWorld();
  world.state = createMemoryState([[GUN, { roots: [], files: new Map(), floors: new Map() }]]);
  const error = await refusal(world.restore(), 'no_trust_data');
  expect(error.isOutage).toBe(false);
});

test.each(['', '{}', '{"signed":{},"signatures":[]}'])('a remembered root that reads %j', async (text) => {
  const world = createWorld();
  const roots = [Buffer.from(text)];
  world.state = createMemoryState([[GUN, { roots, files: new Map(), floors: new Map() }]]);
  await refusal(world.resolve(), 'trust_unreachable', 'state');
  await refusal(world.restore(), 'trust_unreachable', 'state');
});
