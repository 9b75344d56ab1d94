/** Repositories to compare, and the servers and clients they are compared with. */
import { readFile } from 'node:fs/promises';
import type { Gun } from '../../../proxy/names/reference.ts';
import { createNotarySource } from '../../../proxy/trust-client/notary-source.ts';
import { createHttpClient } from '../../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../../proxy/upstream/types.ts';
import { DockerClient } from '../docker.ts';
import type { NotaryServer, NotaryServerOptions } from '../notary-server.ts';
import { onCleanUp } from '../process.ts';
import { type DockerParts, DockerPublisher, type DockerScenario } from './docker-publisher.ts';
import type { Side, Subject } from './examine.ts';
import type { Keyring } from './keyring.ts';
import { Publisher } from './publisher.ts';
import type { Shape } from './shapes.ts';

/** One worker's servers, by the type of the keys that the server makes. */
export type Sides = Readonly<Record<NonNullable<NotaryServerOptions['serverKeys']>, Side>>;

export async function toSide(server: NotaryServer): Promise<Side> {
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

export async function toSubject(
  sides: Sides,
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
  ['readdDelegation', 'readdDelegation'],
]);

export async function toDockerSubject(
  sides: Sides,
  docker: DockerParts,
  scenario: DockerScenario,
  gun: Gun,
): Promise<Subject> {
  const publisher = await DockerPublisher.create(docker, sides.ed25519.server, gun, scenario);
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
