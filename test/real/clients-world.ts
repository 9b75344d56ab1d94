import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createAuthority } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { type Egress, startEgress } from './egress.ts';
import { NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { makeTempDir, startService } from './process.ts';
import { startRegistry } from './registry.ts';

const MAIN = resolve('dist/main.js');
export const GUN = 'docker.io/admin/demo';

/** A proxy with TLS in front of "Docker Hub", and what its clients need to know. */
export type World = {
  readonly config: string;
  readonly proxy: string;
  readonly ca: string;
  /** Where every way to the public network ends. */
  readonly egress: Egress;
  /** Digest of the signed image. */
  readonly digest: string;
  /** The registry behind the proxy, by a name that no client file has. */
  readonly upstream: string;
};

export async function startWorld(): Promise<World> {
  const [registry, trust, daemon] = await Promise.all([startRegistry(), startNotaryServer(), startDockerd()]);
  const docker = await DockerClient.create({ host: daemon.host });
  const push = async (tag: string) => {
    await docker.importImage(`${registry.address}/admin/demo:${tag}`, tag);
    return await docker.push(`${registry.address}/admin/demo:${tag}`);
  };
  const { digest, size } = await push('1');
  await push('unsigned');
  const notary = await NotaryClient.create(trust);
  await notary.init(GUN);
  await notary.addHash(GUN, '1', size, digest.slice('sha256:'.length));
  const folder = await makeTempDir('clients');
  const authority = await createAuthority(folder);
  const { certFile, keyFile } = await authority.issue('proxy', 'serverAuth');
  const config = join(folder, 'pullwarden.yaml');
  const listen = { address: '127.0.0.1', port: 0, tls: { cert: certFile, key: keyFile } };
  await writeFile(config, describeProxy(listen, registry.url, trust));
  return {
    config,
    proxy: `https://localhost:${await startProxy(config)}`,
    ca: authority.caFile,
    egress: await startEgress(),
    digest,
    upstream: registry.address,
  };
}

/** The registry plays Docker Hub. The proxy reads YAML, of which JSON is a part. */
function describeProxy(
  listen: object,
  upstream: string,
  trust: Pick<NotaryServer, 'url' | 'caFile'>,
): string {
  return JSON.stringify({
    listen,
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: 'docker.io',
    registries: [
      {
        name: 'docker.io',
        upstream,
        aliases: ['registry-1.docker.io'],
        trust: { server: trust.url, ca: trust.caFile },
      },
    ],
    trust: { state: { kind: 'memory' }, firstUse: 'accept' },
    policy: { rules: [{ name: 'all', match: '**', mode: 'enforce' }] },
  });
}

/** @returns the port that was taken. */
async function startProxy(config: string): Promise<number> {
  const findPort = (log: string) => /"port":([0-9]+)[^\n]*"msg":"serving pulls"/.exec(log)?.[1];
  const service = await startService({
    name: 'pullwarden',
    command: process.execPath,
    args: [MAIN, 'serve', '--config', config],
    ready: async (log) => findPort(log) !== undefined,
  });
  return Number(findPort(service.log()));
}
