/** Other doors to a private repository: the proxy as a daemon's mirror, and as a trust server. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { signTags } from './authorization/publish.ts';
import { CODENAME, PRIVATE, SHARED, startWorld, TAG, type World } from './authorization/world.ts';
import { type Answer, ask, reasonOf } from './http.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir } from './process.ts';
import { type RunningProxy, startProxy } from './proxy.ts';

const DOCKERD = 'docker/20.10.24 go/go1.18.1 kernel/6.1.0 os/linux arch/amd64';

describeReal('other doors', ['docker-registry', 'notary-server', 'notary', 'openssl'], () => {
  let world: World;
  let alice: Readonly<Record<string, string>>;
  let bob: Readonly<Record<string, string>>;

  beforeAll(async () => {
    world = await startWorld();
    const toHeaders = async (account: World['alice']) => ({
      authorization: `Bearer ${await world.tokens.tokenFor(account, [PRIVATE, SHARED])}`,
    });
    [alice, bob] = [await toHeaders(world.alice), await toHeaders(world.bob)];
  }, SETUP_TIMEOUT);

  test("what a daemon's mirror holds for alice, the configuration too, it gives to nobody else", async () => {
    const { registry, trust, notary, images } = world;
    const { manifest, config, layer } = images.private;
    await signTags(notary, `docker.io/${PRIVATE}`, [TAG], manifest);
    const { url, metrics } = await startProxy({
      registry: { address: 'docker.io', url: registry.url },
      trust,
    });
    const get = (path: string, headers: Readonly<Record<string, string>>): Promise<Answer> =>
      ask(`${url}/v2/${PRIVATE}/${path}`, { headers: { ...headers, 'user-agent': DOCKERD } });
    const served = [
      [`manifests/${TAG}`, manifest],
      [`manifests/${manifest.digest}`, manifest],
      [`blobs/${config.digest}`, config],
      [`blobs/${layer.digest}`, layer],
    ] as const;
    const expectNone = async (): Promise<void> => {
      for (const headers of [bob, {}]) {
        for (const [path] of served) {
          const answer = await get(path, headers);
          expect([path, answer.status, answer.headers['docker-content-digest']]).toEqual([
            path,
            503,
            undefined,
          ]);
          expect(answer.phrase).toContain('the registry asks for other credentials (401) (no such process)');
          expect(reasonOf(answer)).toContain('authentication required');
        }
      }
    };
    await expectNone();
    for (let round = 0; round < 2; round += 1) {
      for (const [path, { bytes }] of served) expect(await get(path, alice)).toMatchObject({ body: bytes });
    }
    // The manifest twice and the configuration twice came from memory, and only the layer from the registry.
    const [, asked] = /outcome="ok"\} (\d+)$/m.exec(await registryLine(await metrics())) ?? [];
    expect(Number(asked)).toBe(4);
    await expectNone();
  });

  describe('trust data', () => {
    const pathOf = (repository: string): string =>
      `/v2/${world.registry.address}/${repository}/_trust/tuf/targets.json`;

    test('is as open as the trust server itself, which asks nobody here', async () => {
      const { registry, trust } = world;
      const proxy = await startProxy({ registry, trust });
      const own = await trust.fetchFile(`${registry.address}/${PRIVATE}`, 'targets.json');
      expect(own.body.toString()).toContain(CODENAME);
      for (const headers of [alice, bob, {}]) {
        expect((await ask(proxy.url + pathOf(PRIVATE), { headers })).body).toEqual(own.body);
      }
    });

    test('that is read with an account of the proxy is for those alone whom the registry lately let in', async () => {
      const proxy = await startWithAccount();
      const status = async (repository: string, headers: Readonly<Record<string, string>>) => {
        const answer = await ask(proxy.url + pathOf(repository), { headers });
        if (answer.status !== 200) expect(answer.body.toString()).not.toContain(CODENAME);
        return answer.status;
      };
      expect([await status(PRIVATE, alice), await status(PRIVATE, bob)]).toEqual([403, 403]);
      await pull(proxy, PRIVATE, alice);
      await pull(proxy, SHARED, bob);
      await pull(proxy, PRIVATE, bob);
      expect([await status(PRIVATE, alice), await status(SHARED, bob)]).toEqual([200, 200]);
      for (const headers of [bob, {}]) expect(await status(PRIVATE, headers)).toBe(403);
    });
  });

  const pull = (proxy: RunningProxy, repository: string, headers: Readonly<Record<string, string>>) =>
    ask(`${proxy.url}/v2/${repository}/manifests/${TAG}`, { headers });

  const startWithAccount = async (): Promise<RunningProxy> => {
    const { registry, trust } = world;
    const passwordFile = join(await makeTempDir('secret'), 'password');
    await writeFile(passwordFile, 'any\n');
    const { address: name, url: upstream } = registry;
    const account = { username: 'reader', passwordFile };
    const registries = [{ name, upstream, trust: { server: trust.url, ca: trust.caFile, auth: account } }];
    return await startProxy({ registry, trust, settings: { registries } });
  };
});

function registryLine(metrics: string): string {
  return (
    metrics
      .split('\n')
      .find((line) => /^pullwarden_upstream_requests_total\{.*kind="registry",outcome="ok"/.test(line)) ?? ''
  );
}
