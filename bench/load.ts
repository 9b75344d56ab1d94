/** Many connections asking for the same thing: wrk where it is installed, else a loop of our own in a worker. */
import { Worker } from 'node:worker_threads';
import { runOk } from '../test/real/process.ts';
import { findPart } from '../test/real/programs.ts';

export type Load = {
  readonly url: string;
  readonly accept: string;
  readonly connections: number;
  readonly seconds: number;
};

export type LoadResult = {
  readonly requestsPerSecond: number;
  readonly requests: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
};

export const GENERATOR = findPart('wrk') === undefined ? 'undici in a worker' : 'wrk, one thread';

/** @throws Error when an answer was not 200 or a connection failed: such a run says nothing. */
export function putLoad(load: Load): Promise<LoadResult> {
  const wrk = findPart('wrk');
  return wrk === undefined ? loadWithWorker(load) : loadWithWrk(wrk, load);
}

async function loadWithWrk(wrk: string, { url, accept, connections, seconds }: Load): Promise<LoadResult> {
  const shape = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--latency'];
  const { stdout } = await runOk(wrk, [...shape, '-H', `Accept: ${accept}`, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`answers were lost or wrong:\n${stdout}`);
  return {
    requestsPerSecond: Number(/^Requests\/sec:\s+(\S+)/m.exec(stdout)?.[1]),
    requests: Number(/^\s+(\d+) requests in/m.exec(stdout)?.[1]),
    p50: toMilliseconds(/^\s+50%\s+(\S+)/m.exec(stdout)?.[1] ?? ''),
    p99: toMilliseconds(/^\s+99%\s+(\S+)/m.exec(stdout)?.[1] ?? ''),
  };
}

/** `812.00us`, `3.10ms`, `1.20s`. */
function toMilliseconds(text: string): number {
  const [, value = '', unit = ''] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? [];
  const factor = new Map([
    ['us', 0.001],
    ['ms', 1],
    ['s', 1000],
  ]).get(unit);
  return Number(value) * (factor ?? Number.NaN);
}

function loadWithWorker(load: Load): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    // The compiled file: bench/ is built before it runs.
    const worker = new Worker(new URL('./load-worker.js', import.meta.url), { workerData: load });
    worker.once('message', resolve).once('error', reject);
  });
}
