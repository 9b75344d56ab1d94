/** The clients of the matrix, each with the configuration that `pullwarden clients` makes for it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runClients } from '../../../proxy/commands/clients.ts';
import { startContainerd } from '../containerd.ts';
import { DockerClient } from '../docker.ts';
import { startDockerd } from '../dockerd.ts';
import { type Egress, startEgress } from '../egress.ts';
import { makeTempDir, type Result } from '../process.ts';
import { ContainersClient } from '../skopeo-podman.ts';
import type { World } from './world.ts';

export const COLUMNS = [
  'dockerd, bare mirror',
  'dockerd, registry host',
  'dockerd, HTTPS_PROXY',
  'ctr, hosts.toml',
  'skopeo',
  'podman',
  'buildah',
] as const;
export type ColumnName = (typeof COLUMNS)[number];

export interface Pulled {
  readonly ok: boolean;
  /** `sha256:…` of what arrived. */
  readonly digest: string | undefined;
  /** All the person sees. */
  readonly output: string;
}

/** @param image as in `app:1`, of docker.io/library */
export type Pull = (image: string) => Promise<Pulled>;

export interface Column {
  readonly pull: Pull;
  /** Every way out but the proxy ends here. */
  readonly egress: Egress;
}

export async function startColumn(name: ColumnName, world: World): Promise<Column> {
  const egress = await startEgress();
  return { egress, pull: await STARTERS[name](world, egress) };
}

const STARTERS: Readonly<Record<ColumnName, (world: World, egress: Egress) => Promise<Pull>>> = {
  'dockerd, bare mirror': async (world, { env }) => {
    const settings = await daemonJson(await generate(world, 'dockerd', 'mirror'));
    return await startDocker({ settings, env }, (image) => image);
  },
  'dockerd, registry host': async (world, { env }) => {
    const settings = await daemonJson(await generate(world, 'dockerd', 'registry-host'));
    const host = new URL(world.url).host;
    return await startDocker({ settings, env }, (image) => `${host}/docker.io/library/${image}`);
  },
  'dockerd, HTTPS_PROXY': async (world, egress) => {
    const out = await generate(world, 'dockerd', 'https-proxy');
    const unit = await readFile(join(out, 'etc/systemd/system/docker.service.d/90-pullwarden.conf'), 'utf8');
    // What its authority is to the node's trust store; what is left of the ways out goes to the recorder.
    const env = { ...egress.env, ...environmentOf(unit), SSL_CERT_FILE: world.caFile };
    return await startDocker({ settings: {}, env }, (image) => image);
  },
  'ctr, hosts.toml': async (world, { env }) => {
    const hosts = join(await generate(world, 'containerd'), 'etc/containerd/certs.d');
    const containerd = await startContainerd(env);
    return async (image) => {
      const reference = `docker.io/library/${image}`;
      const result = await containerd.pull(reference, hosts);
      return toPulled(result, result.status === 0 ? await containerd.digestOf(reference) : undefined);
    };
  },
  skopeo: async (world, { env }) => {
    const client = await startContainers(world, env);
    return async (image) => {
      const { folder, ...result } = await client.skopeoCopy(`docker.io/library/${image}`);
      const manifest = await readFile(join(folder, 'manifest.json')).catch(() => undefined);
      return toPulled(result, manifest && `sha256:${createHash('sha256').update(manifest).digest('hex')}`);
    };
  },
  podman: async (world, { env }) => {
    const client = await startContainers(world, env);
    return async (image) => {
      const result = await client.podmanPull(`docker.io/library/${image}`);
      const inspect = ['image', 'inspect', '--format', '{{.Digest}}', result.stdout.trim()];
      return toPulled(result, result.status === 0 ? (await client.podman(inspect)).stdout.trim() : undefined);
    };
  },
  buildah: async (world, { env }) => {
    const client = await startContainers(world, env);
    return async (image) => {
      const result = await client.buildahPull(`docker.io/library/${image}`);
      const inspect = [
        'inspect',
        '--type',
        'image',
        '--format',
        '{{.FromImageDigest}}',
        result.stdout.trim(),
      ];
      return toPulled(
        result,
        result.status === 0 ? (await client.buildah(inspect)).stdout.trim() : undefined,
      );
    };
  },
};

/** @returns the folder with the files, as below `/`. */
async function generate({ configFile, url }: World, client: string, as?: string): Promise<string> {
  const out = await makeTempDir(client);
  const options = { config: configFile, proxy: url, ca: undefined, as, out };
  await runClients(client, options, { out: () => undefined, err: () => undefined });
  return out;
}

async function daemonJson(out: string): Promise<Readonly<Record<string, unknown>>> {
  const file = join(out, 'etc/docker/daemon.json');
  return existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : {};
}

/** `Environment="A=b" "C=d"` of a systemd unit. */
function environmentOf(unit: string): Readonly<Record<string, string>> {
  const settings = unit.match(/"[A-Za-z_]+=[^"]*"/g) ?? [];
  return Object.fromEntries(settings.map((text) => text.slice(1, -1).split(/=(.*)/s).slice(0, 2)));
}

async function startDocker(
  options: {
    readonly settings: Readonly<Record<string, unknown>>;
    readonly env: Readonly<Record<string, string>>;
  },
  toReference: (image: string) => string,
): Promise<Pull> {
  // One attempt, and one more to go on where a layer was cut; six of them take 75 s (§1.8).
  const settings = { ...options.settings, 'max-download-attempts': 2 };
  const { host } = await startDockerd({ settings, env: options.env });
  const docker = await DockerClient.create({ host });
  return async (image) => {
    const result = await docker.pull(toReference(image));
    return toPulled(result, /^Digest: (\S+)$/m.exec(result.stdout)?.[1]);
  };
}

async function startContainers(
  world: World,
  env: Readonly<Record<string, string>>,
): Promise<ContainersClient> {
  const out = await generate(world, 'podman');
  return await ContainersClient.withFiles({
    registriesConf: join(out, 'etc/containers/registries.conf.d/999-pullwarden.conf'),
    policy: join(out, 'etc/containers/policy.json'),
    env,
  });
}

function toPulled({ status, stdout, stderr }: Result, digest: string | undefined): Pulled {
  return { ok: status === 0, digest, output: `${stdout}${stderr}` };
}
