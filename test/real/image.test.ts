import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { importNodeBase } from './base-image.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { findFreePort, makeTempDir } from './process.ts';
import { startRegistry } from './registry.ts';

/** Repository root: jest's working directory. */
const ROOT = process.cwd();
const IMAGE = 'pullwarden:test';
/** Milliseconds: two `npm ci` and a compilation on a busy machine; a health check every second must pass by then. */
const BUILD_DEADLINE = 240_000;
const HEALTHY_DEADLINE = 30_000;

type Running = { readonly id: string; readonly admin: string; readonly registry: string };

describeReal('the container image', ['dockerd', 'docker', 'docker-registry'], () => {
  let docker: DockerClient;
  let proxy: Running;
  let base: string;

  beforeAll(
    async () => {
      const dockerd = await startDockerd({ storage: 'best' });
      docker = await DockerClient.create({ host: dockerd.host });
      const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
      base = /^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1] ?? '';
      await importNodeBase(docker, base);
      const build = ['build', '--network', 'host', '--build-arg', 'REVISION=f00dcafe', '--tag', IMAGE, ROOT];
      await docker.dockerOk(build, { deadline: BUILD_DEADLINE });
      proxy = await runProxy(docker, (await startRegistry()).url);
    },
    2 * SETUP_TIMEOUT + BUILD_DEADLINE,
  );

  test('runs as nobody in particular, without a writable root or a capability, and is alive', async () => {
    const response = await fetch(`${proxy.admin}/livez`);
    expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
    const user = await docker.dockerOk(['exec', proxy.id, 'id', '-u']);
    expect(Number(user.stdout)).toBe(65532);
    const write = await docker.docker(['exec', proxy.id, 'mkdir', '/app/new']);
    expect(write.stderr).toContain('Read-only file system');
  });

  test('runs on the Node that the Dockerfile names, which has nothing to warn of', async () => {
    const { stdout } = await docker.dockerOk(['exec', proxy.id, 'node', '--version']);
    expect(`node:${/^v(\d+)\./.exec(stdout)?.[1]}`).toBe(base.split('-')[0]);
    const demo = ['run', '--rm', '--network', 'host', '--tmpfs', '/tmp', IMAGE, 'demo', '--once'];
    expect((await docker.dockerOk(demo)).stderr).toBe('');
  });

  test('answers on the pull port, and reaches the registry behind it', async () => {
    expect((await fetch(`${proxy.registry}/v2/`)).status).toBe(200);
  });

  test('its health check turns healthy', async () => {
    const format = ['inspect', '--format', '{{json .State.Health}}', proxy.id];
    const deadline = Date.now() + HEALTHY_DEADLINE;
    let health = '';
    while (Date.now() < deadline && !health.includes('"Status":"healthy"')) {
      await delay(200);
      health = (await docker.dockerOk(format)).stdout;
    }
    expect(health).toContain('"Status":"healthy"');
  });

  test('says which version and revision it is', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const metrics = await (await fetch(`${proxy.admin}/metrics`)).text();
    expect(metrics).toContain(`pullwarden_build_info{version="${version}",revision="f00dcafe"`);
  });

  test('holds the production dependencies and nothing of the tools, the tests or the source', async () => {
    const { dependencies, devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const modules = await listOf(docker, '/app/node_modules');
    for (const name of Object.keys(dependencies)) expect(modules).toContain(name.split('/')[0]);
    for (const name of Object.keys(devDependencies)) {
      // A scope may be shared with a production dependency; no package name is.
      if (!name.startsWith('@')) expect(modules).not.toContain(name);
    }
    for (const scope of ['@biomejs', '@swc', '@jest', '@types']) expect(modules).not.toContain(scope);
    expect(await listOf(docker, '/app')).toEqual(['dist', 'node_modules', 'package.json']);
  });

  test('is described by its ports, its volume and its stop signal', async () => {
    const { stdout } = await docker.dockerOk(['image', 'inspect', '--format', '{{json .Config}}', IMAGE]);
    expect(JSON.parse(stdout)).toMatchObject({
      User: '65532:65532',
      ExposedPorts: { '5050/tcp': {}, '9150/tcp': {} },
      Volumes: { '/var/lib/pullwarden': {} },
      StopSignal: 'SIGTERM',
    });
  });

  // The last one: it ends the container the others look at.
  test('ends by itself when it is told to stop', async () => {
    await docker.dockerOk(['stop', '--time', '20', proxy.id]);
    const { stdout } = await docker.dockerOk(['inspect', '--format', '{{.State.ExitCode}}', proxy.id]);
    expect(stdout.trim()).toBe('0');
  });
});

/** Starts it the way a careful operator does: everything taken away that it does not need. */
async function runProxy(docker: DockerClient, upstream: string): Promise<Running> {
  const [port, adminPort] = [await findFreePort(), await findFreePort()];
  const folder = await makeTempDir('etc');
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'pullwarden'));
  await writeFile(join(folder, 'pullwarden', 'pullwarden.yaml'), configuration(port, adminPort, upstream));
  const admin = `http://127.0.0.1:${adminPort}`;
  const { stdout } = await docker.dockerOk([
    ...['run', '--detach', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--network', 'host', '--volume', `${join(folder, 'pullwarden')}:/etc/pullwarden:ro`],
    ...['--health-interval', '1s', '--env', `PULLWARDEN_HEALTH_URL=${admin}/livez`, IMAGE],
  ]);
  const proxy = { id: stdout.trim(), admin, registry: `http://127.0.0.1:${port}` };
  await untilAlive(docker, proxy);
  return proxy;
}

function configuration(port: number, adminPort: number, upstream: string): string {
  return JSON.stringify({
    listen: { address: '127.0.0.1', port },
    admin: { address: '127.0.0.1', port: adminPort },
    defaultRegistry: 'registry.example.com',
    registries: [
      {
        name: 'registry.example.com',
        upstream,
        auth: 'passthrough',
        trust: { server: 'https://notary.example.com', auth: 'anonymous' },
      },
    ],
    trust: { state: { kind: 'file', path: '/var/lib/pullwarden' }, firstUse: 'accept' },
    policy: {
      unmatched: 'deny',
      rules: [{ name: 'all', match: 'registry.example.com/**', mode: 'enforce' }],
    },
    log: { level: 'info', format: 'json' },
  });
}

async function untilAlive(docker: DockerClient, { id, admin }: Running): Promise<void> {
  const deadline = Date.now() + HEALTHY_DEADLINE;
  while (Date.now() < deadline) {
    const alive = await fetch(`${admin}/livez`).then(
      (response) => response.ok,
      () => false,
    );
    if (alive) return;
    await delay(100);
  }
  const { stdout, stderr } = await docker.docker(['logs', id]);
  throw new Error(`the container is not alive:\n${stdout}${stderr}`);
}

async function listOf(docker: DockerClient, folder: string): Promise<readonly string[]> {
  const run = ['run', '--rm', '--network', 'host', '--entrypoint', 'ls', IMAGE, '-1', folder];
  return (await docker.dockerOk(run)).stdout.trim().split('\n');
}
