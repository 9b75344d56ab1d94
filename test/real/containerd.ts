/** containerd with folders of its own, and `ctr`, which does the pulling and reads hosts.toml. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unmountBelow } from './dockerd.ts';
import { makeTempDir, onCleanUp, type Result, run, startService } from './process.ts';
import { programOf } from './programs.ts';

export interface Containerd {
  /** Its socket. */
  readonly address: string;
  /** @param hostsDir a folder as `/etc/containerd/certs.d` is one */
  pull(image: string, hostsDir: string): Promise<Result>;
  /** `sha256:…` under which it knows an image; undefined where it has none. */
  digestOf(image: string): Promise<string | undefined>;
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
      ...['--config', config, '--address', socket],
      ...['--root', join(folder, 'root'), '--state', join(folder, 'state')],
    ],
    ready: async () => (await ctr(['version'])).status === 0,
  });
  return {
    address: socket,
    pull: (image, hostsDir) =>
      ctr(['images', 'pull', '--snapshotter', 'native', '--hosts-dir', hostsDir, image]),
    digestOf: async (image) => {
      const { stdout } = await ctr(['images', 'ls', `name==${image}`]);
      return /sha256:[0-9a-f]{64}/.exec(stdout)?.[0];
    },
  };
}

/** @returns a folder of hosts.toml files with this one for docker.io. */
export async function writeHostsDir(hostsToml: string): Promise<string> {
  const folder = await makeTempDir('hosts');
  await mkdir(join(folder, 'docker.io'));
  await writeFile(join(folder, 'docker.io', 'hosts.toml'), hostsToml);
  return folder;
}
