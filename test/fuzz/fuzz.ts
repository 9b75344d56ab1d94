/**
 * Fuzzes whole metadata files through `updateTrust` for `FUZZ_SECONDS` (60), from `FUZZ_SEED` (the time).
 *
 * Says how many inputs were tried, and fails on anything but a TrustError or the honest result, on an input that takes
 * longer than two seconds, and on memory that grows. What failed is written to .build/fuzz-findings/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Finding, Report, Settings } from './worker.ts';

const MAX_HEAP_GROWTH = 64 * 1024 * 1024;
/** A run that shows no end after so long is given up, in milliseconds. */
const GIVE_UP_MS = 10_000;
const SHARED_BYTES = 1024 * 1024;

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const root = process.cwd();
const shared = new SharedArrayBuffer(SHARED_BYTES);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function save(name: string, bytes: Uint8Array): string {
  const folder = join(root, '.build/fuzz-findings');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function describe({ input, what }: Finding, index: number): string {
  const { role, mode, known, bytes } = input;
  const path = save(`${seed}-${index}.bin`, bytes);
  return `FAILED  ${role}, ${mode}, ${known ? 'known' : 'first contact'}: ${what}\n        ${path}`;
}

function conclude({ runs, accepted, labels, slowestMs, heapGrowthBytes, findings }: Report): number {
  const mib = (heapGrowthBytes / 1024 / 1024).toFixed(1);
  const grown = heapGrowthBytes > MAX_HEAP_GROWTH;
  print(
    `runs ${runs} (${Math.round(runs / seconds)} a second), accepted ${accepted}, kinds of answer ${labels}`,
  );
  print(
    `crashes and wrong answers ${findings.length}, slowest input ${slowestMs.toFixed(0)} ms, heap ${mib} MiB more`,
  );
  for (const [index, finding] of findings.entries()) print(describe(finding, index));
  if (grown) print(`FAILED  the heap grew by ${mib} MiB`);
  return findings.length > 0 || grown ? 1 : 0;
}

/** Ends the process when one and the same run goes on for too long. */
function watch(): NodeJS.Timeout {
  const head = new Int32Array(shared, 0, 2);
  let [seen, since] = [-1, performance.now()];
  return setInterval(() => {
    const run = Atomics.load(head, 0);
    if (run !== seen) [seen, since] = [run, performance.now()];
    if (performance.now() - since < GIVE_UP_MS) return;
    const path = save(`${seed}-hang.bin`, new Uint8Array(shared, 8, head[1] ?? 0));
    print(`FAILED  run ${run} does not end\n        ${path}`);
    process.exit(1);
  }, 500);
}

print(`fuzzing updateTrust for ${seconds} s, seed ${seed}`);
const workerData: Settings = { seconds, seed, root, shared };
const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
const timer = watch();
worker.on('error', (error) => {
  print(`FAILED  the fuzzer itself: ${error.stack ?? error.message}`);
  process.exit(1);
});
worker.on('message', (report: Report) => {
  clearInterval(timer);
  process.exitCode = conclude(report);
});
