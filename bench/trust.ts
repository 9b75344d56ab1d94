/** The trust client alone: round trips waited for, cold resolution, and what large and many repositories cost. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createMemoryState } from '../proxy/cache/state/memory-state.ts';
import type { Gun } from '../proxy/names/reference.ts';
import { createNotarySource } from '../proxy/trust-client/notary-source.ts';
import { updateTrust } from '../proxy/trust-client/update.ts';
import { createHttpClient } from '../proxy/upstream/http-client.ts';
import { measureCold } from './cold.ts';
import { atMost, describeMachine, median, type Report, type Series, type Table } from './report.ts';
import type { ScaleResult } from './trust-scale.ts';

const GUN: Gun = 'registry.bench.example/team/delegated';
const DELAY_MS = 50;
const RUNS = 101;
const WARM_UP = 20;

export async function benchTrust(): Promise<Report> {
  const machine = describeMachine();
  const server = await startServer();
  try {
    const near = await measureResolutions(server, 'two delegations, loopback');
    await server.delay(DELAY_MS);
    const far = await measureResolutions(server, `the same, ${DELAY_MS} ms added to each request`);
    const waited = {
      name: 'round trips waited for',
      runs: far.runs.map((ms) => (ms - median(near.runs)) / DELAY_MS),
    };
    const large = await measureScale('large');
    const many = await measureScale('many');
    return {
      machine,
      tables: [
        table('Cold resolution, in this process, over HTTP', 'ms', near, far),
        table('Waiting', 'round trips', waited),
        await measureCold(),
        table('A repository with 100,000 tags, cold', 'ms of CPU', {
          name: 'user and system',
          runs: large.cpuMs,
        }),
        table('The same, warm', 'µs a tag', { name: 'lookup', runs: large.lookupMicros }),
        table(
          'Memory above idle',
          'MB',
          { name: '100,000 tags in one', runs: large.memoryMb },
          {
            name: '20 tags in each of 10,000',
            runs: many.memoryMb,
          },
        ),
      ],
      bars: [
        atMost('round trips a cold resolution waits for', waited, 3.5),
        atMost('milliseconds of a cold resolution on loopback', near, 8),
        atMost('milliseconds of CPU for 100,000 tags', { name: '', runs: large.cpuMs }, 1500),
        atMost('microseconds of a warm lookup', { name: '', runs: large.lookupMicros }, 5),
        atMost('MB for 100,000 tags', { name: '', runs: large.memoryMb }, 150),
        atMost('MB for 10,000 repositories', { name: '', runs: many.memoryMb }, 600),
      ],
    };
  } finally {
    await server.stop();
  }
}

type Server = {
  readonly url: string;
  /** Adds so many milliseconds to each request from now on. */
  delay(milliseconds: number): Promise<void>;
  stop(): Promise<unknown>;
};

async function startServer(): Promise<Server> {
  const worker = new Worker(new URL('./notary-worker.js', import.meta.url), { workerData: { gun: GUN } });
  const [url] = (await once(worker, 'message')) as [string];
  return {
    url,
    delay: async (milliseconds) => {
      worker.postMessage(milliseconds);
      await once(worker, 'message');
    },
    stop: () => worker.terminate(),
  };
}

/** Over one client, whose connections stay open, as in a running proxy that meets a repository for the first time. */
async function measureResolutions(server: Server, name: string): Promise<Series> {
  const runs: number[] = [];
  const auth = { kind: 'anonymous' } as const;
  const client = createHttpClient({ upstream: 'bench', kind: 'notary', baseUrl: server.url, auth });
  // The first ones pay for code that is not compiled yet.
  for (let run = -WARM_UP; run < RUNS; run += 1) {
    const started = performance.now();
    await updateTrust(
      { source: createNotarySource(client), state: createMemoryState() },
      { gun: GUN, pin: { kind: 'firstUse' }, now: new Date(), signal: AbortSignal.timeout(10_000) },
    );
    if (run >= 0) runs.push(performance.now() - started);
  }
  await client.close();
  return { name, runs };
}

/** In a process of its own, whose memory is nobody else's. */
async function measureScale(shape: 'large' | 'many'): Promise<ScaleResult> {
  const program = join(import.meta.dirname, 'trust-scale.js');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, shape]);
  return JSON.parse(stdout) as ScaleResult;
}

function table(title: string, unit: string, ...series: readonly Series[]): Table {
  return { title, unit, series, notes: [] };
}
