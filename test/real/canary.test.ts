/**
 * `pullwarden canary` with the real clients: enforced behind the proxy, bypassed where a client reaches a registry itself,
 * and inconclusive where the pull failed for another reason. Not run for want of programs: crictl and nerdctl.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { CANARY, type CanaryWorld, runCanary, startCanaryWorld } from './canary-world.ts';
import { type Containerd, startContainerd, writeHostsDir } from './containerd.ts';
import { DockerClient } from './docker.ts';
import { startDockerd, unmountBelow } from './dockerd.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, onCleanUp } from './process.ts';
import { type Relay, startRelay } from './sticky/relay.ts';

type Env = Readonly<Record<string, string>>;

const SENTENCE = `this proxy's test image, ${CANARY}, is always refused: this client goes through the proxy`;
const ENFORCED = { status: 0, result: 'enforced', says: expect.stringContaining(SENTENCE) };
const NOTHING_ANSWERS = '127.0.0.1:1';

describeReal('canary of dockerd', ['dockerd', 'docker', 'openssl'], () => {
  let world: CanaryWorld;
  let mirror: Relay;
  let mirrored: Env;
  let proxied: Env;

  beforeAll(async () => {
    world = await startCanaryWorld();
    mirror = await startRelay(world.proxy);
    const [behindMirror, behindProxy] = await Promise.all([
      startDockerd({ registryMirror: mirror.url, env: world.egress.env }),
      startDockerd({ env: world.throughProxy }),
    ]);
    const home = await makeTempDir('home');
    mirrored = { HOME: home, DOCKER_HOST: behindMirror.host };
    proxied = { HOME: home, DOCKER_HOST: behindProxy.host };
  }, SETUP_TIMEOUT);

  test('enforced through HTTPS_PROXY, as registry host and behind a bare mirror, which the proxy counts', async () => {
    const config = ['--config', world.configFile];
    expect(await runCanary('docker', proxied, ...config)).toMatchObject({
      ...ENFORCED,
      command: `docker pull ${CANARY}`,
    });
    expect(await runCanary('docker', mirrored, ...config)).toMatchObject(ENFORCED);
    expect(
      await runCanary('docker', mirrored, '--proxy', world.proxy, '--as', 'registry-host'),
    ).toMatchObject({ ...ENFORCED, image: `${new URL(world.proxy).host}/${CANARY}` });
    expect(world.egress.look()).toEqual([]);
    const metrics = await world.metrics();
    expect(metrics).toMatch(/^pullwarden_canary_refused_total [3-9]/m);
    expect(metrics).toMatch(/^pullwarden_canary_last_refused_timestamp_seconds 1\d{9}/m);
  });

  test('bypassed where it asks a registry itself, and the image that stays behind is named', async () => {
    const image = `${world.open}/library/hello-world:linux`;
    expect(await runCanary('docker', mirrored, '--image', image)).toMatchObject({
      status: 3,
      result: 'bypassed',
      next: expect.stringContaining(`to remove the image: docker image rm ${image}`),
    });
    const docker = await DockerClient.create({ host: mirrored['DOCKER_HOST'] ?? '' });
    await docker.dockerOk(['image', 'rm', image]);
  });

  test('inconclusive where it goes on to Docker Hub after the refusal, or no daemon answers', async () => {
    mirror.hideAgents(true);
    const report = await runCanary('docker', mirrored, '--image', CANARY);
    mirror.hideAgents(false);
    expect(report).toMatchObject({ status: 1, result: 'inconclusive' });
    expect(report.says).toContain('https://registry-1.docker.io/v2/');
    expect(world.egress.look()).toEqual(['registry-1.docker.io:443']);
    const nowhere = { ...mirrored, DOCKER_HOST: `tcp://${NOTHING_ANSWERS}` };
    expect(await runCanary('docker', nowhere, '--image', CANARY)).toMatchObject({
      status: 1,
      result: 'inconclusive',
      says: expect.stringContaining('Cannot connect to the Docker daemon'),
    });
  });
});

describeReal('canary of containerd', ['containerd', 'ctr', 'openssl'], () => {
  let world: CanaryWorld;
  let containerd: Containerd;

  beforeAll(async () => {
    world = await startCanaryWorld();
    containerd = await startContainerd({});
  }, SETUP_TIMEOUT);

  const canary = async (hostsToml: string) => {
    const env = {
      ...world.egress.env,
      CONTAINERD_ADDRESS: containerd.address,
      CONTAINERD_NAMESPACE: 'test',
      CONTAINERD_SNAPSHOTTER: 'native',
    };
    const hosts = await writeHostsDir(hostsToml);
    return await runCanary('ctr', env, '--config', world.configFile, '--', '--hosts-dir', hosts);
  };
  const host = (address: string) => `[host."http://${address}"]\n  capabilities = ["pull", "resolve"]\n`;

  test('enforced, with and without an upstream behind the proxy', async () => {
    const behind = host(new URL(world.proxy).host);
    expect(await canary(`server = "${world.proxy}"\n${behind}`)).toMatchObject(ENFORCED);
    expect(await canary(behind)).toMatchObject(ENFORCED);
    expect(world.egress.look()).toEqual([]);
  });

  test('bypassed where hosts.toml names an open registry', async () => {
    expect(await canary(host(world.open))).toMatchObject({
      status: 3,
      result: 'bypassed',
      next: expect.stringContaining(`to remove the image: ctr images rm ${CANARY}`),
    });
  });

  test('inconclusive where nothing answers', async () => {
    const nobody = await canary(`server = "http://${NOTHING_ANSWERS}"\n${host(NOTHING_ANSWERS)}`);
    expect(nobody).toMatchObject({ status: 1, result: 'inconclusive' });
    expect(nobody.says).toContain('connection refused');
  });
});

describeReal('canary of containers/image', ['skopeo', 'podman', 'buildah', 'openssl'], () => {
  let world: CanaryWorld;

  beforeAll(async () => {
    world = await startCanaryWorld();
  }, SETUP_TIMEOUT);

  /** A node whose registries.conf says this. */
  const createNode = async (registriesConf: string): Promise<Env> => {
    const home = await makeTempDir('node');
    onCleanUp(() => unmountBelow(home));
    const folder = join(home, '.config', 'containers');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'registries.conf'), registriesConf);
    await writeFile(join(folder, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    const storage = join(home, 'storage.conf');
    const [root, run] = [join(home, 'root'), join(home, 'run')];
    await writeFile(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${root}"\nrunroot = "${run}"\n`);
    return { ...world.egress.env, HOME: home, TMPDIR: home, CONTAINERS_STORAGE_CONF: storage };
  };
  const mirror = (address: string, isBlocked: boolean) =>
    `[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\nblocked = ${isBlocked}\n` +
    `[[registry.mirror]]\nlocation = "${address}"\ninsecure = true\n`;

  describe.each(['skopeo', 'podman', 'buildah'])('%s', (client) => {
    const canary = (env: Env) => runCanary(client, env, '--config', world.configFile);

    test('enforced through HTTPS_PROXY, and behind a mirror of a blocked registry', async () => {
      expect(await canary({ ...(await createNode('')), ...world.throughProxy })).toMatchObject(ENFORCED);
      const { host } = new URL(world.proxy);
      expect(await canary(await createNode(mirror(host, true)))).toMatchObject(ENFORCED);
      expect(world.egress.look()).toEqual([]);
    });

    test('inconclusive where it goes on after the refusal, though it shows that', async () => {
      const { host } = new URL(world.proxy);
      const report = await canary(await createNode(mirror(host, false)));
      expect(report).toMatchObject({ ...ENFORCED, status: 1, result: 'inconclusive' });
      expect(report.because).toContain('tried another registry');
      expect(world.egress.look()).toContain('registry-1.docker.io:443');
    });

    test('bypassed where the mirror is an open registry; inconclusive where nothing answers', async () => {
      expect(await canary(await createNode(mirror(world.open, true)))).toMatchObject({
        status: 3,
        result: 'bypassed',
      });
      expect(await canary(await createNode(mirror(NOTHING_ANSWERS, true)))).toMatchObject({
        status: 1,
        result: 'inconclusive',
      });
    });
  });
});
