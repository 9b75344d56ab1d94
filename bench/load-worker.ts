/** The load generator of machines without wrk: as many loops as connections, each one request after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { Pool } from 'undici';
import type { Load, LoadResult } from './load.ts';

const { url, accept, connections, seconds } = workerData as Load;
const { origin, pathname } = new URL(url);
const pool = new Pool(origin, { connections, pipelining: 1 });
const latencies: number[] = [];
const started = performance.now();
const deadline = started + seconds * 1000;

await Promise.all(Array.from({ length: connections }, askUntilDeadline));
const elapsed = (performance.now() - started) / 1000;
await pool.close();
latencies.sort((a, b) => a - b);
const result: LoadResult = {
  requestsPerSecond: latencies.length / elapsed,
  requests: latencies.length,
  p50: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
  p99: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
};
parentPort?.postMessage(result);

async function askUntilDeadline(): Promise<void> {
  while (performance.now() < deadline) {
    const asked = performance.now();
    const { statusCode, body } = await pool.request({ path: pathname, method: 'GET', headers: { accept } });
    await body.dump();
    if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
    latencies.push(performance.now() - asked);
  }
}
