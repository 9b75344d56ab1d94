/**
 * A daemon asks for a tag, then for the digest it was told. Between the two, another client pushed the manifest out of
 * memory with manifests of its own, so that the second question went to the registry again, which answered with
 * something else. What a tag just resolved to is out of reach of other clients, however many and whatever they ask for.
 */
import { request as httpRequest } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { MANIFEST_TYPE, type RunningProxy, sha256, startProxy } from '../pull/harness.ts';

const VICTIM = '127.0.0.1';
const ATTACKER = '127.0.0.2';
const MIB = 1024 * 1024;
/** Together more than the cache (64 MiB) and the reserve (32 MiB) hold. */
const FLOOD = 26;
const DOCKERD = { 'user-agent': 'docker/20.10.24 go/go1.19' };

type Image = { readonly bytes: Buffer; readonly digest: ReturnType<typeof sha256>; readonly length: number };

function image(label: string, size = 0, config = Buffer.from(label)): Image {
  const descriptor = {
    mediaType: 'application/vnd.docker.container.image.v1+json',
    size: config.length,
    digest: sha256(config),
  };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor,
      layers: [],
      label,
      padding: 'x'.repeat(size),
    }),
  );
  return { bytes, digest: sha256(bytes), length: bytes.length };
}

const SIGNED = image('signed', 300 * 1024);
const EVIL = image('evil');
const LARGE = Array.from({ length: FLOOD }, (_, index) => image(`large ${index}`, 4 * MIB - 1024));
const BY_TAG = Object.fromEntries(LARGE.map((each, index) => [`large-${index}`, each]));

/** Their configurations are as long as one is kept, and together more than is kept. */
const CONFIGS = Array.from({ length: 52 }, (_, index) => Buffer.alloc(2 * MIB - 1024, index));
const WITH_CONFIGS = Object.fromEntries(
  CONFIGS.map((config, index) => [`config-${index}`, image(`config ${index}`, 0, config)]),
);

let proxy: RunningProxy;
afterEach(async () => proxy.close());

/** A registry that has everything, and from now on lies about what the victim asks for. */
type World = { lie(): void; readonly asked: string[] };
async function start(): Promise<World> {
  const images = [SIGNED, ...LARGE, ...Object.values(WITH_CONFIGS)];
  const contents = new Map<string, Buffer>([
    ...images.map(({ bytes, digest }) => [digest, bytes] as const),
    ...[Buffer.from('signed'), ...CONFIGS].map((blob) => [sha256(blob), blob] as const),
  ]);
  const asked: string[] = [];
  let lies = false;
  proxy = await startProxy({
    handler: (req, res) => {
      const [, kind = '', digest = ''] = /\/(manifests|blobs)\/(.*)$/.exec(req.url ?? '') ?? [];
      asked.push(digest);
      const isVictims = digest === SIGNED.digest || digest === sha256('signed');
      const bytes = lies && isVictims ? EVIL.bytes : contents.get(digest);
      const type = kind === 'manifests' ? MANIFEST_TYPE : 'application/octet-stream';
      if (bytes === undefined) return void res.writeHead(404).end();
      res.writeHead(lies && isVictims ? 203 : 200, { 'content-type': type, 'docker-content-digest': digest });
      res.end(req.method === 'HEAD' ? undefined : bytes);
    },
    signed: { '1': SIGNED, ...BY_TAG, ...WITH_CONFIGS },
  });
  return {
    lie: () => {
      lies = true;
    },
    asked,
  };
}

type Answered = { readonly status: number; readonly body: Buffer };
function send(
  from: string,
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: proxy.port,
      localAddress: from,
      path,
      method,
      headers,
      agent: false,
    };
    httpRequest(options, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks) }));
    })
      .on('error', reject)
      .end();
  });
}
const manifests = (reference: string): string => `/v2/library/app/manifests/${reference}`;

/** Everything there is, four at a time. */
async function flood(
  references: readonly string[],
  from: (index: number) => string,
  headers: Record<string, string> = {},
): Promise<void> {
  const ask = async (first: number): Promise<void> => {
    for (let index = first; index < references.length; index += 4) {
      const { status } = await send(from(index), manifests(references[index] ?? ''), 'GET', headers);
      expect(status).toBe(200);
    }
  };
  await Promise.all([0, 1, 2, 3].map(ask));
}
const byOne = (): string => ATTACKER;
const digests = LARGE.map(({ digest }) => digest);
const tags = Object.keys(BY_TAG);

/** What the victim's daemon does after its HEAD of the tag. */
async function expectServed({ asked }: World): Promise<void> {
  const before = asked.length;
  const reply = await send(VICTIM, manifests(SIGNED.digest));
  expect([reply.status, reply.body.equals(SIGNED.bytes)]).toEqual([200, true]);
  expect(asked.slice(before)).not.toContain(SIGNED.digest);
}

test('manifests by digest', async () => {
  const world = await start();
  await send(VICTIM, manifests('1'), 'HEAD');
  world.lie();
  await flood(digests, byOne);
  await expectServed(world);
});

test('many signed tags, and many digests', async () => {
  const world = await start();
  await send(VICTIM, manifests('1'), 'HEAD');
  world.lie();
  await flood([...tags, ...digests], byOne);
  await expectServed(world);
});

test('a client that asked for the same tag before the victim did, and then for many others', async () => {
  const world = await start();
  await send(ATTACKER, manifests('1'), 'HEAD');
  await send(VICTIM, manifests('1'), 'HEAD');
  world.lie();
  await flood([...tags, ...digests], byOne);
  await expectServed(world);
});

test('a client that asks for the same tag after the victim did, and then for many others', async () => {
  const world = await start();
  await send(VICTIM, manifests('1'), 'HEAD');
  await send(ATTACKER, manifests('1'), 'HEAD');
  world.lie();
  await flood([...tags, ...digests], byOne);
  await expectServed(world);
});

test('twenty-six clients, each with a tag of its own', async () => {
  const world = await start();
  await send(VICTIM, manifests('1'), 'HEAD');
  for (let index = 0; index < 26; index += 1) await send(`127.0.1.${index + 1}`, manifests('1'), 'HEAD');
  world.lie();
  await flood([...tags, ...digests], (index) => `127.0.1.${(index % 26) + 1}`);
  await expectServed(world);
});

test('the configuration that a daemon with a mirror needs is out of reach as well', async () => {
  const world = await start();
  expect((await send(VICTIM, manifests('1'), 'GET', DOCKERD)).status).toBe(200);
  world.lie();
  await flood(Object.keys(WITH_CONFIGS), byOne, DOCKERD);
  const reply = await send(VICTIM, `/v2/library/app/blobs/${sha256('signed')}`, 'GET', DOCKERD);
  expect([reply.status, reply.body.toString()]).toEqual([200, 'signed']);
});

test('what is pushed out after all is asked for again, and refused when it is something else', async () => {
  const world = await start();
  await send(VICTIM, manifests('1'), 'HEAD');
  world.lie();
  // From the victim's own address: its share is all there is.
  await flood([...tags, ...digests], () => VICTIM);
  const reply = await send(VICTIM, manifests(SIGNED.digest));
  expect([reply.status, reply.body.includes('evil')]).toEqual([502, false]);
});
