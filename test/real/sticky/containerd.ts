/** containerd with folders of its own, and `ctr`, which does the pulling and reads hosts.toml. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountBelow } from '../dockerd.ts';
import { makeTempDir, onCleanUp, type Result, run, startService } from '../process.ts';
import { programOf } from '../programs.ts';

export interface Containerd {
  /** Pulls with this hosts.toml for docker.io. */
  pull(image: string, hostsToml: string): Promise<Result>;
}

/** @param env of `ctr`, such as `HTTPS_PROXY`. */
export async function startContainerd(env: Readonly<Record<string, string>>): Promise<Containerd> {
  const folder = await makeTempDir('containerd');
  const socket = join(folder, 'c.sock');
  const config = join(folder, 'config.toml');
  await writeFile(config, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  onCleanUp(() => unmountBelow(folder));
  const ctr = (args: readonly string[]) =>
    run(programOf('ctr'), ['--address', socket, '--namespace', 'test', ...args], { env });
  await startService({
    name: 'containerd',
    command: programOf('containerd'),
    args: [
      '--config',
      config,
      '--address',
      socket,
      '--root',
      join(folder, 'root'),
      '--state',
      join(folder, 'state'),
    ],
    ready: async () => (await ctr(['version'])).status === 0,
  });
  let pulls = 0;
  return {
    async pull(image, hostsToml) {
      pulls += 1;
      const hosts = join(folder, `hosts-${pulls}`);
      await mkdir(join(hosts, 'docker.io'), { recursive: true });
      await writeFile(join(hosts, 'docker.io', 'hosts.toml'), hostsToml);
      return await ctr(['images', 'pull', '--snapshotter', 'native', '--hosts-dir', hosts, image]);
    },
  };
}
