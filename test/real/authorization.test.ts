/**
 * Two accounts on a registry with token authentication: the second never gets what only the first may read, whatever
 * the proxy has in memory. `npm run test:real -- authorization` prints how many requests were judged.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Caller, createCallers } from './authorization/callers.ts';
import { runMix } from './authorization/mix.ts';
import { namesIn, take, type Way, waysTo, whyNotRefused, whyNotServed } from './authorization/ways.ts';
import { CODENAME, PRIVATE, SHARED, startWorld, TAG, UNSIGNED, type World } from './authorization/world.ts';
import { type Answer, ask, reasonOf } from './http.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type RunningProxy, startProxy } from './proxy.ts';

const REQUESTS = 1000;
const AT_A_TIME = 20;
const SEED = 6;

describeReal(
  'two accounts on a registry with token authentication',
  ['docker-registry', 'notary-server', 'notary', 'openssl'],
  () => {
    let world: World;
    let callers: readonly Caller[];
    let privateWays: readonly Way[];
    let sharedWays: readonly Way[];
    const words = new Map<string, Answer>();
    const keyOf = ({ name }: Caller, repository: string): string => `${name}|${repository}`;
    const wordFor = (caller: Caller, repository: string): Answer => {
      const word = words.get(keyOf(caller, repository));
      if (word === undefined) throw new Error(`the registry was not asked by ${caller.name}`);
      return word;
    };
    const caller = (name: string): Caller => {
      const found = callers.find((one) => one.name === name);
      if (found === undefined) throw new Error(`there is no caller ${name}`);
      return found;
    };
    const outsiders = (): readonly Caller[] => callers.filter(({ reads }) => !reads.includes(PRIVATE));

    beforeAll(async () => {
      world = await startWorld();
      callers = await createCallers(world);
      privateWays = waysTo(world.images.private, [TAG, CODENAME]);
      sharedWays = waysTo(world.images.shared, [TAG]);
      for (const one of callers) {
        for (const { repository, manifest } of Object.values(world.images)) {
          const url = `${world.registry.url}/v2/${repository}/manifests/${manifest.digest}`;
          words.set(keyOf(one, repository), await ask(url, { headers: one.headers }));
        }
      }
    }, SETUP_TIMEOUT);

    test('the registry itself serves those who may read, and refuses the others with 401', () => {
      for (const one of callers) {
        for (const repository of [PRIVATE, SHARED]) {
          const { status } = wordFor(one, repository);
          expect([one.name, repository, status]).toEqual([
            one.name,
            repository,
            one.reads.includes(repository) ? 200 : 401,
          ]);
        }
      }
    });

    describe('auth: passthrough', () => {
      let proxy: RunningProxy;
      const seen: Answer[] = [];

      beforeAll(async () => {
        proxy = await startProxy({ registry: world.registry, trust: world.trust });
      });

      /** Everybody who may not read, in every way. */
      const expectRefusals = async (): Promise<void> => {
        const wrong: string[] = [];
        for (const one of outsiders()) {
          for (const way of privateWays) {
            const answer = await take(proxy.url, way, one);
            seen.push(answer);
            const why = whyNotRefused(answer, way, wordFor(one, PRIVATE));
            if (why !== undefined) wrong.push(`${one.name} ${way.method} ${way.path}: ${why}`);
          }
        }
        expect(wrong).toEqual([]);
      };
      const expectServed = async (one: Caller, ways: readonly Way[]): Promise<void> => {
        for (const way of ways) {
          expect([way.method, way.path, whyNotServed(await take(proxy.url, way, one), way)]).toEqual([
            way.method,
            way.path,
            undefined,
          ]);
        }
      };
      const refusalOf = async (one: Caller, path: string): Promise<string> => {
        const answer = await ask(`${proxy.url}/v2/${path}`, { headers: one.headers });
        seen.push(answer);
        expect([path, answer.status, namesIn(answer, path)]).toEqual([path, 403, undefined]);
        return reasonOf(answer);
      };

      test('cold: nobody gets what only alice may read', async () => {
        await expectRefusals();
        expect(await proxy.metrics()).toContain('pullwarden_cache_entries{cache="manifest"} 0');
      });

      test('alice gets it, and again from memory', async () => {
        await expectServed(caller('alice'), privateWays);
        await expectServed(caller('alice'), privateWays);
        await expectServed(caller('alice with another token'), privateWays);
        await expectServed(caller('bob'), sharedWays);
        expect(await proxy.metrics()).toMatch(
          /^pullwarden_cache_requests_total\{cache="manifest",result="hit"\} [1-9]/m,
        );
      });

      test('warm: nobody else gets it, and alice still does', async () => {
        await expectRefusals();
        await expectServed(caller('alice'), privateWays);
      });

      test('nor under another address, or through a repository they may read', async () => {
        const { manifest, config, layer } = world.images.private;
        const { address } = world.registry;
        for (const one of outsiders()) {
          for (const path of [`manifests/${TAG}`, `manifests/${manifest.digest}`, `blobs/${layer.digest}`]) {
            for (const target of [`${PRIVATE}/${path}?ns=${address}`, `${address}/${PRIVATE}/${path}`]) {
              const answer = await ask(`${proxy.url}/v2/${target}`, { headers: one.headers });
              seen.push(answer);
              // A mirror's refusal sticks where no other login can help: 300, with the registry's word in it.
              expect([300, 401]).toContain(answer.status);
              expect(answer.body).toEqual(wordFor(one, PRIVATE).body);
              expect(answer.headers['docker-content-digest']).toBeUndefined();
            }
          }
        }
        for (const path of [
          `manifests/${manifest.digest}`,
          `blobs/${config.digest}`,
          `blobs/${layer.digest}`,
        ]) {
          for (const name of ['bob', 'alice']) {
            const answer = await ask(`${proxy.url}/v2/${SHARED}/${path}`, caller(name));
            expect([name, path, answer.status]).toEqual([name, path, 404]);
          }
        }
      });

      test('a refusal names signed tags to those alone who may read the repository', async () => {
        const unsigned = `${PRIVATE}/manifests/${UNSIGNED}`;
        const toAlice = await ask(`${proxy.url}/v2/${unsigned}`, caller('alice'));
        expect(toAlice.body.toString()).toContain(`or pull a signed tag: ${CODENAME}, ${TAG}`);
        for (const one of outsiders()) {
          expect(await refusalOf(one, unsigned)).toBe('unsigned_tag');
          expect(await refusalOf(one, `${PRIVATE}/manifests/no-such-tag`)).toBe('unsigned_tag');
        }
      });

      test('a thousand requests at random, twenty at a time, on a cold proxy: each answer is exactly right', async () => {
        const { url: base } = await startProxy({ registry: world.registry, trust: world.trust });
        const ways = [...privateWays, ...sharedWays];
        const options = { base, callers, ways, requests: REQUESTS, atATime: AT_A_TIME, seed: SEED, wordFor };
        const { served, refused, wrong } = await runMix(options);
        process.stdout.write(
          `authorization: ${served + refused} requests, ${served} served, ${refused} refused, ${wrong.length} wrong\n`,
        );
        expect(wrong).toEqual([]);
        expect(served + refused).toBe(REQUESTS);
        expect(Math.min(served, refused)).toBeGreaterThan(REQUESTS / 4);
      });

      test('no password and no token is in its log, its metrics, its status or a refusal', async () => {
        const pages = ['/', '/metrics', '/readyz', '/api/status', '/api/decisions'];
        const texts = await Promise.all(pages.map(async (page) => (await fetch(proxy.admin + page)).text()));
        const refusals = seen.map(
          ({ phrase, headers, body }) => `${phrase} ${JSON.stringify(headers)} ${body}`,
        );
        expect(refusals.length).toBeGreaterThan(REQUESTS / 4);
        for (const text of [proxy.log(), ...texts, ...refusals]) {
          expect(text).not.toBe('');
          expect(secrets().filter((secret) => text.includes(secret))).toEqual([]);
        }
      });
    });

    /** Of tokens the signature is enough; without it they are worth nothing. */
    const secrets = (): readonly string[] =>
      [
        ...[world.alice, world.bob].map(({ password }) => password),
        ...callers.flatMap(({ headers }) => (headers['authorization'] ?? '').split(/[ .]/).slice(1)),
      ].filter((secret) => secret.length > 8);
  },
);
