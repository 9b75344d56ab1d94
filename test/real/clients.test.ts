/**
 * The files of `pullwarden clients`, taken by the real programs: a signed tag arrives with them, an unsigned one does
 * not, and nobody is asked but the proxy. Not run for want of programs: buildkitd, k3s, RKE2, CRI-O and systemd, whose
 * files are held by test/clients/ alone.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runClients } from '../../proxy/commands/clients.ts';
import { runDoctor } from '../../proxy/commands/doctor.ts';
import { createAuthority } from './certificates.ts';
import { DockerClient } from './docker.ts';
import { startDockerd, unmountBelow } from './dockerd.ts';
import { NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, onCleanUp, type Result, run, startService } from './process.ts';
import { programOf } from './programs.ts';
import { startRegistry } from './registry.ts';

const MAIN = resolve('dist/main.js');
const GUN = 'docker.io/admin/demo';
const SIGNED = `${GUN}:1`;
const UNSIGNED = `${GUN}:unsigned`;
const quiet = { out: () => undefined, err: () => undefined };

/** A proxy with TLS in front of "Docker Hub", and what its clients need to know. */
type World = {
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

describeReal(
  'the generated client files, in the real clients',
  [
    'docker-registry',
    'notary-server',
    'notary',
    'openssl',
    'dockerd',
    'docker',
    'containerd',
    'ctr',
    'skopeo',
    'podman',
  ],
  () => {
    let world: World;

    /** Writes the files of one client below a new folder, and has doctor look at them. */
    const generate = async (client: string, as?: string): Promise<string> => {
      const out = await makeTempDir(client);
      const { config, proxy, ca } = world;
      expect(await runClients(client, { config, proxy, ca, as, out }, quiet)).toBe(0);
      expect(await runDoctor({ config, proxy, root: out }, quiet)).toBe(0);
      return out;
    };

    beforeAll(async () => {
      world = await startWorld();
    }, SETUP_TIMEOUT);

    beforeEach(() => {
      world.reached.length = 0;
    });

    const expectRefused = ({ status, stdout, stderr }: Result) => {
      expect(status).not.toBe(0);
      expect(`${stdout}${stderr}`).toContain('is not signed');
      expect(world.reached).toEqual([]);
    };

    describe('containerd', () => {
      let out: string;
      let ctr: (hostsDir: string, image: string) => Promise<Result>;

      beforeAll(async () => {
        out = await generate('containerd');
        ctr = await startContainerd(() => world.env);
      }, SETUP_TIMEOUT);

      test('reads config.toml and takes config_path from it', async () => {
        const config = join(out, 'etc/containerd/config.toml');
        const dumped = await run(programOf('containerd'), ['--config', config, 'config', 'dump']);
        expect(dumped.stdout).toContain('config_path = "/etc/containerd/certs.d"');
      });

      test('pulls a signed tag', async () => {
        expect(await ctr(join(out, 'etc/containerd/certs.d'), SIGNED)).toMatchObject({ status: 0 });
        expect(world.reached).toEqual([]);
      });

      test.each([UNSIGNED, 'registry-1.docker.io/admin/demo:unsigned', 'docker.io/library/none:1'])(
        'is refused %s, and asks nobody else',
        async (image) => {
          const { status, stderr } = await ctr(join(out, 'etc/containerd/certs.d'), image);
          expect(status).not.toBe(0);
          expect(stderr).toMatch(/ 403 |not signed/);
          expect(world.reached).toEqual([]);
        },
      );

      test('is refused a registry that is not configured', async () => {
        expect((await ctr(join(out, 'etc/containerd/certs.d'), 'quay.io/team/app:1')).status).not.toBe(0);
        expect(world.reached).toEqual([]);
      });

      test('without the files goes to Docker Hub, which the recorder sees', async () => {
        expect((await ctr(await makeTempDir('no-hosts'), UNSIGNED)).status).not.toBe(0);
        expect(world.reached).toContain('registry-1.docker.io:443');
      });
    });

    describe.each(['mirror', 'remap'])('containers/image with registries.conf as %s', (as) => {
      let conf: string;
      let policy: string;
      let certificates: string;
      let folder: string;

      beforeAll(async () => {
        const out = await generate('podman', as);
        conf = join(out, 'etc/containers/registries.conf.d/999-pullwarden.conf');
        policy = join(out, 'etc/containers/policy.json');
        certificates = await makeTempDir('certs.d');
        await writeFile(join(certificates, 'ca.crt'), await readFile(world.ca));
        folder = await makeTempDir('podman-store');
        onCleanUp(() => unmountBelow(folder));
      });

      const podman = (image: string, ...options: readonly string[]) => {
        const store = [
          '--root',
          join(folder, 'root'),
          '--runroot',
          join(folder, 'run'),
          '--storage-driver',
          'vfs',
        ];
        const pull = [
          'pull',
          '--quiet',
          '--signature-policy',
          policy,
          '--cert-dir',
          certificates,
          ...options,
          image,
        ];
        const env = { ...world.env, HOME: folder, TMPDIR: folder, CONTAINERS_REGISTRIES_CONF: conf };
        return run(programOf('podman'), [...store, ...pull], { env });
      };
      const skopeo = async (image: string, ...options: readonly string[]) => {
        const to = await makeTempDir('skopeo');
        const from = [
          '--src-cert-dir',
          certificates,
          ...options.map((option) => option.replace('--', '--src-')),
        ];
        const copy = ['copy', ...from, `docker://${image}`, `dir:${to}`];
        const env = { ...world.env, HOME: folder, TMPDIR: folder };
        return await run(programOf('skopeo'), ['--registries-conf', conf, '--policy', policy, ...copy], {
          env,
        });
      };

      test.each([
        ['podman', podman],
        ['skopeo', skopeo],
      ] as const)('%s pulls a signed tag under every name, and no other', async (_name, pull) => {
        expect(await pull(SIGNED)).toMatchObject({ status: 0 });
        expect(await pull('registry-1.docker.io/admin/demo:1')).toMatchObject({ status: 0 });
        expectRefused(await pull(UNSIGNED));
        expectRefused(await pull('registry-1.docker.io/admin/demo:unsigned'));
      });

      test('a registry that is not named is refused by the policy', async () => {
        for (const pull of [podman, skopeo]) {
          const { status, stderr } = await pull(`${world.upstream}/admin/demo:1`, '--tls-verify=false');
          expect(status).not.toBe(0);
          expect(stderr).toMatch(/rejected by policy|Source image rejected/);
        }
      });
    });

    describe('dockerd', () => {
      const start = async (as: string): Promise<DockerClient> => {
        const file = join(await generate('dockerd', as), 'etc/docker/daemon.json');
        const settings = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as object) : {};
        const { host } = await startDockerd({ settings: { ...settings }, env: world.env });
        return await DockerClient.create({ host });
      };

      test('as mirror starts with daemon.json and pulls a signed tag', async () => {
        const docker = await start('mirror');
        expect(await docker.pull('admin/demo:1')).toMatchObject({ status: 0 });
        expect(await docker.repoDigests('admin/demo:1')).toEqual([world.digest]);
        // That it asks Docker Hub after the refusal is what the kit warns of; clients-egress.test.ts has the lock.
        expect((await docker.pull('admin/demo:unsigned')).status).not.toBe(0);
      });

      test('as registry host pulls by the reference that is shown, and is told why it is refused', async () => {
        const docker = await start('registry-host');
        const repository = `${new URL(world.proxy).host}/${GUN}`;
        expect(await docker.pull(`${repository}:1`)).toMatchObject({ status: 0 });
        expectRefused(await docker.pull(`${repository}:unsigned`));
      });
    });
  },
);

async function startWorld(): Promise<World> {
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
async function startContainerd(
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
