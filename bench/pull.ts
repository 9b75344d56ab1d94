/**
 * What the proxy costs and saves on a pull: a warm signed tag, a large blob, a cold resolution. The contenders take
 * turns within one invocation, so that whatever else the machine does strikes all of them.
 */
import { measureCold } from './cold.ts';
import { download } from './download.ts';
import { GENERATOR, type LoadResult, putLoad } from './load.ts';
import { startNginx } from './nginx.ts';
import { startPullwarden } from './pullwarden.ts';
import { type BenchImage, type BenchRegistry, pushImage, startBenchRegistry } from './registry.ts';
import {
  atLeast,
  type Bar,
  describeMachine,
  median,
  print,
  type Report,
  type Series,
  type Table,
} from './report.ts';

const CONNECTIONS = 32;
/** Together under a minute, for which the proxy believes the registry's "this caller may read". */
const LOAD_ROUNDS = 7;
/** Rounds that are not counted: all three have to compile, fill caches and open connections first. */
const WARM_UP_ROUNDS = 1;
const LOAD_SECONDS = 2;
const BLOB_BYTES = 200_000_000;
const BLOB_ROUNDS = 9;
/** The bars of the project's second issue. */
const LEAST_WARM = 5;
const LEAST_BLOB = 0.6;

type Contender = { readonly name: string; readonly url: string };
type Contenders = { readonly registry: Contender; readonly nginx: Contender; readonly proxy: Contender };
type Measured = { readonly table: Table; readonly bars: readonly Bar[] };

export async function benchPull(): Promise<Report> {
  const machine = describeMachine();
  print('Starting docker-registry, nginx and the proxy…\n');
  const registry = await startBenchRegistry();
  const image = await pushImage(registry.url, 'team/app', BLOB_BYTES);
  const contenders: Contenders = {
    registry: { name: 'docker-registry alone', url: registry.url },
    nginx: { name: 'nginx in front of it', url: await startNginx(registry.url) },
    proxy: { name: 'pullwarden in front of it', url: await startPullwarden(registry.url, image) },
  };
  print('A warm signed tag…\n');
  const warm = await measureWarmTag(contenders, registry, image);
  print('A blob…\n');
  const blob = await measureBlob(contenders, image);
  print('A cold resolution…\n\n');
  const cold = await measureCold();
  return { machine, tables: [warm.table, blob.table, cold], bars: [...warm.bars, ...blob.bars] };
}

async function measureWarmTag(
  contenders: Contenders,
  registry: BenchRegistry,
  image: BenchImage,
): Promise<Measured> {
  const results = new Map<Contender, LoadResult[]>();
  let asked = 0;
  await alternate(LOAD_ROUNDS, Object.values(contenders), async (contender) => {
    const url = `${contender.url}/v2/${image.repository}/manifests/${image.tag}`;
    await expectManifest(url, image);
    const before = await registry.settledManifestRequests();
    const load = { url, accept: image.mediaType, connections: CONNECTIONS, seconds: LOAD_SECONDS };
    results.set(contender, [...(results.get(contender) ?? []), await putLoad(load)]);
    if (contender === contenders.proxy) asked += (await registry.settledManifestRequests()) - before;
  });
  const toSeries = (contender: Contender): Series => ({
    name: contender.name,
    runs: (results.get(contender) ?? [])
      .slice(WARM_UP_ROUNDS)
      .map(({ requestsPerSecond }) => requestsPerSecond),
  });
  const served = (results.get(contenders.proxy) ?? []).reduce((sum, { requests }) => sum + requests, 0);
  const latencies = [...results].map(([{ name }, runs]) => latencyNote(name, runs));
  const [alone, proxy] = [toSeries(contenders.registry), toSeries(contenders.proxy)];
  return {
    table: {
      title: `Warm signed tag: GET of the manifest, ${CONNECTIONS} connections (${GENERATOR}, ${LOAD_SECONDS} s a run)`,
      unit: 'requests/s',
      series: [alone, toSeries(contenders.nginx), proxy],
      notes: [
        ...latencies,
        `while the proxy answered ${served} times, the registry was asked for ${asked} manifests`,
      ],
    },
    bars: [
      atLeast(
        'a warm signed tag through the proxy is as fast as docker-registry alone',
        proxy,
        alone,
        LEAST_WARM,
      ),
      {
        claim: 'manifest requests that reached the registry meanwhile',
        bar: 'none',
        measured: asked,
        met: asked === 0,
      },
    ],
  };
}

async function measureBlob(contenders: Contenders, image: BenchImage): Promise<Measured> {
  const rates = new Map<Contender, number[]>();
  await alternate(BLOB_ROUNDS, Object.values(contenders), async (contender) => {
    const url = `${contender.url}/v2/${image.repository}/blobs/${image.layer}`;
    const rate = await download(url, image.layerLength);
    rates.set(contender, [...(rates.get(contender) ?? []), rate / 1e6]);
  });
  const toSeries = (contender: Contender): Series => ({
    name: contender.name,
    runs: rates.get(contender) ?? [],
  });
  const [nginx, proxy] = [toSeries(contenders.nginx), toSeries(contenders.proxy)];
  return {
    table: {
      title: `A blob of ${BLOB_BYTES / 1e6} MB on one connection`,
      unit: 'MB/s',
      series: [toSeries(contenders.registry), nginx, proxy],
      notes: [],
    },
    bars: [atLeast('a blob through the proxy is as fast as through nginx', proxy, nginx, LEAST_BLOB)],
  };
}

/** A B C A B C …, one at a time. */
async function alternate<T>(
  rounds: number,
  items: readonly T[],
  measure: (item: T) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) for (const item of items) await measure(item);
}

async function expectManifest(url: string, { mediaType, digest, length }: BenchImage): Promise<void> {
  const answer = await fetch(url, { headers: { accept: mediaType } });
  const body = await answer.arrayBuffer();
  const isRight = answer.headers.get('docker-content-digest') === digest && body.byteLength === length;
  if (answer.status !== 200 || !isRight)
    throw new Error(`${url} answered ${answer.status}, not the signed manifest`);
}

function latencyNote(name: string, runs: readonly LoadResult[]): string {
  const p50 = median(runs.map((run) => run.p50)).toFixed(1);
  const p99 = median(runs.map((run) => run.p99)).toFixed(1);
  return `${name}: half answered within ${p50} ms, 99 % within ${p99} ms`;
}
