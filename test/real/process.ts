import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Launcher, type Result } from './launcher.ts';

export type { Result } from './launcher.ts';

/** Milliseconds: a service must answer by then, a program must end by then, a stopped service must be gone by then. */
const READY_DEADLINE = 30_000;
const RUN_DEADLINE = 60_000;
const STOP_DEADLINE = 15_000;
const POLL_INTERVAL = 50;
const PORT_ATTEMPTS = 5;
/** Characters of a service's log that are kept. */
const LOG_LIMIT = 1_000_000;

/** util-linux: the kernel sends the child SIGTERM when jest dies, however it dies. */
const SETPRIV = '/usr/bin/setpriv';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Milliseconds. */
  readonly deadline?: number;
}

export interface ServiceSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Asked again and again, with what was written so far, until it says true; a throw counts as not yet. */
  ready(log: string): Promise<boolean>;
  /** Milliseconds until it must be ready. */
  readonly deadline?: number;
}

export interface Service {
  readonly pid: number;
  /** What the process wrote so far, stdout and stderr mixed. */
  log(): string;
  /** True if it ended after SIGTERM, false if it had to be killed. */
  stop(): Promise<boolean>;
}

const cleanups: (() => Promise<unknown>)[] = [];

/** Registers something `cleanUp` does; the last registered goes first. */
export function onCleanUp(cleanup: () => Promise<unknown>): void {
  cleanups.push(cleanup);
}

/** Undoes everything that was started; one failure does not keep the rest from being undone. */
export async function cleanUp(): Promise<void> {
  const failures: unknown[] = [];
  for (let next = cleanups.pop(); next !== undefined; next = cleanups.pop()) {
    await next().catch((cause: unknown) => failures.push(cause));
  }
  if (failures.length > 0) throw new AggregateError(failures, 'cleaning up after real parts failed');
}

/** Makes a folder under the system's temporary one that goes away at the end. */
export async function makeTempDir(purpose: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `pullwarden-${purpose}-`));
  onCleanUp(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Asks the operating system for a loopback port that is free now. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('the system gave no port'));
      });
    });
  });
}

/** Starts on a free port, and on another one if somebody took the port meanwhile. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await findFreePort());
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !String(error).includes('address already in use')) throw error;
    }
  }
}

let launcher: Launcher | undefined;

/** Runs a program to its end. A status other than 0 is an answer, not an error; a signal is status 128. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  if (launcher === undefined) {
    launcher = new Launcher();
    onCleanUp(closeLauncher);
  }
  const { cwd, deadline: timeout = RUN_DEADLINE, input = '' } = options;
  return launcher.run({ command, args, options: { cwd, env: baseEnv(options.env), timeout }, input });
}

/** What is cleaned up after it and runs a program gets another one. */
async function closeLauncher(): Promise<void> {
  launcher?.close();
  launcher = undefined;
}

/** Runs a program that has to succeed; throws with everything it printed otherwise. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  const result = await run(command, args, options);
  if (result.status === 0) return result;
  throw new Error(
    `${command} ${args.join(' ')}\nended with ${result.status}\n${result.stdout}${result.stderr}`,
  );
}

/** Starts a process that stays, and returns once it is ready; throws with its log if it ends or is too late. */
export async function startService(spec: ServiceSpec): Promise<Service> {
  const [command, args] = existsSync(SETPRIV)
    ? [SETPRIV, ['--pdeathsig', 'TERM', '--', spec.command, ...spec.args]]
    : [spec.command, spec.args];
  const child = spawn(command, args, {
    cwd: spec.cwd,
    env: baseEnv(spec.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = collectLog(child);
  const exit = new Promise<void>((resolve) => {
    child.once('close', () => resolve()).once('error', () => resolve());
  });
  const stop = (): Promise<boolean> => stopChild(child, exit);
  onCleanUp(stop);
  try {
    await untilReady(spec, child, log);
  } catch (cause) {
    await stop();
    throw new Error(`${spec.name}: ${(cause as Error).message}\n${log()}`);
  }
  return { pid: child.pid ?? 0, log, stop };
}

/** Only what a program needs, so that the developer's own proxies, keys and Docker settings never reach it. */
function baseEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent', LANG: 'C.UTF-8', ...extra };
}

function collectLog(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-LOG_LIMIT);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  child.on('error', (error) => add(Buffer.from(error.message)));
  return () => text;
}

async function untilReady(spec: ServiceSpec, child: ChildProcess, log: () => string): Promise<void> {
  const deadline = Date.now() + (spec.deadline ?? READY_DEADLINE);
  while (Date.now() < deadline) {
    const ready = await spec.ready(log()).catch(() => false);
    // Asked second, so that another process's answer on the same port does not count for one that failed to bind.
    if (hasEnded(child)) throw new Error('ended before it was ready');
    if (ready) return;
    await delay(POLL_INTERVAL);
  }
  throw new Error(`not ready within ${spec.deadline ?? READY_DEADLINE} ms`);
}

async function stopChild(child: ChildProcess, exit: Promise<void>): Promise<boolean> {
  if (hasEnded(child)) return true;
  child.kill('SIGTERM');
  const abort = new AbortController();
  const late = delay(STOP_DEADLINE, true, { signal: abort.signal }).catch(() => false);
  const killed = await Promise.race([exit.then(() => false), late]);
  abort.abort();
  if (killed) child.kill('SIGKILL');
  await exit;
  return !killed;
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}
