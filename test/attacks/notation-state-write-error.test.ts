/** notation-go GHSA-qjh3-4j3h-vmwp: an error while writing the cache crashed the verifier. Here it is a refusal. */
import { expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { createWorld, FIRST_USE, refusal } from '../trust-client/kit.ts';

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
    resolveWith({ load: async () => undefined, save }),
    'trust_unreachable',
    'state',
  );
  expect(error.isOutage).toBe(false);
});

test('a state that cannot be read is not the same as no state', async () => {
  const load = () => Promise.reject(damaged('the file is cut short'));
  const save = async () => undefined;
  await refusal(resolveWith({ load, save }), 'trust_unreachable', 'state');
});

test('a state without a root is damaged', async () => {
  const load = async () => ({ roots: [], files: new Map(), floors: new Map() });
  const { state, repository } = createWorld();
  await state.save(repository.gun, await load());
  const world = createWorld();
  await world.state.save(repository.gun, await load());
  const error = await refusal(world.restore(), 'trust_unreachable', 'state');
  expect(error.isOutage).toBe(false);
});

test.each(['', '{}', '{"signed":{},"signatures":[]}'])('a remembered root that reads %j', async (text) => {
  const world = createWorld();
  const roots = [Buffer.from(text)];
  await world.state.save(world.repository.gun, { roots, files: new Map(), floors: new Map() });
  await refusal(world.resolve(), 'trust_unreachable', 'state');
  await refusal(world.restore(), 'trust_unreachable', 'state');
});
