import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Clock, createClock } from './clock.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { ask, reasonOf } from './http.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type RunningProxy, startProxy, until } from './proxy.ts';
import { type Registry, startRegistry } from './registry.ts';
import { type Recording, type ReplayingServer, startReplayingServer } from './replay.ts';

const SERVED = '200';
const UNREACHABLE = '503 trust_unreachable';

describeReal(
  'trust data that stays away, goes back or expires',
  ['docker-registry', 'notary-server', 'dockerd', 'docker', 'openssl', 'faketime'],
  () => {
    let registry: Registry;
    let notary: NotaryServer;
    let docker: DockerClient;
    let proxy: RunningProxy;
    let digest: string;
    let unseenDigest: string;

    const sign = async (image: string): Promise<string> => {
      await docker.importImage(`${registry.address}/${image}`, image);
      await docker.trustSign(`${registry.address}/${image}`);
      return (await docker.push(`${registry.address}/${image}`)).digest;
    };
    const get = (repository: string, reference: string) =>
      ask(`${proxy.url}/v2/${repository}/manifests/${reference}`);
    /** Status, and the reason of a refusal. */
    const answerOf = async (repository: string, reference: string): Promise<string> => {
      const answer = await get(repository, reference);
      return answer.status === 200 ? SERVED : `${answer.status} ${reasonOf(answer)}`;
    };
    const untilAnswer = (repository: string, tag: string, expected: string) =>
      until(
        () => answerOf(repository, tag),
        (answer) => answer === expected,
      );
    /** Asks for a tag until the proxy turned to the trust server once more and did not reach it. */
    const untilRefreshFails = async (repository: string, tag: string): Promise<string> => {
      const failures = async () =>
        Number(
          /^pullwarden_trust_refresh_total\{.*"failed".*\} (\d+)/m.exec(await proxy.metrics())?.[1] ?? 0,
        );
      const before = await failures();
      const ask = async () => [await answerOf(repository, tag), await failures()] as const;
      return (await until(ask, ([, after]) => after > before))[0];
    };

    beforeAll(async () => {
      const [startedRegistry, startedNotary, daemon] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
      ]);
      registry = startedRegistry;
      notary = startedNotary;
      docker = await DockerClient.create({ host: daemon.host, trust: notary });
      const key = await docker.trustKeyGenerate('jeff');
      for (const repository of ['app', 'unseen']) {
        await docker.trustSignerAdd('jeff', key, `${registry.address}/${repository}`);
      }
      digest = await sign('app:1');
      unseenDigest = await sign('unseen:1');
    }, SETUP_TIMEOUT);

    describe('while the Notary server is down', () => {
      beforeAll(async () => {
        proxy = await startProxy({ registry, trust: notary });
        expect(await answerOf('app', '1')).toBe(SERVED);
        // Else its feed of changes may tell it of the tag before the server is down.
        await proxy.halted(async () => {
          await sign('app:2');
          await notary.suspend();
        });
      });

      afterAll(async () => {
        await notary.resume();
        await proxy.stop();
      });

      describe.each(['in the run that verified it', 'after a restart'])('%s', (run) => {
        beforeAll(async () => {
          if (run === 'after a restart') await proxy.restart();
        });

        test('a verified tag goes on being served, from the signed digest', async () => {
          expect(await untilRefreshFails('app', '1')).toBe(SERVED);
          expect((await get('app', '1')).headers['docker-content-digest']).toBe(digest);
          const pulled = await docker.pull(`${proxy.address}/app:1`);
          expect(pulled).toMatchObject({ status: 0, stdout: expect.stringContaining(digest) });
        });

        test('a tag signed since, and a repository never asked for, get 503 and are told why', async () => {
          expect(await answerOf('app', '2')).toBe(UNREACHABLE);
          expect(await answerOf('unseen', '1')).toBe(UNREACHABLE);
          expect((await get('unseen', '1')).headers['retry-after']).toBe('10');
          const pulled = await docker.pull(`${proxy.address}/unseen:1`);
          const image = `${registry.address}/unseen:1`;
          expect(pulled.stderr).toContain(`503 Pullwarden: ${image} cannot be verified`);
        });

        test('a digest is served, and the tag list has what was verified', async () => {
          expect(await answerOf('unseen', unseenDigest)).toBe(SERVED);
          const { body } = await ask(`${proxy.url}/v2/app/tags/list`);
          expect(JSON.parse(body.toString())).toEqual({ name: 'app', tags: ['1'] });
        });
      });

      test('once it is back, what was signed meanwhile is served', async () => {
        await notary.resume();
        await untilAnswer('app', '2', SERVED);
        await untilAnswer('unseen', '1', SERVED);
      });
    });

    describe('when the trust server offers older metadata than was verified', () => {
      let server: ReplayingServer;
      let older: Recording;

      beforeAll(async () => {
        server = await startReplayingServer(notary);
        proxy = await startProxy({ registry, trust: server });
        expect(await answerOf('app', '1')).toBe(SERVED);
        older = server.record();
        await sign('app:3');
        await untilAnswer('app', '3', SERVED);
        server.replay(older);
      });

      afterAll(() => proxy.stop());

      test('the recording is complete: a proxy without a memory takes it', async () => {
        const naive = await startProxy({ registry, trust: server });
        expect((await ask(`${naive.url}/v2/app/manifests/1`)).status).toBe(200);
        expect(reasonOf(await ask(`${naive.url}/v2/app/manifests/3`))).toBe('unsigned_tag');
        await naive.stop();
      });

      test.each(['in the run that verified it', 'after a restart'])(
        'what was verified is served on %s, and the older is counted',
        async (run) => {
          if (run === 'after a restart') await proxy.restart();
          const rejected = /^pullwarden_trust_rejected_total\{.*cause="rollback".*\} [1-9]/m;
          const ask = async () => {
            expect(await answerOf('app', '3')).toBe(SERVED);
            return await proxy.metrics();
          };
          await until(ask, (metrics) => rejected.test(metrics));
          expect(await answerOf('app', '1')).toBe(SERVED);
          expect((await docker.pull(`${proxy.address}/app:1`)).status).toBe(0);
        },
      );

      test('the newest metadata is accepted again', async () => {
        server.replay(undefined);
        await untilAnswer('app', '3', SERVED);
      });
    });

    describe('with the calendar going on and the Notary server down', () => {
      let clock: Clock;

      beforeAll(async () => {
        clock = await createClock();
        proxy = await startProxy({ registry, trust: notary, env: clock.env });
        expect(await answerOf('app', '1')).toBe(SERVED);
        await notary.suspend();
      });

      afterAll(async () => {
        await notary.resume();
        await proxy.stop();
      });

      test('13 days later the tag is still served: its timestamp lives for 14', async () => {
        await clock.set(13);
        expect(await untilRefreshFails('app', '1')).toBe(SERVED);
        await proxy.restart();
        expect(await untilRefreshFails('app', '1')).toBe(SERVED);
      });

      test('15 days later it is not, also after a restart', async () => {
        await clock.set(15);
        expect(await answerOf('app', '1')).toBe(UNREACHABLE);
        await proxy.restart();
        expect(await answerOf('app', '1')).toBe(UNREACHABLE);
        expect(await answerOf('app', digest)).toBe(SERVED);
      });

      test('a timestamp that nobody renewed for 15 days is refused when the server is back', async () => {
        await notary.resume();
        await untilAnswer('app', '1', '403 metadata_expired');
      });

      test('with the clock put right it is served', async () => {
        await clock.set(0);
        await untilAnswer('app', '1', SERVED);
      });
    });
  },
);
