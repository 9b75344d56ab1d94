/** `dist/main.js serve` as a process of its own, in front of the servers of a bench. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findFreePort, makeTempDir, onFreePort, type Service } from '../../test/real/process.ts';
import { startLogged } from '../logged-service.ts';

export const REGISTRY = 'registry.bench.example';

export type ProxyOptions = {
  readonly upstream: string;
  readonly trustServer: string;
  /** Where its files are; one of its own when absent. */
  readonly folder?: string;
  /** The folder of its trust state in that one. */
  readonly state?: string;
  /** The proxy's account at the registry, as the configuration has it. */
  readonly auth?: { readonly username: string; readonly passwordFile: string };
  /** More of the configuration's `trust`. */
  readonly trust?: Readonly<Record<string, string>>;
  /** Of Node. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

export type BenchProxy = {
  readonly url: string;
  readonly admin: string;
  readonly port: number;
  readonly service: Service;
};

export async function startProxy({
  upstream,
  trustServer,
  state = 'state',
  auth,
  trust = {},
  options = [],
  env = {},
  ...where
}: ProxyOptions): Promise<BenchProxy> {
  const folder = where.folder ?? (await makeTempDir('bench-hostile'));
  const adminPort = await findFreePort();
  return await onFreePort(async (port) => {
    const config = join(folder, 'pullwarden.yaml');
    const settings = {
      listen: { address: '127.0.0.1', port },
      admin: { address: '127.0.0.1', port: adminPort },
      defaultRegistry: REGISTRY,
      registries: [{ name: REGISTRY, upstream, ...(auth && { auth }), trust: { server: trustServer } }],
      trust: { state: { kind: 'file', path: join(folder, state) }, firstUse: 'accept', ...trust },
      policy: { unmatched: 'deny', rules: [{ name: 'all', match: `${REGISTRY}/**`, mode: 'enforce' }] },
    };
    await writeFile(config, JSON.stringify(settings));
    const admin = `http://127.0.0.1:${adminPort}`;
    const service = await startLogged(join(folder, 'log'), {
      name: 'pullwarden',
      command: process.execPath,
      args: [...options, resolve('dist/main.js'), 'serve', '--config', config],
      env,
      ready: async () => (await fetch(`${admin}/readyz`)).ok,
    });
    return { url: `http://127.0.0.1:${port}`, admin, port, service };
  });
}
