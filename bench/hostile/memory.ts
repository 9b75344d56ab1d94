/** What the proxy's process takes of the machine's memory and time. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { makeTempDir } from '../../test/real/process.ts';
import { HEAP_FILE, type HeapLook } from './live-heap.ts';

const MEBIBYTE = 1024;
/** Of the kernel's clock, a second; the same on every Linux that Node runs on. */
const TICKS = 100;
/** How long a busy process may take to look at its heap, in milliseconds. */
const HEAP_MS = 60_000;

/** Resident memory of a process, in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / MEBIBYTE;
}

/** Processor time of all its threads since it began, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may hold anything: state is the first, utime and stime are the 12th and 13th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** How a process is started whose heap can be looked at. */
export async function heapWatched() {
  const file = join(await makeTempDir('bench-heap'), 'heap.json');
  const preload = pathToFileURL(join(import.meta.dirname, 'live-heap.js'));
  return {
    options: ['--expose-gc', `--import=${preload}`],
    env: { [HEAP_FILE]: file },
    /** What it is made of, and what a full collection leaves. The process stands still meanwhile. */
    look: async (pid: number): Promise<HeapLook> => {
      await rm(file, { force: true });
      process.kill(pid, 'SIGUSR2');
      for (const end = Date.now() + HEAP_MS; Date.now() < end; await delay(50)) {
        const text = await readFile(file, 'utf8').catch(() => undefined);
        if (text !== undefined) return JSON.parse(text) as HeapLook;
      }
      throw new Error(`process ${pid} did not say within ${HEAP_MS} ms what its heap is made of`);
    },
  };
}
