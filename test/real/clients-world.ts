import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { createAuthority } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd, unmountBelow } from './dockerd.ts';
import { NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { makeTempDir, onCleanUp, type Result, run, startService } from './process.ts';
import { programOf } from './programs.ts';
import { startRegistry } from './registry.ts';

const MAIN = resolve('dist/main.js');
export const GUN = 'docker.io/admin/demo';

/** A proxy with TLS in front of "Docker Hub", and what its clients need to know. */
export type World = {
  readonly config: string;
  readonly proxy: string;
  readonly ca: string;
  /** Every host something tried to reach over HTTPS, past the proxy. */
  readonly reached: string[];
  /** Environment in which every way to the public network ends at the recorder. */
  readonly env: Readonly<Record<string, string>>;
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
  const reached: string[] = [];
  const recorder = await startRecorder(reached);
  return {
    config,
    proxy: `https://localhost:${await startProxy(config)}`,
    ca: authority.caFile,
    reached,
    env: { HTTPS_PROXY: recorder, HTTP_PROXY: recorder },
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

/** An HTTP proxy that leads nowhere and remembers who was to be reached. @returns its URL. */
async function startRecorder(reached: string[]): Promise<string> {
  const server = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.writeHead(403).end();
  });
  server.on('connect', (request, socket) => {
    reached.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Recorded\r\n\r\n');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onCleanUp(() => new Promise((closed) => server.close(closed)));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

/** containerd with its own folders, and `ctr` pulling into it. */
export async function startContainerd(
  env: () => Readonly<Record<string, string>>,
): Promise<(hostsDir: string, image: string) => Promise<Result>> {
  const folder = await makeTempDir('containerd-run');
  onCleanUp(() => unmountBelow(folder));
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'etc', 'config.toml');
  await mkdir(dirname(config));
  await writeFile(config, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  const ctr = (...args: readonly string[]) =>
    run(programOf('ctr'), ['--address', socket, '--namespace', 'test', ...args], { env: env() });
  await startService({
    name: 'containerd',
    command: programOf('containerd'),
    args: [
      '--config',
      config,
      '--root',
      join(folder, 'root'),
      '--state',
      join(folder, 'state'),
      '--address',
      socket,
    ],
    ready: async () => (await ctr('version')).status === 0,
  });
  return (hostsDir, image) =>
    ctr('images', 'pull', '--snapshotter', 'native', '--hosts-dir', hostsDir, image);
}
