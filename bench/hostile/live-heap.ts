/**
 * Preloaded into the proxy with `--expose-gc`: at SIGUSR2 it writes what its heap is made of, before and after a full
 * collection. So what the proxy's code holds can be told from what the engine has not given back.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { getHeapSpaceStatistics } from 'node:v8';
import { isMainThread } from 'node:worker_threads';

/** The file it is written to. */
export const HEAP_FILE = 'PULLWARDEN_BENCH_HEAP';

/** All in MiB. */
export type Heap = {
  /** What the engine has of the system for young objects, and for all others. */
  readonly young: number;
  readonly old: number;
  /** Of both, what is not garbage, or not known to be. */
  readonly used: number;
  /** Buffers outside the heap. */
  readonly external: number;
};
export type HeapLook = { readonly before: Heap; readonly after: Heap };

const { [HEAP_FILE]: file } = process.env;
if (file !== undefined && isMainThread) process.on('SIGUSR2', () => write(file));

function write(to: string): void {
  const before = look();
  // Twice: what finalizers let go of is collected by the second.
  for (let round = 0; round < 2; round += 1) globalThis.gc?.();
  const found: HeapLook = { before, after: look() };
  writeFileSync(`${to}.new`, JSON.stringify(found));
  renameSync(`${to}.new`, to);
}

function look(): Heap {
  const spaces = getHeapSpaceStatistics();
  const young = sum(spaces.filter(({ space_name: name }) => name.startsWith('new_')));
  const { heapUsed, external } = process.memoryUsage();
  return { young, old: sum(spaces) - young, used: toMiB(heapUsed), external: toMiB(external) };
}

function sum(spaces: readonly { readonly space_size: number }[]): number {
  return toMiB(spaces.reduce((total, { space_size: size }) => total + size, 0));
}

function toMiB(bytes: number): number {
  return bytes / 2 ** 20;
}
