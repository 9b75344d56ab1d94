/** The clients behind one face, so that one test asks each of them the same. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DockerClient } from './docker.ts';
import type { Result } from './process.ts';
import type { ContainersClient } from './skopeo-podman.ts';

export const PULLERS = ['docker', 'skopeo', 'podman', 'buildah'] as const;
export type PullerName = (typeof PULLERS)[number];

export interface Pulled {
  readonly ok: boolean;
  /** `sha256:…` of the manifest the client has now; undefined where it has none. */
  readonly digest: string | undefined;
  /** All it printed. */
  readonly output: string;
}

export type Puller = (image: string) => Promise<Pulled>;
export type Pullers = Readonly<Record<PullerName, Puller>>;

export function createPullers(docker: DockerClient, containers: ContainersClient): Pullers {
  return { docker: createDockerPuller(docker), ...createContainersPullers(containers) };
}

export function createDockerPuller(docker: DockerClient): Puller {
  return async (image) => {
    const result = await docker.pull(image);
    return toPulled(result, /^Digest: (\S+)$/m.exec(result.stdout)?.[1]);
  };
}

export function createContainersPullers(containers: ContainersClient): Omit<Pullers, 'docker'> {
  return {
    skopeo: async (image) => {
      const result = await containers.skopeoCopy(image);
      if (result.status !== 0) return toPulled(result, undefined);
      const manifest = await readFile(join(result.folder, 'manifest.json'));
      return toPulled(result, `sha256:${createHash('sha256').update(manifest).digest('hex')}`);
    },
    podman: async (image) => {
      const result = await containers.podmanPull(image);
      const inspect = ['image', 'inspect', '--format', '{{.Digest}}', result.stdout.trim()];
      return toPulled(result, result.status === 0 ? await read(containers.podman(inspect)) : undefined);
    },
    buildah: async (image) => {
      const result = await containers.buildahPull(image);
      const inspect = [
        'inspect',
        '--type',
        'image',
        '--format',
        '{{.FromImageDigest}}',
        result.stdout.trim(),
      ];
      return toPulled(result, result.status === 0 ? await read(containers.buildah(inspect)) : undefined);
    },
  };
}

async function read(command: Promise<Result>): Promise<string> {
  const { status, stdout, stderr } = await command;
  return status === 0 ? stdout.trim() : stderr;
}

export function toPulled({ status, stdout, stderr }: Result, digest: string | undefined): Pulled {
  return { ok: status === 0, digest, output: `${stdout}${stderr}` };
}
