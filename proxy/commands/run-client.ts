/** Runs a client's program until it ends or times out. */
import { spawn } from 'node:child_process';
import type { PullEnd } from '../clients/canary/pull.ts';

/** Characters of its output that are kept, from the end. */
const KEPT = 64 * 1024;
/** Time between SIGTERM and SIGKILL, in milliseconds. */
const END_GRACE_MS = 2000;

export type RunOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
};

/** Never rejects: a program that cannot be started is a `PullEnd` too. */
export function runClient(
  program: string,
  args: readonly string[],
  { env, timeoutMs }: RunOptions,
): Promise<PullEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let isLate = false;
    let lastTimer: NodeJS.Timeout | undefined;
    const streams = [child.stdout, child.stderr];
    for (const stream of streams) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text = (text + chunk).slice(-KEPT);
      });
    }
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGTERM');
      lastTimer = setTimeout(() => child.kill('SIGKILL'), END_GRACE_MS);
      // Child processes of its own may keep these open.
      for (const stream of streams) stream.destroy();
    }, timeoutMs);
    const stopTimers = (): void => {
      clearTimeout(timer);
      clearTimeout(lastTimer);
    };
    child.on('error', (error: NodeJS.ErrnoException) => {
      stopTimers();
      resolve({ kind: 'not_started', cause: toCause(program, error) });
    });
    child.on('close', (status) => {
      stopTimers();
      resolve(isLate ? { kind: 'timed_out', text } : { kind: 'ended', status: status ?? undefined, text });
    });
  });
}

function toCause(program: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `${program} is not installed, or not on the PATH`;
  return `${program} could not be started: ${code ?? message}`;
}
