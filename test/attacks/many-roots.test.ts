/** Many roots, and roots that cost much to look at (notary-semantics.md §13; limits.ts). */
import { expect, test } from '@jest/globals';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { currentRootSteps, parseRootFile } from '../../proxy/trust-client/root-trust.ts';
import { createWorld, fileOf, GUN, NOW, refusal } from '../trust-client/kit.ts';

test('no more roots are followed in one update than the limit', async () => {
  const world = createWorld();
  await world.resolve();
  for (let version = 2; version <= LIMITS.rootsPerUpdate + 2; version += 1) {
    world.repository.resign('root', (signed) => Object.assign(signed, { version }), { propagate: false });
  }
  const error = await refusal(world.resolve(), 'metadata_invalid', 'size');
  expect(error.role).toBe('root');
});

test('a first root that claims a huge version makes us search its history no further than the limit', async () => {
  const world = createWorld();
  world.pin = { kind: 'keys', ids: new Set(['0'.repeat(64)]) };
  world.repository.setVersion('root', Number.MAX_SAFE_INTEGER);
  world.repository.publish();
  await refusal(world.resolve(), 'key_not_pinned', 'key_mismatch');
  expect(world.source.requests.length).toBeLessThanOrEqual(LIMITS.rootsPerUpdate + 2);
});

test('one key listed under a thousand names with a hundred bad signatures costs a hundred checks, not 20,000', async () => {
  const rootKey = createSigningKey('ecdsa-x509', { commonName: GUN, now: NOW });
  const world = createWorld({ rootKey });
  const names = Array.from({ length: 150 }, (_, index) => index.toString(16).padStart(64, '0'));
  world.repository.resign('root', (signed) => {
    const key = signed.keys[rootKey.id];
    if (key === undefined) throw new Error('the root lists its key');
    for (const name of names) signed.keys[name] = key;
    signed.roles.root.keyids = [rootKey.id, ...names];
  });
  const text = Buffer.from(fileOf(world, 'root')).toString();
  const [, signature = ''] = /"signatures":\[(\{.*\})\]\}$/.exec(text) ?? [];
  const bad = signature.replace(/"sig":"...../, '"sig":"AAAAA');
  const flooded = text.replace(signature, Array.from({ length: LIMITS.signatures }, () => bad).join(','));
  world.source.fault('root', { bytes: Buffer.from(flooded) });
  await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  // A step is one key looked at, or one signature checked.
  const steps = currentRootSteps(parseRootFile(Buffer.from(flooded)), GUN, NOW);
  let count = 0;
  expect(() => {
    while (steps.next().done !== true) count += 1;
  }).toThrow('has 0 valid signatures');
  expect(count).toBe(names.length + 1 + LIMITS.signatures);
});

test('a root with more keys or signatures than the limit is not looked at', async () => {
  const world = createWorld();
  world.repository.resign('root', (signed) => {
    const keyval = { private: null, public: '' };
    for (let i = 0; i <= LIMITS.keys; i += 1) signed.keys[`k${i}`] = { keytype: 'x', keyval };
  });
  const error = await refusal(world.resolve(), 'metadata_invalid', 'size');
  expect(error.role).toBe('root');
});
