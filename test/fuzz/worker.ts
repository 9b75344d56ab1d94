/** The loop, in a thread of its own, so that one input that never ends can be seen from outside. */
import { parentPort, workerData } from 'node:worker_threads';
import { readCorpus } from './corpus.ts';
import { Generator } from './generate.ts';
import { Random } from './random.ts';
import { FuzzTarget, type Input } from './target.ts';

export type Settings = {
  readonly seconds: number;
  readonly seed: number;
  readonly root: string;
  /** The number of the run, so that somebody can see that it goes on; then the length and bytes of its input. */
  readonly shared: SharedArrayBuffer;
};

export type Finding = { readonly input: Input; readonly what: string };

export type Report = {
  readonly runs: number;
  readonly accepted: number;
  readonly labels: number;
  readonly slowestMs: number;
  readonly heapGrowthBytes: number;
  readonly findings: readonly Finding[];
};

/** An input that takes longer counts as a hang, in milliseconds. */
const HANG_MS = 2000;
const MAX_FINDINGS = 20;
/** Runs after which memory is in its steady state: code compiled, kept inputs at their most. */
const WARM_UP_RUNS = 3000;

async function loop({ seconds, seed, root, shared }: Settings): Promise<Report> {
  const target = await FuzzTarget.create();
  const corpus = readCorpus(root).map(({ bytes }) => bytes);
  const generator = new Generator(new Random(seed), target, corpus);
  const findings: Finding[] = [];
  const end = performance.now() + seconds * 1000;
  let [runs, accepted, slowestMs, heapAtStart] = [0, 0, 0, heapUsed()];
  while (performance.now() < end && findings.length < MAX_FINDINGS) {
    const input = generator.next();
    announce(shared, ++runs, input.bytes);
    const started = performance.now();
    const { label, failure } = await target.run(input);
    const took = performance.now() - started;
    if (failure !== undefined) findings.push({ input, what: failure });
    if (took > HANG_MS) findings.push({ input, what: `took ${Math.round(took)} ms` });
    slowestMs = Math.max(slowestMs, took);
    if (label.startsWith('accepted')) accepted += 1;
    generator.learn(input, label);
    if (runs === WARM_UP_RUNS) heapAtStart = heapUsed();
  }
  return {
    runs,
    accepted,
    labels: generator.labels,
    slowestMs,
    heapGrowthBytes: heapUsed() - heapAtStart,
    findings,
  };
}

/** Needs `--expose-gc`, so that what is counted is what is held. */
function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function announce(shared: SharedArrayBuffer, run: number, bytes: Uint8Array): void {
  const head = new Int32Array(shared, 0, 2);
  const body = new Uint8Array(shared, 8);
  const shown = bytes.subarray(0, body.length);
  body.set(shown);
  head[1] = shown.length;
  Atomics.store(head, 0, run);
}

loop(workerData as Settings).then(
  (report) => parentPort?.postMessage(report),
  (error: unknown) => {
    throw error;
  },
);
