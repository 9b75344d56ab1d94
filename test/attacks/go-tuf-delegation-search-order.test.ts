/**
 * go-tuf advisory on delegation look-up: a wrong order of roles finds the wrong artifact. Docker's order:
 * notary-semantics.md §8.
 */
import { describe, expect, test } from '@jest/globals';
import { createWorld, digestOf } from '../trust-client/kit.ts';

const DIGESTS = { targets: 'a', releases: 'b', 'releases/sub': 'c', alice: 'd', 'alice/sub': 'e' } as const;
type Holder = keyof typeof DIGESTS;

async function lookUp(...holders: readonly Holder[]): Promise<string> {
  const world = createWorld();
  const { repository } = world;
  for (const name of ['releases', 'targets/releases/sub', 'alice', 'targets/alice/sub']) {
    repository.addDelegation(name);
    repository.signAs(name, 'unrelated', digestOf('f'), 1);
  }
  for (const holder of holders) {
    repository.addTag('1.0', digestOf(DIGESTS[holder]), 7, { role: holder });
  }
  repository.publish();
  const target = (await world.resolve()).target('1.0', world.now);
  return target === undefined ? 'not signed' : `${target.role} ${target.digest.at(-1)}`;
}

describe('a tag held by', () => {
  test.each<[Holder[], string]>([
    [['targets'], 'targets a'],
    [['releases'], 'targets/releases b'],
    [['targets', 'releases'], 'targets/releases b'],
    [['targets', 'releases', 'releases/sub', 'alice', 'alice/sub'], 'targets/releases b'],
    // A hit below releases is refused by Docker, and hides the one in targets.
    [['releases/sub'], 'not signed'],
    [['targets', 'releases/sub'], 'not signed'],
    // A hit elsewhere is refused too ("No trust data for"), but only after targets was asked.
    [['alice'], 'not signed'],
    [['alice/sub'], 'not signed'],
    [['targets', 'alice', 'alice/sub'], 'targets a'],
  ])('%s', async (holders, expected) => {
    expect(await lookUp(...holders)).toBe(expected);
  });
});

test('a hit without a sha256 ends the search as any hit does', async () => {
  const world = createWorld();
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '3.20', digestOf('b'), 7);
  world.repository.publish();
  world.repository.resign('targets/releases', (signed) => {
    signed.targets['3.20'] = { hashes: { sha256: 'short' }, length: 7 };
  });
  expect((await world.resolve()).target('3.20', world.now)).toBeUndefined();
});
