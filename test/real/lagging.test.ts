/**
 * Two Notary replicas of which one is behind answer in turns, as in any set-up with a database that is copied: no tag
 * that was verified is refused, and none goes back. The replica behind is one, two or three publications late: what minutes
 * of lag come to, as nothing else in the files changes with them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { ask, reasonOf } from './http.ts';
import { type Replicas, startReplicas } from './lagging/replicas.ts';
import { startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type RunningProxy, startProxy } from './proxy.ts';
import { type Registry, startRegistry } from './registry.ts';

/** Of pulls in each row; the ten minutes of the contract are PULLWARDEN_LAG_SECONDS=600. */
const SECONDS = Number(process.env['PULLWARDEN_LAG_SECONDS'] ?? 6);
const BETWEEN_PULLS_MS = 50;
/** Publications: the replica that is three late saw the first alone. */
const MOMENTS = 4;

describeReal(
  'a Notary replica that is behind',
  ['docker-registry', 'notary-server', 'dockerd', 'docker', 'openssl'],
  () => {
    let registry: Registry;
    let replicas: Replicas;
    let newest: string;
    const digests: string[] = [];
    const moments: ReadonlyMap<string, Buffer>[] = [];

    const start = (): Promise<RunningProxy> =>
      startProxy({ registry, trust: { url: replicas.url, caFile: '' }, settings: settings() });
    const settings = () => ({
      registries: [{ name: registry.address, upstream: registry.url, trust: { server: replicas.url } }],
    });
    const pull = (proxy: RunningProxy) => ask(`${proxy.url}/v2/app/manifests/1`);

    beforeAll(async () => {
      const [startedRegistry, notary, daemon] = await Promise.all([
        startRegistry(),
        startNotaryServer(),
        startDockerd(),
      ]);
      registry = startedRegistry;
      replicas = await startReplicas(notary);
      const docker = await DockerClient.create({ host: daemon.host, trust: notary });
      const image = `${registry.address}/app`;
      await docker.trustSignerAdd('jeff', await docker.trustKeyGenerate('jeff'), image);
      for (let moment = 0; moment < MOMENTS; moment += 1) {
        await docker.importImage(`${image}:1`, `content ${moment}`);
        // Without --local a tag that is signed is signed again as it was.
        await docker.dockerOk(['trust', 'sign', '--local', `${image}:1`]);
        newest = (await docker.push(`${image}:1`)).digest;
        digests.push(newest);
        // What a proxy reads from nothing is what the replica then knows.
        const reader = await start();
        expect((await pull(reader)).headers['docker-content-digest']).toBe(newest);
        await reader.stop();
        moments.push(replicas.record());
      }
    }, SETUP_TIMEOUT);

    test.each([
      [1, 'request'],
      [2, 'request'],
      [3, 'request'],
      [1, 'connection'],
      [2, 'connection'],
      [3, 'connection'],
    ] as const)(
      '%s publications late, in turns by %s: nothing is refused, nothing goes back',
      async (late, turns) => {
        const behind = moments[MOMENTS - 1 - late];
        replicas.lag(undefined, turns);
        const proxy = await start();
        expect((await pull(proxy)).headers['docker-content-digest']).toBe(newest);
        replicas.lag(behind, turns);
        const counts = { pulls: 0, refused: 0, older: 0 };
        const reasons = new Set<string>();
        const end = Date.now() + SECONDS * 1_000;
        while (Date.now() < end) {
          const answer = await pull(proxy);
          counts.pulls += 1;
          if (answer.status !== 200) {
            counts.refused += 1;
            reasons.add(reasonOf(answer));
          } else if (answer.headers['docker-content-digest'] !== newest) counts.older += 1;
          await delay(BETWEEN_PULLS_MS);
        }
        process.stdout.write(
          `${late} publications late, in turns by ${turns}: ${counts.pulls} pulls, ${counts.refused} refused, ` +
            `${counts.older} older, ${replicas.lagged()} answers of the replica behind\n`,
        );
        await proxy.stop();
        expect(replicas.lagged()).toBeGreaterThan(0);
        expect([...reasons]).toEqual([]);
        expect(counts).toMatchObject({ refused: 0, older: 0 });
      },
      SETUP_TIMEOUT + SECONDS * 1_000,
    );
  },
);
