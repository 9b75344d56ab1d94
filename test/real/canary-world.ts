/** Docker Hub behind a proxy that lets everything through but its canary, and `pullwarden canary` run on a node. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { RegistryServer } from '../../proxy/demo/registry.ts';
import { createAuthority } from './certificates.ts';
import { type Egress, startEgress } from './egress.ts';
import { startInProcess } from './in-process.ts';
import { makeTempDir, onCleanUp, run } from './process.ts';

const MAIN = resolve('dist/main.js');
const HUB = ['registry-1.docker.io', 'index.docker.io'];
export const CANARY = 'docker.io/library/hello-world:linux';

export interface CanaryWorld {
  /** `host:port` of a registry that hands the same image to everybody. */
  readonly open: string;
  readonly proxy: string;
  readonly configFile: string;
  /** The proxy as HTTPS_PROXY, trusted. */
  readonly throughProxy: Readonly<Record<string, string>>;
  /** Every way out but loopback ends at a recorder. */
  readonly egress: Egress;
  metrics(): Promise<string>;
}

export type CanaryReport = {
  readonly status: number;
  readonly result: string;
  readonly because: string;
  readonly says: string;
  readonly command: string;
  readonly next?: string;
};

export async function startCanaryWorld(): Promise<CanaryWorld> {
  const registry = new RegistryServer();
  await registry.start();
  onCleanUp(async () => void (await registry.stop()));
  registry.pushImage('library/hello-world', 'linux');
  const folder = await makeTempDir('canary');
  const authority = await createAuthority(folder);
  const { certFile: cert, keyFile: key } = await authority.issue('hub', 'serverAuth', HUB);
  const proxy = await startInProcess({
    listen: { address: '127.0.0.1', port: 0, connect: { certificates: [{ hosts: HUB, cert, key }] } },
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: 'docker.io',
    registries: [
      { name: 'docker.io', aliases: HUB, upstream: registry.url, trust: { server: 'http://127.0.0.1:9' } },
    ],
    trust: { state: { kind: 'memory' } },
    policy: { rules: [{ name: 'open', match: 'docker.io/**', mode: 'off' }] },
  });
  const egress = await startEgress();
  return {
    open: new URL(registry.url).host,
    proxy: proxy.url,
    configFile: proxy.configFile,
    throughProxy: { ...egress.env, HTTPS_PROXY: proxy.url, SSL_CERT_FILE: authority.caFile },
    egress,
    metrics: proxy.metrics,
  };
}

/** Runs `pullwarden canary --json` as a node would, with this environment of the client. */
export async function runCanary(
  client: string,
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<CanaryReport> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there; run "npm run build" first`);
  const command = [MAIN, 'canary', '--client', client, '--json', '--timeout', '30s', ...args];
  const { status, stdout, stderr } = await run(process.execPath, command, { env });
  if (stdout === '') throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
  return { status, ...(JSON.parse(stdout) as Omit<CanaryReport, 'status'>) };
}
