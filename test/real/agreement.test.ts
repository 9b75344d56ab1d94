/**
 * Our trust client against the real ones, over repositories of many shapes that the real programs made: target by
 * target, with their signers and keys, at first contact and after a change. `npm run test:real -- agreement` prints
 * the count; PULLWARDEN_AGREEMENT is the number of shapes made with `notary`, for a longer or a shorter run.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { parseEnvelope } from '../../proxy/trust-client/metadata.ts';
import { parseRootFile, type RootFile } from '../../proxy/trust-client/root-trust.ts';
import { verifyThreshold } from '../../proxy/trust-client/signatures.ts';
import { DOCKER_SCENARIOS, type DockerParts } from './agreement/docker-publisher.ts';
import { examine, type Subject } from './agreement/examine.ts';
import { Findings } from './agreement/findings.ts';
import { createKeyring, type Keyring } from './agreement/keyring.ts';
import { KNOWN_DIFFERENCES } from './agreement/known-differences.ts';
import { startRecorder } from './agreement/recorder.ts';
import { coverShapes } from './agreement/shapes.ts';
import { type Sides, toDockerSubject, toSide, toSubject } from './agreement/subjects.ts';
import { DockerClient } from './docker.ts';
import { startDockerd } from './dockerd.ts';
import { NotaryClient } from './notary.ts';
import { type NotaryServer, startNotaryServer } from './notary-server.ts';
import { describeReal, SETUP_TIMEOUT } from './parts.ts';
import { type Registry, startRegistry } from './registry.ts';

/** With these, almost every two choices meet in a repository, and every known difference is met. */
const ALL_SHAPES = 190;
const SHAPES = Number(process.env['PULLWARDEN_AGREEMENT'] ?? ALL_SHAPES);
/** Programs at a time. */
const WORKERS = 2;
/** Milliseconds; a quiet machine with two cores needs a fraction of it. */
const DEADLINE = 900_000;
const SHOWN = 20;

type Make = (sides: Sides) => Promise<Subject>;

describeReal(
  'agreement with notary and docker trust',
  ['notary-server', 'notary-signer', 'notary', 'openssl', 'docker-registry', 'dockerd', 'docker'],
  () => {
    let server: NotaryServer;
    let workers: readonly Sides[];
    let keyring: Keyring;
    let registry: Registry;
    let docker: DockerParts;

    beforeAll(async () => {
      const [daemon, started] = await Promise.all([
        startDockerd(),
        startNotaryServer({ serverKeys: 'ecdsa' }),
      ]);
      server = started;
      const ecdsa = await toSide(server);
      // The signer inside a notary-server keeps its keys in a map without a lock: two publishers at a time can end it.
      workers = await Promise.all(
        Array.from({ length: WORKERS }, async () => ({
          ecdsa,
          ed25519: await toSide(await startNotaryServer()),
        })),
      );
      registry = await startRegistry();
      keyring = await createKeyring(server);
      docker = { host: daemon.host, images: ['agreement:a', 'agreement:b'] };
      const client = await DockerClient.create({ host: daemon.host });
      for (const image of docker.images) await client.importImage(image, image);
    }, SETUP_TIMEOUT);

    test(
      'every target, signer and key is theirs, or differs by a known name',
      async () => {
        const findings = new Findings();
        const { shapes, pairs, possiblePairs } = coverShapes(SHAPES);
        const made = shapes.map<Make>((shape, index) => (sides) => toSubject(sides, keyring, shape, index));
        const byDocker = DOCKER_SCENARIOS.map<Make>(
          (scenario, index) => (sides) =>
            toDockerSubject(sides, docker, scenario, `${registry.address}/agreement/${index}`),
        );
        const all = interleave(made, byDocker);
        await inParallel(workers, all, (sides, make) => examineOrReport(sides, make, findings));

        process.stdout.write(
          `${findings.summary(all.length)}\n` +
            `agreement: ${pairs} of ${possiblePairs} possible pairs of choices stood together in a repository\n`,
        );
        expect(findings.unexplained.slice(0, SHOWN)).toEqual([]);
        // Each difference is on purpose, so one that is not met any more is a failure too.
        if (SHAPES >= ALL_SHAPES) expect(findings.names).toEqual(Object.keys(KNOWN_DIFFERENCES).sort());
      },
      DEADLINE,
    );

    test.each([
      ['sorted members and integers', '{"a":1,"b":{"c":["x",null,true]}}', true],
      ['unsorted members', '{"b":1,"a":2}', false],
      ['a fraction', '{"a":1.5}', false],
      ['a character that Notary escapes', '{"a":"<"}', false],
      ['an integer beyond 2^53', '{"a":9007199254740993}', false],
    ])(
      'custom data with %s: we verify it if and only if notary-server does',
      async (name, custom, verifies) => {
        const recorder = await startRecorder(server);
        const client = await NotaryClient.create(recorder);
        const gun = `registry.test/custom/${name.replaceAll(/\W+/g, '-')}`;
        await client.init(gun);
        const file = join(client.trustDir, 'custom.json');
        await writeFile(file, custom);
        const added = ['addhash', '-p', gun, '1', '7', '--sha256', 'ab'.repeat(32), '--custom', file];
        expect((await client.notary(added)).status === 0).toBe(verifies);

        const root = parseRootFile((await server.fetchFile(gun, 'root.json')).body);
        const uploaded = recorder.lastUploaded('targets') ?? Buffer.alloc(0);
        expect(uploaded.toString()).toContain('"custom":{');
        expect(isVerified(uploaded, root)).toBe(verifies);
      },
    );
  },
);

function isVerified(targets: Uint8Array, root: RootFile): boolean {
  try {
    const { signatures, message } = parseEnvelope(targets, 'targets');
    verifyThreshold(root.metadata.roles.targets, signatures, message, 'targets');
    return true;
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}

/** A repository that cannot be made or read is a finding too; the others are compared all the same. */
async function examineOrReport(sides: Sides, make: Make, findings: Findings): Promise<void> {
  const subject = await make(sides);
  try {
    await examine(subject, findings);
  } catch (error) {
    findings.settle(undefined, `${subject.label}: ${(error as Error).message}`);
  }
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

/** Each worker takes the next item when it is done with one. */
async function inParallel<W, T>(
  workers: readonly W[],
  items: readonly T[],
  work: (worker: W, item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    workers.map(async (worker) => {
      for (const item of queue) await work(worker, item);
    }),
  );
}
