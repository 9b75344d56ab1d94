/**
 * Repositories that cost as much to verify as the limits allow, pulled from while a neighbour pulls a warm tag: how long
 * the proxy's loop was blocked, what the neighbour waited, and whether the deadline held. Three times: at first contact,
 * after a restart from what is stored, and the same with the trust server gone.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openFileState } from '../../proxy/cache/state/file-state.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../proxy/demo/notary/notary-server.ts';
import { RegistryServer } from '../../proxy/demo/registry.ts';
import type { Gun } from '../../proxy/names/reference.ts';
import { checkAtOnce, type FileChecker } from '../../proxy/trust-client/check-file.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { makeTempDir, onCleanUp } from '../../test/real/process.ts';
import { SimulatedSource } from '../../test/simulators/simulated-source.ts';
import { atMost, describeMachine, type Report, type Series } from '../report.ts';
import { type BenchProxy, REGISTRY, startProxy } from './proxy.ts';
import {
  createJsonBomb,
  createLargeCustom,
  createLargeFile,
  createLargeRoot,
  createSignatureFlood,
} from './publishers.ts';

const NEIGHBOUR = 'team/neighbour';
/** What the configuration gives one resolution, and what a pull may take beside it, in milliseconds. */
const TIMEOUT_MS = 10_000;
const BESIDE_MS = 2_000;
const MOST_BLOCKED_MS = 50;
const QUIET_MS = 5_000;
/** Between two pulls of the neighbour, in milliseconds. */
const PAUSE_MS = 5;

type World = {
  readonly folder: string;
  readonly upstream: string;
  readonly notary: NotaryServer;
  readonly hostile: readonly SimulatedRepository[];
};
type Phase = {
  readonly name: string;
  readonly blockedMs: number;
  readonly neighbourMs: readonly number[];
  /** What one pull from each hostile repository took. */
  readonly pullsMs: readonly number[];
};

export async function benchDelegations(): Promise<Report> {
  const machine = describeMachine();
  const world = await createWorld();
  const trustServer = await world.notary.start();
  onCleanUp(() => world.notary.stop());
  const first = await startHere(world, trustServer, 'first');
  const quiet = await measure('nothing else', first, [], QUIET_MS);
  const phases = [await measure('first contact', first, world.hostile)];
  await first.service.stop();
  await store(world);
  const second = await startHere(world, trustServer, 'stored');
  phases.push(await measure('from what is stored', second, world.hostile));
  await second.service.stop();
  const third = await startHere(world, trustServer, 'stored');
  await pull(third, NEIGHBOUR);
  await world.notary.stop();
  phases.push(await measure('stored, no trust server', third, world.hostile));
  return toReport(machine, quiet, phases);
}

function toReport(machine: string, quiet: Phase, phases: readonly Phase[]): Report {
  const all = [quiet, ...phases];
  const blocked = (phase: Phase): Series => ({ name: phase.name, runs: [phase.blockedMs] });
  return {
    machine,
    tables: [
      {
        title: 'the longest the loop of the proxy was blocked',
        unit: 'ms',
        series: all.map(blocked),
        notes: ['as the proxy measures it itself, every 10 ms, which are part of the figure'],
      },
      {
        title: "a neighbour's warm pull",
        unit: 'ms',
        series: all.map(({ name, neighbourMs }) => ({ name, runs: neighbourMs })),
        notes: all.map(({ name, neighbourMs }) => `${name}: p99 ${percentile(neighbourMs, 0.99).toFixed(1)}`),
      },
      {
        title: 'one pull from each repository that costs much',
        unit: 'ms',
        series: phases.map(({ name, pullsMs }) => ({ name, runs: pullsMs })),
        notes: [],
      },
    ],
    bars: phases.flatMap((phase) => [
      atMost(`${phase.name}: ms the loop was blocked`, blocked(phase), MOST_BLOCKED_MS),
      atMost(
        `${phase.name}: ms of the longest pull`,
        { name: phase.name, runs: [Math.max(...phase.pullsMs)] },
        TIMEOUT_MS + BESIDE_MS,
      ),
    ]),
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

async function measure(
  name: string,
  proxy: BenchProxy,
  repositories: readonly SimulatedRepository[],
  leastMs = 0,
): Promise<Phase> {
  await pull(proxy, NEIGHBOUR);
  // What it took to get here is not part of the next figure.
  await blockedMs(proxy);
  const until = Date.now() + leastMs;
  let isOver = false;
  const pulls = Promise.all([
    delay(leastMs),
    ...repositories.map(({ gun }) => timed(() => pull(proxy, gun.slice(REGISTRY.length + 1)))),
  ]).finally(() => {
    isOver = true;
  });
  const neighbourMs: number[] = [];
  while (!isOver || Date.now() < until) {
    neighbourMs.push(await timed(() => pull(proxy, NEIGHBOUR)));
    await delay(PAUSE_MS);
  }
  const [, ...pullsMs] = await pulls;
  return { name, neighbourMs, pullsMs, blockedMs: await blockedMs(proxy) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function pull({ url }: BenchProxy, repository: string): Promise<void> {
  const answer = await fetch(`${url}/v2/${repository}/manifests/1`);
  await answer.arrayBuffer();
  if (repository === NEIGHBOUR && answer.status !== 200)
    throw new Error(`the neighbour's pull was answered ${answer.status}`);
}

/** The longest since it was asked last. */
async function blockedMs({ admin }: BenchProxy): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const [, seconds] = /^nodejs_eventloop_lag_max_seconds(?:\{[^}]*\})? ([\d.e-]+)$/m.exec(text) ?? [];
  if (seconds === undefined) throw new Error('the proxy does not say how long its loop was blocked');
  return Number(seconds) * 1000;
}

async function createWorld(): Promise<World> {
  const folder = await makeTempDir('bench-hostile');
  const registry = new RegistryServer();
  const image = registry.pushImage(NEIGHBOUR, '1');
  const neighbour = new SimulatedRepository(`${REGISTRY}/${NEIGHBOUR}`);
  neighbour.addTag('1', image.digest, image.length);
  neighbour.publish();
  const upstream = await registry.start();
  onCleanUp(() => registry.stop());
  const gun = (name: string): Gun => `${REGISTRY}/hostile/${name}`;
  const hostile = [
    createSignatureFlood(gun('signatures')),
    createLargeFile(gun('large-file')),
    createLargeCustom(gun('large-custom')),
    createJsonBomb(gun('json-bomb')),
    createLargeRoot(gun('large-root')),
  ];
  return { folder, upstream, notary: new NotaryServer({ repositories: [neighbour, ...hostile] }), hostile };
}

/** What a proxy with more time would have stored: whose signatures verify nothing is known here. */
async function store({ folder, hostile }: World): Promise<void> {
  const state = await openFileState(join(folder, 'stored'));
  const check: FileChecker = async (gun, file, signal) => {
    if (!file.role.startsWith('targets/')) return await checkAtOnce(gun, file, signal);
    throw new TrustError('metadata_invalid', 'threshold', 'no signature of it is valid', { role: file.role });
  };
  for (const repository of hostile) {
    const { signal } = new AbortController();
    const request = { gun: repository.gun, pin: { kind: 'firstUse' as const }, now: new Date(), signal };
    await updateTrust({ source: new SimulatedSource(repository), state, check }, request);
  }
}

function startHere({ folder, upstream }: World, trustServer: string, state: string): Promise<BenchProxy> {
  const trust = { timeout: `${TIMEOUT_MS / 1000}s`, refresh: '5m' };
  return startProxy({ upstream, trustServer, folder, state, trust });
}
