/** One thread that checks files. Nothing waits for it at the end of the process, and it has memory of its own. */
import { Worker } from 'node:worker_threads';
import type { CheckAnswer, CheckJob } from './check-job.ts';

/** A thread as far as the pool uses it. */
export type CheckThread = {
  postMessage(job: CheckJob, transfer: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (answer: CheckAnswer) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  terminate(): Promise<unknown>;
};

/** Megabytes of heap. The largest files within LIMITS are checked in less than 400. */
const HEAP = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64 };

/** Where the sources themselves run, as in tests, a thread cannot read them: it runs what was built of them. */
const FILE = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/threads/check-worker.js' : './check-worker.js',
  import.meta.url,
);

export function startCheckThread(): CheckThread {
  const thread = new Worker(FILE, { resourceLimits: HEAP });
  thread.unref();
  return thread;
}
