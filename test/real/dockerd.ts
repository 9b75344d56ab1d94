import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeTempDir, onCleanUp, run, startService } from './process.ts';
import { programOf } from './programs.ts';

export interface DockerdOptions {
  /** URL put into `registry-mirrors`. */
  readonly registryMirror?: string;
  /** Further keys of daemon.json. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Environment of the daemon, for example HTTPS_PROXY or SSL_CERT_FILE. */
  readonly env?: Readonly<Record<string, string>>;
  /** `vfs` works everywhere and copies every layer; `best` is what the daemon finds, for work with many layers. */
  readonly storage?: 'vfs' | 'best';
}

export interface Dockerd {
  /** `unix://…`, the DOCKER_HOST of its clients. */
  readonly host: string;
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts a Docker daemon that shares nothing with one of the machine: own folders, socket, containerd, no bridge,
 * no iptables. Needs root. All paths are absolute, else its containerd never gets ready.
 */
export async function startDockerd(options: DockerdOptions = {}): Promise<Dockerd> {
  const folder = await makeTempDir('dockerd');
  const socket = join(folder, 'docker.sock');
  const config = join(folder, 'daemon.json');
  const mirrors =
    options.registryMirror === undefined ? {} : { 'registry-mirrors': [options.registryMirror] };
  await writeFile(config, JSON.stringify({ ...mirrors, ...options.settings }));
  await mkdir(join(folder, 'home'));
  onCleanUp(() => unmountBelow(folder));
  const service = await startService({
    name: 'dockerd',
    command: programOf('dockerd'),
    args: [
      ...['--config-file', config, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--host', `unix://${socket}`, '--pidfile', join(folder, 'docker.pid')],
      ...(options.storage === 'best' ? [] : ['--storage-driver', 'vfs']),
      ...['--iptables=false', '--ip6tables=false', '--bridge=none'],
    ],
    env: { HOME: join(folder, 'home'), ...options.env },
    ready: async () => {
      const answer = await run(programOf('docker'), ['--host', `unix://${socket}`, 'version'], {
        env: { HOME: folder },
      });
      return answer.status === 0;
    },
  });
  const stop = async (): Promise<void> => {
    // A daemon that has to be killed leaves its containerd behind, which then is ours to end.
    if (!(await service.stop())) await killByPidFile(join(folder, 'exec', 'containerd', 'containerd.pid'));
    await unmountBelow(folder);
  };
  onCleanUp(stop);
  return { host: `unix://${socket}`, log: service.log, stop };
}

/** Unmounts what is still mounted under a folder, deepest first. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts
    .filter((path) => path.startsWith(`${folder}/`))
    .sort()
    .reverse()) {
    await run('umount', [mount]);
  }
}

/** Kills the process of a PID file, if its command line still names the folder the file is in. */
async function killByPidFile(file: string): Promise<void> {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 1) return;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (commandLine.includes(dirname(file))) process.kill(pid, 'SIGKILL');
}
