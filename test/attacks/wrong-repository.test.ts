/** Wrong GUN: the whole, validly signed metadata of one repository shown as another's (notary-semantics.md §4.4, §13). */
import { describe, expect, test } from '@jest/globals';
import { createSigningKey } from '../../proxy/demo/notary/signing-key.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { createWorld, digestIn, digestOf, GUN, NOW, refusal } from '../trust-client/kit.ts';

const SCOPED = 'docker.io/library/*';

function worldWithCertificate(commonName: string, gun: Gun = GUN) {
  return createWorld({ rootKey: createSigningKey('ecdsa-x509', { commonName, now: NOW }) }, gun);
}

describe('the common name of the root certificate', () => {
  test.each([
    ['another repository', 'docker.io/library/debian'],
    ['the same repository elsewhere', 'evil.example/library/alpine'],
    ['a longer name', `${GUN}-evil`],
    ['a shorter name', 'docker.io/library/alpin'],
    ['another case', GUN.toUpperCase()],
    ['a wildcard in the middle', 'docker.io/*/alpine'],
    ['a wildcard for others', 'docker.io/other/*'],
    ['nothing', ''],
  ])('%s', async (_what, commonName) => {
    const error = await refusal(
      worldWithCertificate(commonName).resolve(),
      'metadata_invalid',
      'key_mismatch',
    );
    expect(error.role).toBe('root');
  });

  test('the last of several counts, as Go keeps it', async () => {
    const named = (...names: string[]) =>
      createWorld({
        rootKey: createSigningKey('ecdsa-x509', { now: NOW, certificate: { commonName: names } }),
      });
    expect(digestIn(await named('docker.io/library/debian', GUN).resolve(), '3.20')).toBe(digestOf('a'));
    await refusal(named(GUN, 'docker.io/library/debian').resolve(), 'metadata_invalid', 'key_mismatch');
  });
});

describe('a wildcard certificate would carry one repository over to another', () => {
  test.each([SCOPED, '*', 'docker.io/library/alpine*', 'docker.io/**'])(
    '%s is refused at first use',
    async (name) => {
      await refusal(worldWithCertificate(name).resolve(), 'key_not_pinned', 'key_mismatch');
    },
  );

  test('a pin of its key allows it, for every repository the operator pins it for', async () => {
    const world = worldWithCertificate(SCOPED);
    const [key] = world.repository.keys('root');
    world.pin = { kind: 'keys', ids: new Set([key?.canonicalId ?? '']) };
    expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('a pin does not stretch it beyond its prefix', async () => {
    const world = worldWithCertificate('docker.io/library/deb*');
    const [key] = world.repository.keys('root');
    world.pin = { kind: 'keys', ids: new Set([key?.id ?? '']) };
    await refusal(world.resolve(), 'metadata_invalid', 'key_mismatch');
  });

  test('a repository that is known cannot be replaced by a sibling under the same wildcard key', async () => {
    const rootKey = createSigningKey('ecdsa-x509', { commonName: SCOPED, now: NOW });
    const world = createWorld({ rootKey });
    world.pin = { kind: 'keys', ids: new Set([rootKey.id]) };
    world.repository.setVersion('timestamp', 7);
    world.repository.publish();
    await world.resolve();
    const sibling = createWorld({ rootKey });
    sibling.repository.addTag('3.20', digestOf('e'), 1);
    sibling.repository.publish();
    world.source.repositories.set(GUN, sibling.repository);
    await refusal(world.resolve(), 'metadata_rollback', 'rollback');
  });
});

test('a good certificate beside a foreign one: only the good one counts', async () => {
  const foreign = createSigningKey('ecdsa-x509', { commonName: 'docker.io/library/debian', now: NOW });
  const world = createWorld();
  const own = world.repository.keys('root');
  world.repository.setThreshold('root', 1, [foreign, ...own]);
  world.repository.publish();
  expect(digestIn(await world.resolve(), '3.20')).toBe(digestOf('a'));
  world.repository.resign('root', () => undefined, { keys: [foreign] });
  await refusal(createFresh(world).resolve(), 'metadata_invalid', 'threshold');
});

/** The same server, nothing remembered. */
function createFresh(world: ReturnType<typeof createWorld>) {
  const fresh = createWorld();
  fresh.source.repositories.set(GUN, world.repository);
  return fresh;
}
