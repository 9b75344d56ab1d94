import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { type Dockerd, startDockerd } from './dockerd.ts';
import { ask, toBasic } from './http.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir } from './process.ts';
import { type RunningProxy, startProxy } from './proxy.ts';
import { READER, type Registry, startRegistry } from './registry.ts';
import { ContainersClient } from './skopeo-podman.ts';

const STRANGER = { username: 'reader', password: 'not-the-password-at-all' };
const CREDENTIALS = `${READER.username}:${READER.password}`;

describeReal(
  'a registry with accounts',
  ['docker-registry', 'notary-server', 'dockerd', 'docker', 'openssl', 'skopeo'],
  () => {
    let registry: Registry;
    let trust: NotaryServer;
    let daemon: Dockerd;
    let digest: string;
    let layer: string;

    beforeAll(async () => {
      [registry, trust, daemon] = await Promise.all([
        startRegistry({ htpasswd: READER.htpasswd }),
        startNotaryServer(),
        startDockerd(),
      ]);
      const publisher = await DockerClient.create({ host: daemon.host, trust });
      const repository = `${registry.address}/private/app`;
      await login(publisher, registry.address, READER);
      await publisher.trustSignerAdd('jeff', await publisher.trustKeyGenerate('jeff'), repository);
      await publisher.importImage(`${repository}:1`, 'private content');
      await publisher.trustSign(`${repository}:1`);
      digest = (await publisher.push(`${repository}:1`)).digest;
      const manifest = await ask(`${registry.url}/v2/private/app/manifests/${digest}`, {
        headers: {
          authorization: toBasic(READER),
          accept: 'application/vnd.docker.distribution.manifest.v2+json',
        },
      });
      layer = JSON.parse(manifest.body.toString()).layers[0].digest;
      await publisher.dockerOk(['image', 'rm', '--force', `${repository}:1`]);
    }, SETUP_TIMEOUT);

    describe('auth: passthrough', () => {
      let proxy: RunningProxy;
      let docker: DockerClient;

      const paths = (): readonly string[] =>
        [`manifests/1`, `manifests/${digest}`, `blobs/${layer}`, 'tags/list'].map(
          (path) => `/v2/private/app/${path}`,
        );
      const expectChallenge = async (headers: Readonly<Record<string, string>>): Promise<void> => {
        for (const path of ['/v2/', ...paths()]) {
          for (const method of ['GET', 'HEAD'] as const) {
            const [ours, theirs] = await Promise.all([
              ask(`${proxy.url}${path}`, { method, headers }),
              // By digest, because the proxy asks for nothing by tag.
              ask(`${registry.url}${path.replace('manifests/1', `manifests/${digest}`)}`, {
                method: 'GET',
                headers,
              }),
            ]);
            const challenge = ours.headers['www-authenticate'];
            expect([path, method, ours.status, challenge]).toEqual([path, method, 401, 'Basic realm="test"']);
            expect(challenge).toBe(theirs.headers['www-authenticate']);
            expect(ours.body.toString()).toBe(method === 'HEAD' ? '' : theirs.body.toString());
          }
        }
      };

      beforeAll(async () => {
        proxy = await startProxy({ registry, trust });
        docker = await DockerClient.create({ host: daemon.host });
      });

      test('without login the challenge comes through unchanged and nothing is served', async () => {
        await expectChallenge({});
        const pulled = await docker.pull(`${proxy.address}/private/app:1`);
        expect(pulled).toMatchObject({ status: 1, stderr: expect.stringContaining('no basic auth') });
      });

      test('a wrong password is refused, at login and at a pull', async () => {
        const refused = await docker.docker(loginArguments(proxy.address, STRANGER));
        expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('401 Unauthorized') });
        await expectChallenge({ authorization: toBasic(STRANGER) });
      });

      test('after docker login the signed image is pulled', async () => {
        await login(docker, proxy.address, READER);
        const pulled = await docker.pull(`${proxy.address}/private/app:1`);
        expect(pulled).toMatchObject({ status: 0, stdout: expect.stringContaining(digest) });
        const unsigned = await docker.pull(`${proxy.address}/private/app:2`);
        expect(unsigned.stderr).toContain('private/app:2 is not signed');
        expect(unsigned.stderr).toContain('or pull a signed tag: 1');
      });

      test('skopeo pulls with credentials, and without them does not', async () => {
        const containers = await ContainersClient.create([{ location: proxy.address }]);
        const image = `docker://${proxy.address}/private/app:1`;
        const inspect = (...creds: readonly string[]) => containers.skopeo(['inspect', ...creds, image]);
        expect(await inspect('--creds', CREDENTIALS)).toMatchObject({ status: 0 });
        const refused = await inspect();
        expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('unauthorized') });
      });

      test('what is warm for one user is not served to another', async () => {
        const warm = await ask(`${proxy.url}/v2/private/app/manifests/1`, {
          headers: { authorization: toBasic(READER) },
        });
        expect(warm.status).toBe(200);
        expect(await proxy.metrics()).toMatch(
          /^pullwarden_cache_requests_total\{cache="manifest",result="hit"\} [1-9]/m,
        );
        await expectChallenge({});
        await expectChallenge({ authorization: toBasic(STRANGER) });
        const anonymous = await ask(`${proxy.url}/v2/private/app/manifests/2`);
        expect(anonymous.body.toString()).not.toContain('signed tag: 1');
      });

      test('no credential is in its log or its metrics', async () => {
        expectNoSecrets(proxy.log());
        expectNoSecrets(await proxy.metrics());
      });
    });

    describe("the proxy's own account", () => {
      const startWith = async (password: string): Promise<RunningProxy> => {
        const passwordFile = join(await makeTempDir('secret'), 'password');
        await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
        return await startProxy({ registry, trust, auth: { username: READER.username, passwordFile } });
      };

      test('clients without credentials, or with ones of their own, pull what is signed and nothing else', async () => {
        const proxy = await startWith(READER.password);
        const docker = await DockerClient.create({ host: daemon.host });
        const pulled = await docker.pull(`${proxy.address}/private/app:1`);
        expect(pulled).toMatchObject({ status: 0, stdout: expect.stringContaining(digest) });
        expect((await docker.pull(`${proxy.address}/private/app:2`)).stderr).toContain('is not signed');
        const headers = { authorization: toBasic(STRANGER) };
        for (const path of ['manifests/1', `manifests/${digest}`, `blobs/${layer}`, 'tags/list']) {
          const answer = await ask(`${proxy.url}/v2/private/app/${path}`, { headers });
          expect([path, answer.status]).toEqual([path, 200]);
        }
        expectNoSecrets(proxy.log());
        await proxy.stop();
      });

      test('when its password is wrong nobody is asked to log in', async () => {
        const proxy = await startWith(STRANGER.password);
        for (const path of ['manifests/1', `manifests/${digest}`, `blobs/${layer}`, 'tags/list']) {
          const answer = await ask(`${proxy.url}/v2/private/app/${path}`);
          expect([path, answer.status, answer.headers['www-authenticate']]).toEqual([path, 502, undefined]);
        }
        expectNoSecrets(proxy.log());
        await proxy.stop();
      });
    });
  },
);

type Account = { readonly username: string; readonly password: string };

function loginArguments(address: string, { username, password }: Account): readonly string[] {
  return ['login', '--username', username, '--password', password, address];
}

async function login(docker: DockerClient, address: string, account: Account): Promise<void> {
  await docker.dockerOk(loginArguments(address, account));
}

function expectNoSecrets(text: string): void {
  expect(text).not.toBe('');
  for (const account of [READER, STRANGER]) {
    expect(text).not.toContain(account.password);
    expect(text).not.toContain(toBasic(account).slice('Basic '.length));
  }
}
