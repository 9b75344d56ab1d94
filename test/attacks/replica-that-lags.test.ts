/** Two honest replicas of which one is behind answer in turns: nothing verified is refused, nothing older is served. */
import { expect, test } from '@jest/globals';
import { createTrustCache } from '../../proxy/cache/trust-cache.ts';
import type { TrustSource } from '../../proxy/trust-client/types.ts';
import { wireName } from '../simulators/simulated-source.ts';
import { createWorld, digestOf, FIRST_USE, GUN } from '../trust-client/kit.ts';

const SECOND_MS = 1_000;
const PULLS = 600;

test.each([
  ['request', 1],
  ['request', 10],
  ['request', 60],
  ['connection', 1],
  ['connection', 10],
  ['connection', 60],
])('in turns by %s, %s minutes behind: ten minutes of pulls', async (turns, minutes) => {
  const world = createWorld();
  const old = new Map(world.repository.files);
  world.now = new Date(world.now.getTime() + minutes * 60 * SECOND_MS);
  world.repository.addTag('3.20', digestOf('b'), 7);
  world.repository.publish();
  let requests = 0;
  let second = 0;
  const cache = createTrustCache({
    sourceFor: () => world.source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 5 * SECOND_MS,
    timeoutMs: 1_000,
    now: () => world.now,
  });
  expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified' });
  const isOld = (): boolean => (turns === 'request' ? requests : Math.floor(second / 7)) % 2 === 1;
  // Files by hash that only the new one has are absent on the old one, as a replica says it.
  for (const name of new Set([...old.keys(), ...world.repository.files.keys()])) {
    world.source.fault(name, {
      bytes: (honest) => {
        requests += 1;
        return isOld() ? old.get(name) : honest;
      },
    });
  }
  const counts = { served: 0, refused: 0, older: 0 };
  for (second = 0; second < PULLS; second += 1) {
    world.now = new Date(world.now.getTime() + SECOND_MS);
    const outcome = await cache.trustFor('docker.io', GUN);
    const digest = outcome.kind === 'verified' ? outcome.trust.target('3.20', world.now)?.digest : undefined;
    if (digest === digestOf('b')) counts.served += 1;
    else if (digest === undefined) counts.refused += 1;
    else counts.older += 1;
  }
  expect(counts).toEqual({ served: PULLS, refused: 0, older: 0 });
});

/** What the repository was at each moment of the last hour and more; a replica shows it as it was some minutes ago. */
type Moment = {
  readonly at: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly order: number;
};

test.each([1, 10, 60])('%s minutes behind while tags are signed and keys replaced', async (minutes) => {
  const world = createWorld();
  const start = world.now.getTime();
  const history: Moment[] = [];
  const publish = (order: number) => {
    world.repository.addTag('3.20', contentOf(order), 7);
    world.repository.publish();
    history.push({ at: world.now.getTime(), files: new Map(world.repository.files), order });
  };
  publish(0);
  const pass = (seconds: number) => {
    world.now = new Date(world.now.getTime() + seconds * SECOND_MS);
  };
  let requests = 0;
  const source: TrustSource = {
    fetch: async (_gun, file) => {
      requests += 1;
      const limit = world.now.getTime() - (requests % 2 === 1 ? minutes * 60 * SECOND_MS : 0);
      const moment = history.findLast(({ at }) => at <= limit) ?? history[0];
      return moment?.files.get(wireName(file));
    },
  };
  const cache = createTrustCache({
    sourceFor: () => source,
    pinFor: () => FIRST_USE,
    state: world.state,
    refreshMs: 5 * SECOND_MS,
    timeoutMs: 1_000,
    now: () => world.now,
  });
  const counts = { served: 0, refused: 0, older: 0 };
  let newest = 0;
  const pull = async (): Promise<void> => {
    const outcome = await cache.trustFor('docker.io', GUN);
    const digest = outcome.kind === 'verified' ? outcome.trust.target('3.20', world.now)?.digest : undefined;
    const order = history.findLast((moment) => contentOf(moment.order) === digest)?.order;
    if (order === undefined) counts.refused += 1;
    else if (order < newest) counts.older += 1;
    else counts.served += 1;
    newest = Math.max(newest, order ?? 0);
  };
  // An hour that both replicas know the beginning of, then ten minutes of pulls.
  for (let order = 1; order < 7; order += 1) {
    pass(600);
    publish(order);
  }
  for (let second = 0; second < PULLS; second += 1) {
    pass(1);
    if (second % 60 === 30) publish(7 + second);
    if (second === 200) world.repository.rotateKey('snapshot');
    if (second === 300) world.repository.rotateKey('timestamp');
    if (second === 400) world.repository.rotateKey('targets');
    if (second % 100 === 0) publish(7 + second);
    await pull();
  }
  expect(start).toBeLessThan(world.now.getTime());
  expect(counts).toEqual({ served: PULLS, refused: 0, older: 0 });
});

function contentOf(order: number): `sha256:${string}` {
  return `sha256:${order.toString(16).padStart(64, '0')}`;
}
