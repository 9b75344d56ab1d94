/** containerd with folders of its own, and `ctr`, which does the pulling and reads hosts.toml. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountBelow } from '../dockerd.ts';
import { makeTempDir, onCleanUp, type Result, run, startService } from '../process.ts';
import { programOf } from '../programs.ts';

export interface Containerd {
  /** Its socket. */
  readonly address: string;
  /** A new folder for `--hosts-dir`, with this hosts.toml for docker.io. */
  writeHosts(hostsToml: string): Promise<string>;
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
  let written = 0;
  const writeHosts = async (hostsToml: string): Promise<string> => {
    written += 1;
    const hosts = join(folder, `hosts-${written}`);
    await mkdir(join(hosts, 'docker.io'), { recursive: true });
    await writeFile(join(hosts, 'docker.io', 'hosts.toml'), hostsToml);
    return hosts;
  };
  return {
    address: socket,
    writeHosts,
    pull: async (image, hostsToml) =>
      await ctr([
        ...['images', 'pull', '--snapshotter', 'native', '--hosts-dir', await writeHosts(hostsToml)],
        image,
      ]),
  };
}
