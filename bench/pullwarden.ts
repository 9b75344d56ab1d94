/** The proxy as its image runs it: its own process, default log, an embedded trust server that signs the image. */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SimulatedRepository } from '../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../proxy/demo/notary/notary-server.ts';
import { findFreePort, makeTempDir, onCleanUp, onFreePort } from '../test/real/process.ts';
import { startLogged } from './logged-service.ts';
import type { BenchImage } from './registry.ts';

const REGISTRY = 'registry.bench.example';

/** @returns the base URL of its pull port */
export async function startPullwarden(upstream: string, image: BenchImage): Promise<string> {
  const folder = await makeTempDir('bench-pullwarden');
  const trustServer = await startTrustServer(image);
  const adminPort = await findFreePort();
  const start = readImageStart(await readFile('Dockerfile', 'utf8'));
  return await onFreePort(async (port) => {
    const config = join(folder, 'pullwarden.yaml');
    await writeFile(
      config,
      describeProxy({ port, adminPort, upstream, trustServer, state: join(folder, 'state') }),
    );
    const url = `http://127.0.0.1:${port}`;
    await startLogged(join(folder, 'log'), {
      name: 'pullwarden',
      command: process.execPath,
      args: [...start.options, resolve('dist/main.js'), 'serve', '--config', config],
      env: start.env,
      ready: async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok,
    });
    return url;
  });
}

type ImageStart = { readonly options: readonly string[]; readonly env: Readonly<Record<string, string>> };

/** Node's options and the allocator's settings the image starts the proxy with: what ships is what is measured. */
function readImageStart(dockerfile: string): ImageStart {
  const entrypoint: unknown = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]');
  if (!Array.isArray(entrypoint) || entrypoint[0] !== 'node')
    throw new Error('the Dockerfile starts no node');
  const settings = dockerfile.matchAll(/\b(MALLOC_[A-Z_]+)=(\d+)/g);
  return {
    options: entrypoint.slice(1, -1).map(String),
    env: Object.fromEntries([...settings].map(([, name = '', value = '']) => [name, value])),
  };
}

async function startTrustServer({ repository, tag, digest, length }: BenchImage): Promise<string> {
  const signed = new SimulatedRepository(`${REGISTRY}/${repository}`);
  signed.addTag(tag, digest, length);
  signed.publish();
  const server = new NotaryServer({ repositories: [signed] });
  const url = await server.start();
  onCleanUp(() => server.stop());
  return url;
}

type ProxyOptions = {
  readonly port: number;
  readonly adminPort: number;
  readonly upstream: string;
  readonly trustServer: string;
  readonly state: string;
};

function describeProxy({ port, adminPort, upstream, trustServer, state }: ProxyOptions): string {
  return JSON.stringify({
    listen: { address: '127.0.0.1', port },
    admin: { address: '127.0.0.1', port: adminPort },
    defaultRegistry: REGISTRY,
    registries: [{ name: REGISTRY, upstream, trust: { server: trustServer } }],
    trust: { state: { kind: 'file', path: state }, firstUse: 'accept' },
    policy: { unmatched: 'deny', rules: [{ name: 'all', match: `${REGISTRY}/**`, mode: 'enforce' }] },
  });
}
