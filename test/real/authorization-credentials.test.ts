/** Where credentials go, and where they do not: one registry's never reach another server. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { bearerAccess } from '../../proxy/demo/access.ts';
import { RegistryServer } from '../../proxy/demo/registry.ts';
import { TokenServer } from '../simulators/token-server.ts';
import { type Caller, createCallers } from './authorization/callers.ts';
import { credentialsIn, startRecording } from './authorization/recording.ts';
import type { Account } from './authorization/token-server.ts';
import { take, waysTo, whyNotServed } from './authorization/ways.ts';
import { CODENAME, PRIVATE, SHARED, startWorld, TAG, type World } from './authorization/world.ts';
import { type Answer, ask, toBasic } from './http.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { makeTempDir, onCleanUp } from './process.ts';
import { startProxy } from './proxy.ts';

describeReal('credentials', ['docker-registry', 'notary-server', 'notary', 'openssl'], () => {
  let world: World;
  let callers: readonly Caller[];
  let hers: string;

  beforeAll(async () => {
    world = await startWorld();
    callers = await createCallers(world);
    hers = `Bearer ${await world.tokens.tokenFor(world.alice, [PRIVATE, SHARED])}`;
  }, SETUP_TIMEOUT);

  const toFile = async (text: string): Promise<string> => {
    const file = join(await makeTempDir('secret'), 'password');
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return file;
  };
  const asAccount = async ({ username, password }: Account) => ({
    username,
    passwordFile: await toFile(password),
  });
  const get = (url: string, authorization?: string): Promise<Answer> =>
    ask(url, { headers: authorization === undefined ? {} : { authorization } });

  test("with the proxy's own account everybody reads what it may read, and nobody's own credentials are sent on", async () => {
    const { registry, trust, tokens, robot, images } = world;
    const [front, notary] = await Promise.all([startRecording(registry), startRecording(trust)]);
    const proxy = await startProxy({
      registry: { address: registry.address, url: front.url },
      trust: { url: notary.url, caFile: trust.caFile },
      auth: await asAccount(robot),
      tokenServer: new URL(tokens.url).host,
    });
    const [asked, issued] = [tokens.requests.length, tokens.issued.length];
    for (const way of waysTo(images.private, [TAG, CODENAME])) {
      const answers = await Promise.all(callers.map((one) => take(proxy.url, way, one)));
      expect([way.path, answers.map((answer) => whyNotServed(answer, way))]).toEqual([
        way.path,
        callers.map(() => undefined),
      ]);
    }
    const ours = tokens.issued.slice(issued).map((token) => `Bearer ${token}`);
    expect(ours.length).toBeGreaterThan(0);
    expect([...credentialsIn(front.requests)].sort()).toEqual([undefined, ...ours].sort());
    expect([...credentialsIn(tokens.requests.slice(asked))]).toEqual([toBasic(robot)]);
    expect([...credentialsIn(notary.requests)]).toEqual([undefined]);
    expect(proxy.log()).not.toContain(robot.password);
    for (const token of tokens.issued.slice(issued)) expect(proxy.log()).not.toContain(token);
  });

  test('of several registries each sees those that came with a request for it, and the trust server none', async () => {
    const { registry, trust, tokens, images } = world;
    const [first, notary] = await Promise.all([startRecording(registry), startRecording(trust)]);
    const carol = { username: 'carol', password: 'caroline-carol' };
    const robot = { username: 'robot-c', password: 'machine-robot-c' };
    const [second, third] = [await startOther(carol), await startOther(robot)];
    const own = await asAccount(robot);
    const trusted = { server: notary.url, auth: 'anonymous' };
    const proxy = await startProxy({
      registry,
      trust,
      settings: {
        registries: [
          { name: registry.address, upstream: first.url, trust: trusted },
          { name: 'second.test', upstream: second.server.url, trust: trusted },
          {
            name: 'third.test',
            upstream: third.server.url,
            auth: own,
            tokenServer: new URL(third.tokens.url).host,
            trust: trusted,
          },
        ],
        policy: {
          rules: [registry.address, 'second.test', 'third.test'].map((name, index) => ({
            name: `rule-${index}`,
            match: `${name}/**`,
            mode: 'enforce',
          })),
        },
      },
    });
    const carols = `Bearer ${await second.token()}`;
    const before = [tokens, second.tokens].map(({ requests }) => requests.length);
    const { manifest, layer } = images.private;
    for (let round = 0; round < 2; round += 1) {
      for (const path of [`manifests/${TAG}`, `manifests/${manifest.digest}`, `blobs/${layer.digest}`]) {
        expect((await get(`${proxy.url}/v2/${PRIVATE}/${path}`, hers)).status).toBe(200);
        expect((await get(`${proxy.url}/v2/${PRIVATE}/${path}?ns=${registry.address}`, hers)).status).toBe(
          200,
        );
      }
      expect((await get(`${proxy.url}/v2/`, hers)).status).toBe(200);
      for (const name of ['second.test', 'third.test']) {
        const file = `${proxy.url}/v2/${name}/team/app/_trust/tuf/root.json`;
        expect((await get(file, hers)).status).toBe(404);
      }
      const { path } = second;
      expect((await get(`${proxy.url}/v2/second.test/${path}`, carols)).status).toBe(200);
      expect((await get(`${proxy.url}/v2/${path}?ns=second.test`, carols)).status).toBe(200);
      // To this one the proxy goes with its own account, whoever asks.
      for (const authorization of [hers, carols, undefined]) {
        expect((await get(`${proxy.url}/v2/third.test/${path}`, authorization)).status).toBe(200);
      }
    }
    expect([...credentialsIn(first.requests)]).toEqual([hers]);
    expect([...credentialsIn(second.server.requests)]).toEqual([carols]);
    const ofThird = [...credentialsIn(third.server.requests)];
    expect(ofThird).not.toContain(hers);
    expect(ofThird).not.toContain(carols);
    expect([...credentialsIn(third.tokens.requests)]).toEqual([toBasic(robot)]);
    expect([...credentialsIn(notary.requests)]).toEqual([undefined]);
    // Clients ask token servers themselves; the proxy does for its own account alone.
    expect([tokens, second.tokens].map(({ requests }) => requests.length)).toEqual(before);
    const elsewhere = [second.server, third, notary].map((one) => JSON.stringify(one));
    for (const text of elsewhere) expect(text).not.toContain(hers.slice('Bearer '.length));
  });
});

const OTHER_SERVICE = 'other.test';
const OTHER_REPOSITORY = 'team/app';

/** A registry that one account may read, and its token server. */
async function startOther(account: Account) {
  const repositories = { [OTHER_REPOSITORY]: ['pull'] };
  const tokens = new TokenServer({
    users: { [account.username]: { password: account.password, repositories } },
  });
  await tokens.start();
  const server = new RegistryServer({ access: bearerAccess(tokens, OTHER_SERVICE) });
  await server.start();
  onCleanUp(async () => void (await Promise.all([server.stop(), tokens.stop()])));
  const { digest } = server.pushImage(OTHER_REPOSITORY, TAG);
  const token = async (): Promise<string> => {
    const query = new URLSearchParams({
      service: OTHER_SERVICE,
      scope: `repository:${OTHER_REPOSITORY}:pull`,
    });
    const answer = await fetch(`${tokens.realm}?${query}`, { headers: { authorization: toBasic(account) } });
    return ((await answer.json()) as { readonly token: string }).token;
  };
  return { server, tokens, path: `${OTHER_REPOSITORY}/manifests/${digest}`, token };
}
