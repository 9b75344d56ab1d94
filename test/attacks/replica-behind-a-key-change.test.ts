/**
 * Two honest replicas, and the one that is behind knows nothing of the new root: what the other one has is asked for
 * until it is there, and what cannot be had is an outage, not a forgery.
 */
import { expect, test } from '@jest/globals';
import { createTrustCache } from '../../proxy/cache/trust-cache.ts';
import type { MetadataFile, TrustSource } from '../../proxy/trust-client/types.ts';
import { wireName } from '../simulators/simulated-source.ts';
import { createWorld, digestOf, FIRST_USE, GUN, type World } from '../trust-client/kit.ts';

const MINUTE_MS = 60_000;
const BASE_ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;

/** @param isBehind who answers this request, the first is number 0 */
function start(world: World, isBehind: (request: number, file: MetadataFile) => boolean) {
  const old = new Map(world.repository.files);
  let requests = 0;
  const source: TrustSource = {
    fetch: async (_gun, file) => {
      const view = isBehind(requests, file) ? old : world.repository.files;
      requests += 1;
      return view.get(wireName(file));
    },
  };
  const cache = createTrustCache({
    sourceFor: () => source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: MINUTE_MS,
    timeoutMs: 5_000,
    now: () => world.now,
  });
  const pull = async () => {
    world.now = new Date(world.now.getTime() + MINUTE_MS + 1);
    const outcome = await cache.trustFor('docker.io', GUN);
    if (outcome.kind === 'failed') return outcome.error.code;
    return `${outcome.path} ${outcome.trust.target('3.20', world.now)?.digest}`;
  };
  return { pull, requests: () => requests };
}

const OLD = digestOf('a');
const NEW = digestOf('b');

/** The first pull sees the repository as it was; then the key is replaced and the tag signed anew. */
async function pullAfterChange(
  change: (world: World) => void,
  isBehind: (request: number, file: MetadataFile) => boolean,
) {
  const world = createWorld();
  const { pull, requests } = start(world, isBehind);
  expect(await pull()).toBe(`cold ${OLD}`);
  world.repository.addTag('3.20', NEW, 7);
  change(world);
  const before = requests();
  return { outcome: await pull(), asked: requests() - before, pull, world };
}

for (const phase of [0, 1]) {
  test.each(BASE_ROLES)(`answers in turns, from ${phase}: the %s key is replaced`, async (role) => {
    const { outcome, asked } = await pullAfterChange(
      ({ repository }) => void repository.rotateKey(role),
      (request) => request % 2 === phase,
    );
    expect(outcome).toMatch(role === 'root' ? /^(cold|stale) / : `cold ${NEW}`);
    expect(asked).toBeLessThan(40);
  });

  test(`answers in turns, from ${phase}: every key is replaced`, async () => {
    const { outcome } = await pullAfterChange(
      ({ repository }) => {
        for (const role of BASE_ROLES) repository.rotateKey(role);
      },
      (request) => request % 2 === phase,
    );
    expect(outcome).toBe(`cold ${NEW}`);
  });
}

test.each(['timestamp', 'snapshot', 'targets'])(
  'only roots are new, and the %s key was replaced',
  async (role) => {
    let isHealed = false;
    const { outcome, asked, pull } = await pullAfterChange(
      ({ repository }) => void repository.rotateKey(role),
      (_, file) => !isHealed && file.role !== 'root',
    );
    expect(outcome).toBe('trust_unreachable');
    expect(asked).toBeLessThan(40);
    isHealed = true;
    expect(await pull()).toBe(`cold ${NEW}`);
  },
);

test.each(BASE_ROLES)(
  'only roots are old, and the %s key was replaced: the old tag is served on',
  async (role) => {
    const { outcome } = await pullAfterChange(
      ({ repository }) => void repository.rotateKey(role),
      (_, file) => file.role === 'root',
    );
    expect(outcome).toBe(`stale ${OLD}`);
  },
);

test('a snapshot that goes with the newest root and is badly signed is no lag', async () => {
  const { outcome } = await pullAfterChange(
    ({ repository }) => {
      repository.publish();
      repository.resign('snapshot', () => undefined, { keys: [repository.createKey('ecdsa')] });
    },
    () => false,
  );
  expect(outcome).toBe('metadata_invalid');
});

test.each([true, false])(
  'a root from before the first that was seen: lag, unless made anew (%s)',
  async (isLag) => {
    const world = createWorld();
    const before = new Map(world.repository.files);
    world.repository.rotateKey('timestamp');
    world.repository.rotateKey('root');
    const { pull } = start(world, () => false);
    expect(await pull()).toBe(`cold ${OLD}`);
    const shown = isLag ? before : createWorld().repository.files;
    world.repository.files.clear();
    for (const [name, bytes] of shown) world.repository.files.set(name, bytes);
    expect(await pull()).toBe(isLag ? `stale ${OLD}` : 'root_rotation_refused');
  },
);
