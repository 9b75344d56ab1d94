/** NCC-3, Cure53 TUF-01-002: a version of 2^31-1 locked clients out for ever. Versions here have 53 bits. */
import { describe, expect, test } from '@jest/globals';
import { createWorld, refusal } from '../trust-client/kit.ts';

describe.each(['timestamp', 'snapshot', 'targets'])('%s', (role) => {
  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER - 1])(
    'version %s is followed by the next',
    async (version) => {
      const world = createWorld();
      world.repository.setVersion(role, version);
      world.repository.publish();
      await world.resolve();
      world.repository.setVersion(role, version + 1);
      world.repository.publish();
      const { roles } = await world.resolve();
      expect(roles.find((status) => status.role === role)?.version).toBe(version + 1);
    },
  );

  test.each(['9007199254740992', '18446744073709551616', '1e3', '-1', '0', '1.5'])(
    'version %s is refused',
    async (version) => {
      const world = createWorld();
      const signed = JSON.stringify(world.repository.signed(role));
      world.repository.resign(role, () => undefined, {
        rawSigned: signed.replace(/"version":\d+/, `"version":${version}`),
      });
      await refusal(world.resolve(), 'metadata_invalid', 'format');
    },
  );
});

test('a root of version 2^31-1 that the trusted key signed is followed by the next', async () => {
  const world = createWorld();
  await world.resolve();
  world.repository.setVersion('root', 2 ** 31 - 1);
  world.repository.rotateKey('timestamp');
  expect((await world.resolve()).root.metadata.version).toBe(2 ** 31 - 1);
  world.repository.rotateKey('snapshot');
  expect((await world.resolve()).root.metadata.version).toBe(2 ** 31);
});
