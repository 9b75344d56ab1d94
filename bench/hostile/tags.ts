/**
 * Cheap questions about a large honest repository, from four connections that ask without a pause: how long a neighbour
 * waits meanwhile for a warm signed tag of another repository. The proxy is a process of its own.
 */
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { basicAccess } from '../../proxy/demo/access.ts';
import { SimulatedRepository } from '../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../proxy/demo/notary/notary-server.ts';
import { RegistryServer } from '../../proxy/demo/registry.ts';
import { makeTempDir, onCleanUp } from '../../test/real/process.ts';
import { atMost, describeMachine, type Report } from '../report.ts';
import { REGISTRY, startProxy } from './proxy.ts';

const LARGE = 'team/large';
const NEIGHBOUR = 'team/neighbour';
const TAGS = 20_000;
const SIGNERS = ['alice', 'bob', 'carol'];
const ATTACKERS = 4;
const SECONDS = 12;
/** Between two pulls of the neighbour, in milliseconds. */
const PULL_EVERY_MS = 5;
/** Milliseconds that 99 of 100 pulls of the neighbour may take. */
const MOST_P99_MS = 50;
const ACCOUNT = { username: 'pullwarden', password: 'bench' };

type Variant = { readonly name: string; readonly path: string; readonly status: number };
const VARIANTS: readonly Variant[] = [
  { name: 'a refused tag', path: `/v2/${LARGE}/manifests/nope`, status: 403 },
  { name: 'tags/list?n=1', path: `/v2/${LARGE}/tags/list?n=1`, status: 200 },
  { name: 'tags/list?n=1 near the end', path: `/v2/${LARGE}/tags/list?n=1&last=v19990`, status: 200 },
  { name: 'tags/list', path: `/v2/${LARGE}/tags/list`, status: 200 },
];

export async function benchTags(): Promise<Report> {
  const url = await startAll();
  const neighbour = `${url}/v2/${NEIGHBOUR}/manifests/1.0`;
  for (const path of [neighbour, ...VARIANTS.map(({ path }) => `${url}${path}`)]) await fetchWhole(path);
  const alone = await measure(neighbour, undefined, url);
  const runs = [];
  for (const variant of VARIANTS) runs.push({ variant, ...(await measure(neighbour, variant, url)) });
  const all = [{ variant: { name: 'nobody else' }, ...alone }, ...runs];
  return {
    machine: describeMachine(),
    tables: [
      {
        title: `a neighbour's warm pull beside ${ATTACKERS} connections, ${TAGS} tags, ${SIGNERS.length} signers`,
        unit: 'ms',
        series: all.flatMap(({ variant, times }) =>
          [50, 99, 100].map((percent) => ({
            name: `${variant.name}, ${percent === 100 ? 'max' : `p${percent}`}`,
            runs: [percentile(times, percent)],
          })),
        ),
        notes: all.map(
          ({ variant, times, answers }) =>
            `${variant.name}: ${times.length} pulls, ${(answers / SECONDS).toFixed(1)} answers/s beside them`,
        ),
      },
    ],
    bars: runs.map(({ variant, times }) =>
      atMost(
        `p99 of a warm pull in ms beside ${variant.name}`,
        { name: variant.name, runs: [percentile(times, 99)] },
        MOST_P99_MS,
      ),
    ),
  };
}

function percentile(times: readonly number[], percent: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

async function measure(neighbour: string, variant: Variant | undefined, url: string) {
  const end = performance.now() + SECONDS * 1000;
  let answers = 0;
  const attack = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (variant !== undefined && performance.now() < end) {
      const status = await fetchWhole(`${url}${variant.path}`, agent);
      if (status !== variant.status) throw new Error(`${variant.name}: answered ${status}`);
      answers += 1;
    }
    agent.destroy();
  };
  const times: number[] = [];
  const pull = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (; performance.now() < end; await delay(PULL_EVERY_MS)) {
      const started = performance.now();
      const status = await fetchWhole(neighbour, agent);
      if (status !== 200) throw new Error(`the neighbour's pull was answered ${status}`);
      times.push(performance.now() - started);
    }
    agent.destroy();
  };
  await Promise.all([pull(), ...Array.from({ length: ATTACKERS }, attack)]);
  return { times, answers };
}

function fetchWhole(url: string, agent?: Agent): Promise<number> {
  return new Promise((done, reject) => {
    const asked = request(url, agent === undefined ? {} : { agent }, (response) => {
      response
        .resume()
        .once('end', () => done(response.statusCode ?? 0))
        .once('error', reject);
    });
    asked.once('error', reject).end();
  });
}

/** The registry with an account, so that a refusal names signed tags; both servers in this process. */
async function startAll(): Promise<string> {
  const registry = new RegistryServer({ access: basicAccess({ [ACCOUNT.username]: ACCOUNT.password }) });
  const notary = new NotaryServer();
  const upstream = await registry.start();
  const trustServer = await notary.start();
  onCleanUp(async () => {
    await registry.stop();
    await notary.stop();
  });
  publish(registry, notary, NEIGHBOUR, ['1.0'], []);
  const names = Array.from({ length: TAGS }, (_, at) => `v${String(at).padStart(5, '0')}`);
  publish(registry, notary, LARGE, names, SIGNERS);
  const folder = await makeTempDir('bench-tags');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, ACCOUNT.password, { mode: 0o600 });
  const auth = { username: ACCOUNT.username, passwordFile };
  const { url } = await startProxy({ upstream, trustServer, folder, auth });
  return url;
}

function publish(
  registry: RegistryServer,
  notary: NotaryServer,
  repository: string,
  tags: readonly string[],
  signers: readonly string[],
): void {
  const signed = new SimulatedRepository(`${REGISTRY}/${repository}`);
  const [first = ''] = tags;
  const { digest, length } = registry.pushImage(repository, first);
  for (const name of ['releases', ...signers]) if (signers.length > 0) signed.addDelegation(name);
  for (const tag of tags) {
    registry.moveTag(repository, tag, digest);
    if (signers.length === 0) signed.addTag(tag, digest, length);
    else for (const name of ['releases', ...signers]) signed.signAs(name, tag, digest, length);
  }
  signed.publish();
  notary.add(signed);
}
