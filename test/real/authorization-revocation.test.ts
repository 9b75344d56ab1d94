/** A right that was withdrawn ends within the documented time (README.md, "Who may read what"), warm proxy or not. */
import { beforeAll, expect, test } from '@jest/globals';
import { LEEWAY_SECONDS } from './authorization/token-server.ts';
import { PRIVATE, SHARED, startWorld, TAG, type World } from './authorization/world.ts';
import { type Answer, ask } from './http.ts';
import { runInProcess } from './in-process.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { until, writeConfig } from './proxy.ts';

/** What README.md promises, in milliseconds. */
const DOCUMENTED = 60_000;
/** For so long the registry takes alice's token: long enough to pull a few things, in seconds. */
const TOKEN_SECONDS = 5;

describeReal('a grant that is withdrawn', ['docker-registry', 'notary-server', 'notary', 'openssl'], () => {
  let world: World;
  /** The proxy's time, which stands still unless it is moved. */
  let clock = 0;
  let base: string;

  const paths = (): Readonly<Record<'tag' | 'digest' | 'layer' | 'config' | 'list', string>> => {
    const { manifest, layer, config } = world.images.private;
    return {
      tag: `manifests/${TAG}`,
      digest: `manifests/${manifest.digest}`,
      layer: `blobs/${layer.digest}`,
      config: `blobs/${config.digest}`,
      list: 'tags/list',
    };
  };
  const get = (server: string, path: string, token: string): Promise<Answer> =>
    ask(`${server}/v2/${PRIVATE}/${path}`, { headers: { authorization: `Bearer ${token}` } });
  const statuses = async (token: string): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(paths()).map(async ([name, path]) => [name, (await get(base, path, token)).status]),
      ),
    );

  beforeAll(async () => {
    world = await startWorld();
    const { registry, trust } = world;
    const configFile = await writeConfig({ registry, trust });
    const { port } = await runInProcess(configFile, { monotonic: () => clock });
    base = `http://127.0.0.1:${port}`;
  }, SETUP_TIMEOUT);

  test('counts at once for what is not in memory, and after the documented time for what is', async () => {
    const { tokens, alice, registry } = world;
    tokens.lifetimeSeconds = TOKEN_SECONDS - LEEWAY_SECONDS;
    const token = await tokens.tokenFor(alice, [PRIVATE]);
    const all = { tag: 200, digest: 200, layer: 200, config: 200, list: 200 };
    expect(await statuses(token)).toEqual(all);
    tokens.withdraw(alice, PRIVATE);
    tokens.lifetimeSeconds = 300;

    // The token itself goes on until it expires; then the registry says no.
    const refused = await until(
      () => get(registry.url, paths().digest, token),
      ({ status }) => status === 401,
    );
    const remembered = { tag: 200, digest: 200, layer: 401, config: 401, list: 401 };
    expect(await statuses(token)).toEqual(remembered);
    clock = DOCUMENTED - 1;
    expect(await statuses(token)).toEqual(remembered);

    const none = { tag: 401, digest: 401, layer: 401, config: 401, list: 401 };
    expect(await statuses(await tokens.tokenFor(alice, [PRIVATE, SHARED]))).toEqual(none);
    clock = DOCUMENTED;
    expect(await statuses(token)).toEqual(none);
    const [tag, digest] = [await get(base, paths().tag, token), await get(base, paths().digest, token)];
    for (const { headers, body } of [tag, digest]) {
      expect(headers['www-authenticate']).toBe(refused.headers['www-authenticate']);
      expect(body).toEqual(refused.body);
    }
  });

  test('ends for its owner alone: another account that still has it is served', async () => {
    const { tokens, robot } = world;
    const all = { tag: 200, digest: 200, layer: 200, config: 200, list: 200 };
    expect(await statuses(await tokens.tokenFor(robot, [PRIVATE]))).toEqual(all);
  });
});
