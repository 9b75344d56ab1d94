/**
 * Our trust client against the real ones, over repositories of many shapes that the real programs made: target by
 * target, with their signers and keys, at first contact and after a change. `npm run test:real -- agreement` prints
 * the count; PULLWARDEN_AGREEMENT is the number of shapes made with `notary`, for a longer or a shorter run.
 */
import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from '@jest/globals';
import { createHttpClient, type HttpClient } from '../../proxy/registry/http-client.ts';
import type { Gun } from '../../proxy/registry/reference.ts';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import { DOCKER_SCENARIOS, type DockerParts, DockerPublisher } from './agreement/docker-publisher.ts';
import { examine, type Side, type Subject } from './agreement/examine.ts';
import { Findings } from './agreement/findings.ts';
import { createKeyring, type Keyring } from './agreement/keyring.ts';
import { Publisher } from './agreement/publisher.ts';
import { coverShapes, type Shape } from './agreement/shapes.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { type NotaryServer, type NotaryServerOptions, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { onCleanUp } from './process.ts';
import { type Registry, startRegistry } from './registry.ts';

const SHAPES = Number(process.env['PULLWARDEN_AGREEMENT'] ?? 190);
/** Programs at a time. */
const WORKERS = 2;
/** Milliseconds; a quiet machine with two cores needs a fraction of it. */
const DEADLINE = 900_000;
const SHOWN = 20;

type ServerKeys = NonNullable<NotaryServerOptions['serverKeys']>;
type Make = () => Promise<Subject>;

describeReal(
  'agreement with notary and docker trust',
  ['notary-server', 'notary-signer', 'notary', 'openssl', 'docker-registry', 'dockerd', 'docker'],
  () => {
    let sides: Readonly<Record<ServerKeys, Side>>;
    let keyring: Keyring;
    let registry: Registry;
    let docker: DockerParts;

    beforeAll(async () => {
      const [daemon, local, withSigner] = await Promise.all([
        startDockerd(),
        startNotaryServer(),
        startNotaryServer({ serverKeys: 'ecdsa' }),
      ]);
      registry = await startRegistry();
      keyring = await createKeyring(local);
      sides = { ed25519: await toSide(local), ecdsa: await toSide(withSigner) };
      docker = { host: daemon.host, server: local, images: ['agreement:a', 'agreement:b'] };
      const client = await DockerClient.create({ host: daemon.host });
      for (const image of docker.images) await client.importImage(image, image);
    }, SETUP_TIMEOUT);

    test(
      'every target, signer and key is theirs, or differs by a known name',
      async () => {
        const findings = new Findings();
        const { shapes, pairs, possiblePairs } = coverShapes(SHAPES);
        const made = shapes.map((shape, index) => () => toSubject(sides, keyring, shape, index));
        const byDocker = DOCKER_SCENARIOS.map(
          (_, index) => () => toDockerSubject(sides, docker, registry, index),
        );
        const all = interleave(made, byDocker);
        await inParallel(all, (make) => examineOrReport(make, findings));

        process.stdout.write(
          `${findings.summary(all.length)}\n` +
            `agreement: ${pairs} of ${possiblePairs} possible pairs of choices stood together in a repository\n`,
        );
        (await import('node:fs')).writeFileSync('/tmp/agr/unexplained.json', JSON.stringify(findings.unexplained, null, 1));
        expect(findings.unexplained.slice(0, SHOWN)).toEqual([]);
      },
      DEADLINE,
    );
  },
);

/** A repository that cannot be made or read is a finding too; the others are compared all the same. */
async function examineOrReport(make: Make, findings: Findings): Promise<void> {
  const subject = await make();
  try {
    await examine(subject, findings);
  } catch (error) {
    findings.settle(undefined, `${subject.label}: ${(error as Error).message}`);
    (await import('node:fs')).appendFileSync('/tmp/agr/server.log', subject.side.server.log().slice(-20000));
  }
}

async function toSide(server: NotaryServer): Promise<Side> {
  const client: HttpClient = createHttpClient({
    upstream: 'notary',
    kind: 'notary',
    baseUrl: server.url,
    ca: await readFile(server.caFile),
    auth: { kind: 'anonymous' },
  });
  onCleanUp(() => client.close());
  // Inspecting needs no daemon.
  const docker = await DockerClient.create({ host: 'unix:///nonexistent.sock', trust: server });
  return { server, source: createNotarySource(client), docker };
}

async function toSubject(
  sides: Readonly<Record<ServerKeys, Side>>,
  keyring: Keyring,
  shape: Shape,
  index: number,
): Promise<Subject> {
  const side = sides[shape.serverKeys];
  const gun: Gun = `registry.test/${shape.certificate}/${index}`;
  const publisher = await Publisher.create(side.server, keyring, gun, shape);
  const breaksWith = BREAKS.get(shape.change);
  return {
    gun,
    label: `${gun} ${JSON.stringify(shape)}`,
    side,
    pin:
      shape.certificate === 'made'
        ? { kind: 'firstUse' }
        : { kind: 'keys', ids: new Set([publisher.rootKeyId]) },
    needsPin: shape.certificate === 'wildcard' && shape.rotatedBefore === 'none',
    ...(breaksWith === undefined ? {} : { breaksWith }),
    publish: () => publisher.publish(),
    change: () => publisher.change(),
  };
}

const BREAKS = new Map<Shape['change'], NonNullable<Subject['breaksWith']>>([
  ['recreate', 'recreated'],
  ['recreateSameRoot', 'recreatedWithSameRoot'],
  ['delete', 'deleted'],
]);

async function toDockerSubject(
  sides: Readonly<Record<ServerKeys, Side>>,
  docker: DockerParts,
  registry: Registry,
  index: number,
): Promise<Subject> {
  const scenario = DOCKER_SCENARIOS[index];
  if (scenario === undefined) throw new Error(`there is no scenario ${index}`);
  const gun: Gun = `${registry.address}/agreement/${index}`;
  const publisher = await DockerPublisher.create(docker, gun, scenario);
  return {
    gun,
    label: `${gun} ${JSON.stringify(scenario)}`,
    side: sides.ed25519,
    pin: { kind: 'firstUse' },
    needsPin: false,
    publish: () => publisher.publish(),
    change: () => publisher.change(),
  };
}

/** Spreads the slow ones evenly. */
function interleave(many: readonly Make[], few: readonly Make[]): readonly Make[] {
  const step = Math.max(1, Math.floor(many.length / Math.max(1, few.length)));
  const spread = many.flatMap((make, index) => [
    ...(index % step === 0 ? few.slice(index / step, index / step + 1) : []),
    make,
  ]);
  return [...spread, ...few.slice(Math.ceil(many.length / step))];
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: WORKERS }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
