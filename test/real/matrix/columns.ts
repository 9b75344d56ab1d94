/** The clients of the matrix, each with the configuration that `pullwarden clients` makes for it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runClients } from '../../../proxy/commands/clients.ts';
import { startContainerd } from '../containerd.ts';
import { DockerClient } from '../docker.ts';
import { startDockerd } from '../dockerd.ts';
import { type Egress, startEgress } from '../egress.ts';
import { makeTempDir } from '../process.ts';
import { createContainersPullers, createDockerPuller, type Puller, toPulled } from '../pullers.ts';
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

export interface Column {
  /** Of an image of docker.io/library, as in `app:1`. */
  readonly pull: Puller;
  /** Every way out but the proxy ends here. */
  readonly egress: Egress;
}

export async function startColumn(name: ColumnName, world: World): Promise<Column> {
  const egress = await startEgress();
  return { egress, pull: await STARTERS[name](world, egress) };
}

const STARTERS: Readonly<Record<ColumnName, (world: World, egress: Egress) => Promise<Puller>>> = {
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
  skopeo: (world, { env }) => startContainers(world, env, 'skopeo'),
  podman: (world, { env }) => startContainers(world, env, 'podman'),
  buildah: (world, { env }) => startContainers(world, env, 'buildah'),
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
): Promise<Puller> {
  // One attempt, and one more to go on where a layer was cut; six of them take 75 s (registry-clients.md §1.8).
  const settings = { ...options.settings, 'max-download-attempts': 2 };
  const { host } = await startDockerd({ settings, env: options.env });
  const pull = createDockerPuller(await DockerClient.create({ host }));
  return (image) => pull(toReference(image));
}

async function startContainers(
  world: World,
  env: Readonly<Record<string, string>>,
  program: 'skopeo' | 'podman' | 'buildah',
): Promise<Puller> {
  const out = await generate(world, 'podman');
  const client = await ContainersClient.withFiles({
    registriesConf: join(out, 'etc/containers/registries.conf.d/999-pullwarden.conf'),
    policy: join(out, 'etc/containers/policy.json'),
    env,
  });
  const pull = createContainersPullers(client)[program];
  return (image) => pull(`docker.io/library/${image}`);
}
