/**
 * What the matrix is pulled from: docker.io as the proxy sees it, with one image or repository for each row. Registry
 * and Notary server are the embedded ones, because only they fail on demand; the clients are real.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../../proxy/demo/notary/notary-server.ts';
import { type PushedImage, RegistryServer } from '../../../proxy/demo/registry.ts';
import type { Fault } from '../../../proxy/demo/simulated-server.ts';
import { createTar } from '../../../proxy/demo/tar.ts';
import { cutInBody, headers, inOrder, otherBody, reset, tooManyRequests } from '../../simulators/faults.ts';
import { createAuthority } from '../certificates.ts';
import { startInProcess } from '../in-process.ts';
import { makeTempDir, onCleanUp } from '../process.ts';
import { SLOW_DOWN } from './rows.ts';

export interface World {
  readonly configFile: string;
  /** Of the proxy. */
  readonly url: string;
  /** Authority of the certificate the proxy shows inside a CONNECT to Docker Hub. */
  readonly caFile: string;
  readonly images: Images;
  /** Value of a line of `/metrics`. */
  metric(line: string): Promise<number>;
}

export type Images = Readonly<
  Record<'signed' | 'overwritten' | 'index' | 'byDigest' | 'both' | 'cut', PushedImage>
>;

/** The names under which daemons dial Docker Hub. */
const HUB_HOSTS = ['registry-1.docker.io', 'index.docker.io'];
/** More than the kernel hands over at once, so that a cut falls into the middle. */
const BIG_LAYER = 4 * 1024 * 1024;
const YEAR_MS = 365 * 24 * 3600 * 1000;

export async function startMatrixWorld(): Promise<World> {
  const registry = new RegistryServer();
  const notary = new NotaryServer();
  const images = fill(registry, notary);
  await Promise.all([registry.start(), notary.start()]);
  onCleanUp(async () => void (await Promise.all([registry.stop(), notary.stop()])));
  const folder = await makeTempDir('matrix');
  const authority = await createAuthority(folder);
  const { certFile: cert, keyFile: key } = await authority.issue('hub', 'serverAuth', HUB_HOSTS);
  const proxy = await startInProcess({
    listen: { address: '127.0.0.1', port: 0, connect: { certificates: [{ hosts: HUB_HOSTS, cert, key }] } },
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: 'docker.io',
    registries: [
      { name: 'docker.io', aliases: HUB_HOSTS, upstream: registry.url, trust: { server: notary.url } },
    ],
    trust: { state: { kind: 'memory' }, timeout: '5s', firstUse: 'accept' },
    policy: { rules: [{ name: 'hub', match: 'docker.io/**', mode: 'enforce' }] },
  });
  return {
    configFile: proxy.configFile,
    url: proxy.url,
    caFile: authority.caFile,
    images,
    metric: async (line) => {
      const found = (await proxy.metrics()).split('\n').find((each) => each.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1));
    },
  };
}

function fill(registry: RegistryServer, notary: NotaryServer): Images {
  const app = createRepository(notary, 'app');
  const push = (tag: string, options = {}) => registry.pushImage('library/app', tag, options);
  const images = {
    signed: push('signed'),
    overwritten: push('overwritten'),
    index: push('index', { kind: 'docker-list' }),
    byDigest: push('by-digest'),
    both: push('both'),
    cut: push('cut', { layers: [gzipSync(createTar(new Map([['big', randomBytes(BIG_LAYER)]])))] }),
  };
  const limited = push('limited');
  const blobless = push('blobless');
  const signed = { ...images, limited, blobless };
  for (const name of ['signed', 'overwritten', 'index', 'limited', 'blobless', 'cut'] as const) {
    app.trustSign('ci', name, signed[name].digest, signed[name].length);
  }
  app.publish();
  registry.pushImage('library/app', 'overwritten', { label: 'pushed over' });
  push('unsigned');
  for (const layer of blobless.layers) registry.deleteBlob('library/app', layer);
  registry.fault(new RegExp(`/manifests/${limited.digest}$`), asRegistriesSayIt(SLOW_DOWN));
  // The first attempt is cut off; a client that goes on where it was gets the rest.
  const cut = cutInBody(BIG_LAYER / 2);
  registry.fault(new RegExp(`/blobs/${images.cut.layers[0]}$`), (answer, exchange) =>
    exchange.request.headers.range === undefined ? cut(answer, exchange) : answer,
  );

  registry.pushImage('library/none', '1');
  const stale = createRepository(notary, 'stale');
  const image = registry.pushImage('library/stale', '1');
  stale.trustSign('ci', '1', image.digest, image.length);
  stale.setExpiry('timestamp', new Date(Date.now() - YEAR_MS));
  stale.publish();
  const down = registry.pushImage('library/down', '1');
  const unreachable = createRepository(notary, 'down');
  unreachable.trustSign('ci', '1', down.digest, down.length);
  unreachable.publish();
  notary.fault(/library\/down/, reset());
  return images;
}

function asRegistriesSayIt(message: string): Fault {
  const envelope = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message, detail: {} }] });
  const json = headers({ 'Content-Type': 'application/json' });
  return inOrder(tooManyRequests(1), otherBody(Buffer.from(envelope)), json);
}

function createRepository(notary: NotaryServer, name: string): SimulatedRepository {
  const repository = new SimulatedRepository(`docker.io/library/${name}`);
  for (const delegation of ['releases', 'ci']) repository.addDelegation(delegation);
  notary.add(repository);
  return repository;
}
