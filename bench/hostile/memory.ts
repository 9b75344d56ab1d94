/** What the proxy's process takes of the machine's memory. */
import { readFile } from 'node:fs/promises';

const MEBIBYTE = 1024;

/** Resident memory of a process, in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / MEBIBYTE;
}
