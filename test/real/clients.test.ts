/**
 * The files of `pullwarden clients`, taken by the real programs: a signed tag arrives with them, an unsigned one does
 * not, and nobody is asked but the proxy. Not run for want of programs: buildkitd, k3s, RKE2, CRI-O and systemd, whose
 * files are held by test/clients/ alone.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runClients } from '../../proxy/commands/clients.ts';
import { runDoctor } from '../../proxy/commands/doctor.ts';
import { GUN, startWorld, type World } from './clients-world.ts';
import { type Containerd, startContainerd } from './containerd.ts';
import { DockerClient } from './docker.ts';
import { startDockerd, unmountBelow } from './dockerd.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, onCleanUp, type Result, run } from './process.ts';
import { programOf } from './programs.ts';

const SIGNED = `${GUN}:1`;
const UNSIGNED = `${GUN}:unsigned`;
const quiet = { out: () => undefined, err: () => undefined };

describeReal(
  'the generated client files, in the real clients',
  [
    'docker-registry',
    'notary-server',
    'notary',
    'openssl',
    'dockerd',
    'docker',
    'containerd',
    'ctr',
    'skopeo',
    'podman',
  ],
  () => {
    let world: World;

    /** Writes the files of one client below a new folder, and has doctor look at them. */
    const generate = async (client: string, as?: string): Promise<string> => {
      const out = await makeTempDir(client);
      const { config, proxy, ca } = world;
      expect(await runClients(client, { config, proxy, ca, as, out }, quiet)).toBe(0);
      expect(await runDoctor({ config, proxy, root: out }, quiet)).toBe(0);
      return out;
    };

    beforeAll(async () => {
      world = await startWorld();
    }, SETUP_TIMEOUT);

    beforeEach(() => {
      world.egress.look();
    });

    const expectRefused = ({ status, stdout, stderr }: Result) => {
      expect(status).not.toBe(0);
      expect(`${stdout}${stderr}`).toContain('is not signed');
      expect(world.egress.look()).toEqual([]);
    };

    describe('containerd', () => {
      let out: string;
      let containerd: Containerd;

      beforeAll(async () => {
        out = await generate('containerd');
        containerd = await startContainerd(world.egress.env);
      }, SETUP_TIMEOUT);

      test('reads config.toml and takes config_path from it', async () => {
        const config = join(out, 'etc/containerd/config.toml');
        const dumped = await run(programOf('containerd'), ['--config', config, 'config', 'dump']);
        expect(dumped.stdout).toContain('config_path = "/etc/containerd/certs.d"');
      });

      test('pulls a signed tag', async () => {
        expect(await containerd.pull(SIGNED, join(out, 'etc/containerd/certs.d'))).toMatchObject({
          status: 0,
        });
        expect(world.egress.look()).toEqual([]);
      });

      test.each([UNSIGNED, 'registry-1.docker.io/admin/demo:unsigned', 'docker.io/library/none:1'])(
        'is refused %s, and asks nobody else',
        async (image) => {
          const { status, stderr } = await containerd.pull(image, join(out, 'etc/containerd/certs.d'));
          expect(status).not.toBe(0);
          expect(stderr).toMatch(/ 403 |not signed/);
          expect(world.egress.look()).toEqual([]);
        },
      );

      test('is refused a registry that is not configured', async () => {
        expect(
          (await containerd.pull('quay.io/team/app:1', join(out, 'etc/containerd/certs.d'))).status,
        ).not.toBe(0);
        expect(world.egress.look()).toEqual([]);
      });

      test('without the files goes to Docker Hub, which the recorder sees', async () => {
        expect((await containerd.pull(UNSIGNED, await makeTempDir('no-hosts'))).status).not.toBe(0);
        expect(world.egress.look()).toContain('registry-1.docker.io:443');
      });
    });

    describe.each(['mirror', 'remap'])('containers/image with registries.conf as %s', (as) => {
      let conf: string;
      let policy: string;
      let certificates: string;
      let folder: string;

      beforeAll(async () => {
        const out = await generate('podman', as);
        conf = join(out, 'etc/containers/registries.conf.d/999-pullwarden.conf');
        policy = join(out, 'etc/containers/policy.json');
        certificates = await makeTempDir('certs.d');
        await writeFile(join(certificates, 'ca.crt'), await readFile(world.ca));
        folder = await makeTempDir('podman-store');
        onCleanUp(() => unmountBelow(folder));
      });

      const podman = (image: string, ...options: readonly string[]) => {
        const store = [
          '--root',
          join(folder, 'root'),
          '--runroot',
          join(folder, 'run'),
          '--storage-driver',
          'vfs',
        ];
        const pull = [
          'pull',
          '--quiet',
          '--signature-policy',
          policy,
          '--cert-dir',
          certificates,
          ...options,
          image,
        ];
        const env = { ...world.egress.env, HOME: folder, TMPDIR: folder, CONTAINERS_REGISTRIES_CONF: conf };
        return run(programOf('podman'), [...store, ...pull], { env });
      };
      const skopeo = async (image: string, ...options: readonly string[]) => {
        const to = await makeTempDir('skopeo');
        const from = [
          '--src-cert-dir',
          certificates,
          ...options.map((option) => option.replace('--', '--src-')),
        ];
        const copy = ['copy', ...from, `docker://${image}`, `dir:${to}`];
        const env = { ...world.egress.env, HOME: folder, TMPDIR: folder };
        return await run(programOf('skopeo'), ['--registries-conf', conf, '--policy', policy, ...copy], {
          env,
        });
      };

      test.each([
        ['podman', podman],
        ['skopeo', skopeo],
      ] as const)('%s pulls a signed tag under every name, and no other', async (_name, pull) => {
        expect(await pull(SIGNED)).toMatchObject({ status: 0 });
        expect(await pull('registry-1.docker.io/admin/demo:1')).toMatchObject({ status: 0 });
        expectRefused(await pull(UNSIGNED));
        expectRefused(await pull('registry-1.docker.io/admin/demo:unsigned'));
      });

      test('a registry that is not named is refused by the policy', async () => {
        for (const pull of [podman, skopeo]) {
          const { status, stderr } = await pull(`${world.upstream}/admin/demo:1`, '--tls-verify=false');
          expect(status).not.toBe(0);
          expect(stderr).toMatch(/rejected by policy|Source image rejected/);
        }
      });
    });

    describe('dockerd', () => {
      const start = async (as: string): Promise<DockerClient> => {
        const file = join(await generate('dockerd', as), 'etc/docker/daemon.json');
        const settings = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as object) : {};
        const { host } = await startDockerd({ settings: { ...settings }, env: world.egress.env });
        return await DockerClient.create({ host });
      };

      test('as mirror starts with daemon.json and pulls a signed tag', async () => {
        const docker = await start('mirror');
        expect(await docker.pull('admin/demo:1')).toMatchObject({ status: 0 });
        expect(await docker.repoDigests('admin/demo:1')).toEqual([world.digest]);
        expectRefused(await docker.pull('admin/demo:unsigned'));
      });

      test('as registry host pulls by the reference that is shown, and is told why it is refused', async () => {
        const docker = await start('registry-host');
        const repository = `${new URL(world.proxy).host}/${GUN}`;
        expect(await docker.pull(`${repository}:1`)).toMatchObject({ status: 0 });
        expectRefused(await docker.pull(`${repository}:unsigned`));
      });
    });
  },
);
