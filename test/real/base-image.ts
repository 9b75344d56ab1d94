import { cp, mkdir, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DockerClient } from './docker.ts';
import { makeTempDir, runOk } from './process.ts';
import { SEARCH_PATH } from './programs.ts';

/** What a build on a slim Node image calls beside Node and npm: the few programs the Dockerfile's RUN lines name. */
const PROGRAMS = ['sh', 'env', 'mkdir', 'chown', 'chmod', 'ls', 'id'];
const FILES = ['/etc/passwd', '/etc/group', '/etc/ssl/certs/ca-certificates.crt'];
/** Milliseconds. */
const DOWNLOAD_DEADLINE = 120_000;
const NPM = '/usr/lib/node_modules/npm';

/**
 * Imports an image that stands in for a Node base image where none can be pulled: the Node it is named after, this
 * machine's npm, some Debian programs, and the shared libraries they load.
 *
 * @param name such as `node:24-bookworm-slim`.
 */
export async function importNodeBase(docker: DockerClient, name: string): Promise<void> {
  const folder = await makeTempDir('base');
  const root = join(folder, 'root');
  await makeSkeleton(root);
  const programs = await Promise.all(PROGRAMS.map(findProgram));
  const node = await findNode(name);
  const libraries = await Promise.all([node, ...programs].map(findLibraries));
  await runOk('cp', ['--parents', '-L', ...new Set([...programs, ...libraries.flat(), ...FILES]), root]);
  await cp(node, join(root, 'usr/bin/node'));
  await cp(NPM, join(root, NPM), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/bin/npm'));
  const archive = join(folder, 'base.tar');
  await runOk('tar', ['-C', root, '--owner=0', '--group=0', '-cf', archive, '.']);
  const changes = ['ENV PATH=/usr/bin', `ENV NODE_EXTRA_CA_CERTS=${FILES[2]}`, 'CMD ["node"]'];
  await docker.dockerOk(['import', ...changes.flatMap((change) => ['--change', change]), archive, name]);
}

/** Debian's layout: `/bin` and `/lib` lead into `/usr`. */
async function makeSkeleton(root: string): Promise<void> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', folder), { recursive: true });
    await symlink(join('usr', folder), join(root, folder));
  }
  await mkdir(join(root, dirname(NPM)), { recursive: true });
  for (const folder of ['proc', 'sys', 'dev', 'var']) await mkdir(join(root, folder));
  await mkdir(join(root, 'tmp'));
  await runOk('chmod', ['1777', join(root, 'tmp')]);
}

/** This machine's Node where it is of that major version, or else the one of the npm package `node`. */
async function findNode(image: string): Promise<string> {
  const [, major] = /^node:(\d+)/.exec(image) ?? [];
  if (major === undefined) throw new Error(`${image} does not say which Node it has; write node:MAJOR`);
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const npx = ['--yes', '--package', `node@${major}`, 'node', '-p', 'process.execPath'];
  const env = { HOME: homedir() };
  return (await runOk('npx', npx, { env, deadline: DOWNLOAD_DEADLINE })).stdout.trim();
}

async function findProgram(name: string): Promise<string> {
  const env = { PATH: SEARCH_PATH.join(':') };
  return (await runOk('sh', ['-c', `command -v ${name}`], { env })).stdout.trim();
}

async function findLibraries(program: string): Promise<readonly string[]> {
  const { stdout } = await runOk('ldd', [program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}
