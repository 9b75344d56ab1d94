/** The proxy and its simulated neighbours inside the test's own process, for what only they can be made to do. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { type Runtime, type RuntimeOptions, startRuntime } from '../../proxy/runtime/start.ts';
import { makeTempDir, onCleanUp } from './process.ts';

export interface InProcessProxy {
  readonly configFile: string;
  readonly url: string;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
}

/** Starts the proxy on a configuration file that says this; its ports are free ones where it says 0. */
export async function startInProcess(config: object): Promise<InProcessProxy> {
  const configFile = join(await makeTempDir('in-process'), 'pullwarden.yaml');
  // The proxy reads YAML, of which JSON is a part.
  await writeFile(configFile, JSON.stringify(config));
  const { port, adminPort } = await runInProcess(configFile);
  return {
    configFile,
    url: `http://127.0.0.1:${port}`,
    metrics: async () => await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text(),
  };
}

/** The same on a file that is there. What it logs goes nowhere. */
export async function runInProcess(
  configFile: string,
  options: Pick<RuntimeOptions, 'monotonic'> = {},
): Promise<Runtime> {
  const runtime = await startRuntime(await loadConfig(configFile), {
    version: '0.0.0',
    node: process.version,
    logTo: { write: () => undefined },
    ...options,
  });
  onCleanUp(() => runtime.close(0));
  return runtime;
}

/** @returns the URL of a server on a free port of loopback, which is closed at the end with all its connections. */
export async function listenOnLoopback(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanUp(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
