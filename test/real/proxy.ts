import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NotaryServer } from './notary-server.ts';
import { makeTempDir, type Result, run, type Service, startService } from './process.ts';
import type { Registry } from './registry.ts';

/** Repository root is jest's working directory. */
const MAIN = resolve('dist/main.js');
/** How long `until` goes on asking, and how long it waits between two questions, in milliseconds. */
const UNTIL_DEADLINE = 10_000;
const POLL_INTERVAL = 50;

export interface ProxyOptions {
  /** Its address is the registry's name in the configuration and the default registry. */
  readonly registry: Pick<Registry, 'address' | 'url'>;
  readonly trust: Pick<NotaryServer, 'url' | 'caFile'>;
  readonly auth?: 'passthrough' | { readonly username: string; readonly passwordFile: string };
  /** `host:port` of the token server that account may be shown to; default: the registry's own. */
  readonly tokenServer?: string;
  /** Folder of the trust state; a temporary one by default. */
  readonly state?: string;
  /** With its unit; default `1s`. */
  readonly refresh?: string;
  /** Environment of the process, for example that of a `Clock`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keys of the configuration that are not as the other options have them. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** `pullwarden serve` as a process of its own. Each start takes free ports. */
export interface RunningProxy {
  readonly configFile: string;
  /** `localhost:PORT`, to stand in image references in the registry's place. */
  readonly address: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Of its admin port. */
  readonly admin: string;
  /** All it wrote, in every run. */
  log(): string;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
  /** Halts the process while something happens that it must not see half of. */
  halted(work: () => Promise<unknown>): Promise<void>;
  /** Ends it and starts it again on the same configuration and state. */
  restart(): Promise<void>;
}

type Run = { readonly service: Service; readonly port: number; readonly admin: string };

export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const configFile = await writeConfig(options);
  const earlier: string[] = [];
  const start = () => startRun(configFile, options.env);
  let current = await start();
  const stop = async (): Promise<void> => {
    await current.service.stop();
  };
  return {
    configFile,
    get address() {
      return `localhost:${current.port}`;
    },
    get url() {
      return `http://127.0.0.1:${current.port}`;
    },
    get admin() {
      return current.admin;
    },
    log: () => [...earlier, current.service.log()].join(''),
    metrics: async () => await (await fetch(`${current.admin}/metrics`)).text(),
    stop,
    halted: async (work) => {
      process.kill(current.service.pid, 'SIGSTOP');
      try {
        await work();
      } finally {
        process.kill(current.service.pid, 'SIGCONT');
      }
    },
    restart: async () => {
      await stop();
      earlier.push(current.service.log());
      current = await start();
    },
  };
}

/** Writes the configuration that `startProxy` runs on, for the commands that only read it. */
export async function writeConfig(options: Omit<ProxyOptions, 'env'>): Promise<string> {
  const { registry, trust, auth = 'passthrough', refresh = '1s' } = options;
  const folder = await makeTempDir('proxy');
  const file = join(folder, 'pullwarden.yaml');
  // The proxy reads YAML, of which JSON is a part.
  const text = JSON.stringify({
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: registry.address,
    registries: [
      {
        name: registry.address,
        upstream: registry.url,
        auth,
        ...(options.tokenServer === undefined ? {} : { tokenServer: options.tokenServer }),
        trust: { server: trust.url, ca: trust.caFile },
      },
    ],
    trust: {
      state: { kind: 'file', path: options.state ?? join(folder, 'state') },
      refresh,
      firstUse: 'accept',
    },
    policy: { unmatched: 'deny', rules: [{ name: 'all', match: `${registry.address}/**`, mode: 'enforce' }] },
    log: { level: 'trace' },
    ...options.settings,
  });
  await writeFile(file, text);
  return file;
}

/** Runs another command of `pullwarden` to its end; a failure is an answer. */
export async function runPullwarden(...args: readonly string[]): Promise<Result> {
  requireBuild();
  return await run(process.execPath, [MAIN, ...args]);
}

/** Asks until the answer is the one waited for, and returns it; throws with the last one when it does not come. */
export async function until<T>(ask: () => Promise<T>, isReached: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + UNTIL_DEADLINE;
  for (;;) {
    const answer = await ask();
    if (isReached(answer)) return answer;
    if (Date.now() > deadline) {
      throw new Error(`still not so after ${UNTIL_DEADLINE} ms: ${JSON.stringify(answer)}`);
    }
    await delay(POLL_INTERVAL);
  }
}

async function startRun(configFile: string, env: ProxyOptions['env']): Promise<Run> {
  requireBuild();
  const service = await startService({
    name: 'pullwarden',
    command: process.execPath,
    args: [MAIN, 'serve', '--config', configFile],
    ...(env && { env }),
    ready: async (log) => findPorts(log) !== undefined,
  });
  const ports = findPorts(service.log());
  if (ports === undefined) throw new Error('the line with the ports is gone from the log');
  return { service, ...ports };
}

/** The ports are what the system gave it, so its own word is the only way to know them. */
function findPorts(log: string): Pick<Run, 'port' | 'admin'> | undefined {
  const line = log.split('\n').find((text) => text.endsWith('"msg":"serving pulls"}'));
  return line === undefined ? undefined : (JSON.parse(line) as Pick<Run, 'port' | 'admin'>);
}

function requireBuild(): void {
  if (!existsSync(MAIN)) {
    throw new Error(
      `${MAIN} is not there: the tests with the real proxy run what "npm run build" made; run that first`,
    );
  }
}
