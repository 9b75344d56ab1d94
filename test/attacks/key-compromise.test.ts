/** What each stolen key below root can do, and what it cannot (notary-semantics.md §13, "key compromise"). */
import { describe, expect, test } from '@jest/globals';
import { createWorld, digestIn, digestOf, fileOf, refusal, type World } from '../trust-client/kit.ts';

const EVIL = digestOf('e');
const EVIL_BASE64 = Buffer.from(EVIL.slice('sha256:'.length), 'hex').toString('base64');

/** `1.0` in targets/releases, `3.20` in targets; verified once. */
async function createKnownWorld(): Promise<World> {
  const world = createWorld();
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', digestOf('b'), 7);
  world.repository.publish();
  await world.resolve();
  return world;
}

function putEvil(signed: { targets: Record<string, { hashes: { sha256: string }; length: number }> }): void {
  for (const tag of ['1.0', '3.20']) signed.targets[tag] = { hashes: { sha256: EVIL_BASE64 }, length: 1 };
}

describe('the timestamp key', () => {
  test('cannot go back to an older snapshot', async () => {
    const world = await createKnownWorld();
    const older = fileOf(world, 'snapshot');
    world.repository.addTag('4.0', digestOf('c'), 7);
    world.repository.publish();
    await world.resolve();
    world.repository.replaceFile('snapshot', older);
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe('snapshot');
  });

  test('cannot name a snapshot that the snapshot key did not sign', async () => {
    const world = await createKnownWorld();
    const keys = world.repository.keys('timestamp');
    world.repository.resign('snapshot', (signed) => Object.assign(signed, { version: 9 }), { keys });
    const error = await refusal(world.resolve(), 'metadata_invalid', 'threshold');
    expect(error.role).toBe('snapshot');
  });

  test('can freeze: it may call the same snapshot current for as long as it likes', async () => {
    const world = await createKnownWorld();
    world.repository.setExpiry('timestamp', '2099-01-01T00:00:00Z');
    world.repository.refreshTimestamp();
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });
});

describe('the snapshot and timestamp keys (a compromised Notary server)', () => {
  test.each(['targets', 'targets/releases'] as const)('cannot change a tag in %s', async (role) => {
    const world = await createKnownWorld();
    const keys = [...world.repository.keys('snapshot'), ...world.repository.keys('timestamp')];
    world.repository.resign(role, putEvil, { keys });
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  });

  test('cannot take a known delegation out of the snapshot', async () => {
    const world = await createKnownWorld();
    const version = world.repository.version('snapshot') + 1;
    world.repository.resign('snapshot', (signed) => {
      delete (signed.meta as Record<string, unknown>)['targets/releases'];
      signed.version = version;
    });
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  });

  test.each(['targets', 'targets/releases'])('cannot bring back an older %s', async (role) => {
    const world = await createKnownWorld();
    const older = fileOf(world, role);
    world.repository.addTag('3.20', digestOf('c'), 7, { role });
    world.repository.publish();
    await world.resolve();
    world.repository.replaceFile(role, older);
    const error = await refusal(world.resolve(), 'metadata_rollback', 'rollback');
    expect(error.role).toBe(role);
  });
});

describe('the targets key', () => {
  test('alone changes nothing: the snapshot goes on naming the honest file', async () => {
    const world = await createKnownWorld();
    world.repository.resign('targets', putEvil, { propagate: false });
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('with the server signs what it likes in targets, but releases has the first word', async () => {
    const world = await createKnownWorld();
    const version = world.repository.version('targets') + 1;
    world.repository.resign('targets', (signed) => putEvil(Object.assign(signed, { version })));
    const trust = await world.resolve();
    expect(digestIn(trust, '3.20')).toBe(EVIL);
    expect(digestIn(trust, '1.0')).toBe(digestOf('b'));
  });

  test('is worth nothing once the root names another', async () => {
    const world = await createKnownWorld();
    const stolen = world.repository.keys('targets');
    world.repository.rotateKey('targets');
    world.repository.resign('targets', putEvil, { keys: stolen });
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  });

  test('cannot change the root', async () => {
    const world = await createKnownWorld();
    const stolen = world.repository.keys('targets');
    world.repository.resign('root', (signed) => Object.assign(signed, { version: 2 }), { keys: stolen });
    await refusal(world.resolve(), 'root_rotation_refused', 'signature');
  });
});

describe('a delegation key', () => {
  test('signs only within its paths', async () => {
    const world = createWorld();
    world.repository.addDelegation('releases', { paths: ['edge'] });
    world.repository.addTag('3.20', EVIL, 1, { role: 'releases' });
    world.repository.signAs('releases', 'edge-1', EVIL, 1);
    world.repository.publish();
    const trust = await world.resolve();
    expect(digestIn(trust, '3.20')).toBe(digestOf('a'));
    expect(digestIn(trust, 'edge-1')).toBe(EVIL);
  });

  test('of a signer publishes nothing: only targets/releases and targets do', async () => {
    const world = await createKnownWorld();
    world.repository.addDelegation('alice');
    world.repository.signAs('alice', '1.0', EVIL, 1);
    world.repository.publish();
    const target = (await world.resolve()).target('1.0', world.now);
    expect(target).toMatchObject({ digest: digestOf('b'), signers: [] });
  });

  test('cannot hand its role on beyond its own paths', async () => {
    const world = createWorld();
    world.repository.addDelegation('releases', { paths: ['edge'] });
    world.repository.addDelegation('targets/releases/sub', { paths: ['', '3.'] });
    world.repository.signAs('targets/releases/sub', '3.20', EVIL, 1);
    world.repository.publish();
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('is worth nothing once targets takes it away', async () => {
    const world = await createKnownWorld();
    const stolen = world.repository.keys('targets/releases');
    world.repository.setThreshold('targets/releases', 1, [world.repository.createKey('ecdsa')]);
    world.repository.publish();
    world.repository.resign('targets/releases', putEvil, { keys: stolen });
    expect(digestIn(await world.resolve(), '1.0')).toBeUndefined();
  });

  test('alone does not reach a threshold of two', async () => {
    const world = createWorld();
    const [one, two] = world.repository.addDelegation('releases', { keyCount: 2, threshold: 2 });
    if (one === undefined || two === undefined) throw new Error('two keys were asked for');
    world.repository.signAs('releases', '1.0', digestOf('b'), 7);
    world.repository.publish();
    expect(digestIn(await world.resolve(), '1.0')).toBe(digestOf('b'));
    world.repository.resign('targets/releases', putEvil, { keys: [one, one] });
    await refusal(world.resolve(), 'metadata_invalid', 'threshold');
  });
});
