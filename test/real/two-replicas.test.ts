/**
 * A real daemon takes every 2xx and does not compare a tag's manifest with the digest of its HEAD. So two proxies behind
 * a balancer, and one whose manifest cache another client floods, ask a hostile registry twice for one pull: none of its
 * second answers may reach the daemon, and none may send it on to the public registry.
 */
import { beforeAll, expect, test } from '@jest/globals';
import { startNginx } from '../../bench/nginx.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { type Egress, startEgress } from './egress.ts';
import { pushFloodImages, startFlood } from './hostile/flood.ts';
import { type HostileWorld, REPOSITORY, type SignedTag, startHostileWorld } from './hostile/world.ts';
import { describeReal } from './parts.ts';

/** In each of the three ways; 100 pulls in all are PULLWARDEN_HOSTILE_PULLS=34. */
const PULLS = Number(process.env['PULLWARDEN_HOSTILE_PULLS'] ?? 10);
/** A pull takes about a second, more under a flood on a machine that is busy. */
const TIMEOUT = 60_000 + PULLS * 6_000;
const PARALLEL_FLOOD = 48;

type Counts = { signed: number; refused: number; other: number; public: number };

describeReal('a registry that lies to the second question', ['dockerd', 'docker', 'nginx', 'wrk'], () => {
  let egress: Egress;

  beforeAll(async () => {
    egress = await startEgress();
  });

  const startClient = async (registryMirror?: string): Promise<DockerClient> => {
    // A daemon tries a layer six times over 75 s by default.
    const settings = { 'max-download-attempts': 1 };
    const mirror = registryMirror === undefined ? {} : { registryMirror };
    const daemon = await startDockerd({ ...mirror, settings, env: egress.env });
    return await DockerClient.create({ host: daemon.host });
  };
  /** What the daemon has after each pull is the signed digest, or nothing. */
  const pullAll = async (
    docker: DockerClient,
    prefix: string,
    tags: readonly SignedTag[],
  ): Promise<Counts> => {
    const counts = { signed: 0, refused: 0, other: 0, public: 0 };
    egress.look();
    for (const { tag, digest } of tags) {
      const reference = `${prefix}${tag}`;
      const result = await docker.pull(reference);
      const has = await docker.repoDigests(reference);
      if (has.some((each) => each !== digest) || (result.status === 0 && has.length === 0)) counts.other += 1;
      else if (result.status === 0) counts.signed += 1;
      else counts.refused += 1;
    }
    counts.public = egress.look().length;
    return counts;
  };
  const report = (way: string, counts: Counts, { registry }: HostileWorld): void => {
    const { signed, refused, other } = counts;
    process.stdout.write(
      `${way}: ${PULLS} pulls, ${signed} of the signed digest, ${refused} refused, ${other} of another digest, ` +
        `${counts.public} requests at the public registry, ${registry.told} lies told\n`,
    );
  };

  test.each([
    ['as registry host', undefined],
    ['as bare registry-mirrors', 'mirror'],
  ])(
    'two replicas behind nginx, %s',
    async (name, kind) => {
      const world = await startHostileWorld(PULLS);
      const replicas = await Promise.all([world.startReplica(), world.startReplica()]);
      const nginx = await startNginx(...replicas.map(({ url }) => url));
      const docker = await startClient(kind && nginx);
      const prefix = kind === undefined ? `${new URL(nginx).host}/docker.io/${REPOSITORY}:` : 'app:';
      const counts = await pullAll(docker, prefix, world.tags);
      report(`two replicas ${name}`, counts, world);
      expect(world.registry.told).toBeGreaterThan(0);
      expect(counts).toMatchObject({ other: 0, public: 0 });
    },
    TIMEOUT,
  );

  test(
    'one proxy whose manifest cache is flooded serves what each tag just resolved to',
    async () => {
      const world = await startHostileWorld(PULLS);
      const proxy = await world.startReplica();
      const digests = pushFloodImages(world.registry, REPOSITORY);
      const docker = await startClient(proxy.url);
      const flood = await startFlood(proxy.url, world.registry, REPOSITORY, digests, PARALLEL_FLOOD);
      const counts = await pullAll(docker, 'app:', world.tags);
      await flood.stop();
      const { fetched: flooded } = world.registry;
      report(`flooded by ${flooded} manifests of 4 MiB`, counts, world);
      // The cache was turned over again and again.
      expect(flooded).toBeGreaterThan(4 * digests.length);
      // Nothing had to be asked for twice, so nothing was lost either.
      expect(counts).toEqual({ signed: PULLS, refused: 0, other: 0, public: 0 });
    },
    TIMEOUT,
  );
});
