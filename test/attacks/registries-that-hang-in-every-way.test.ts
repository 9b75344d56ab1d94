/**
 * Registries that hang with all that is read as a whole: manifests, configurations, pages of tags. Whatever they hold in
 * one way, they keep the others from nothing in another: large tag lists, tokens, first manifests.
 */
import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createAccessCache } from '../../proxy/cache/access-cache.ts';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';
import type { Confirmed } from '../../proxy/content/confirmed.ts';
import { createImageConfigs } from '../../proxy/registry/image-configs.ts';
import { createSignedManifests } from '../../proxy/registry/signed-manifests.ts';
import { fetchTags } from '../../proxy/registry/tags.ts';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';
import { readSmallBody } from '../../proxy/upstream/held-body.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { eventually } from '../listen/kit.ts';
import { MANIFEST_TYPE, sha256 } from '../pull/harness.ts';

const MIB = 1024 * 1024;
/** The work of the test stays far below; what waits without end takes 8 s. */
const SOON_MS = 20_000;

let bodies: BodyRoom;
let gone: AbortController;
const under: Promise<unknown>[] = [];
const clients: HttpClient[] = [];
function begin(): void {
  bodies = new BodyRoom();
  gone = new AbortController();
  // One for everybody: hundreds listen.
  setMaxListeners(0, gone.signal);
}
afterEach(async () => {
  gone.abort();
  await Promise.all(under.splice(0));
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await eventually(() => bodies.bytes === 0);
});

type Answer = { readonly length?: number; readonly body: () => Readable };

function registry(upstream: string, { length, body }: Answer): HttpClient {
  const client = createHttpClient({
    upstream,
    kind: 'registry',
    baseUrl: 'http://127.0.0.1:9',
    auth: { kind: 'anonymous' },
    bodies,
  });
  clients.push(client);
  const headers = new Map([['content-type', [MANIFEST_TYPE]]]);
  if (length !== undefined) headers.set('content-length', [String(length)]);
  return Object.assign(client, { get: async () => ({ status: 200, headers, body: body() }) });
}

const store = () => ({ get: () => undefined, set: () => undefined, hold: () => undefined });
const configs = createImageConfigs(store());
const manifests = createSignedManifests({
  store: createManifestCache<Confirmed>(),
  access: createAccessCache(),
});

function imageOf(config: { digest: string; size: number }, label = 0): Buffer {
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [], label }),
  );
}

/** As much as 64 connections can hold of each kind, and no byte of a body ever comes. */
async function hang(upstream: string): Promise<void> {
  const silent = (length: number) => registry(upstream, { length, body: () => new Readable({ read() {} }) });
  const [large, list] = [silent(4 * MIB), silent(MIB)];
  const caller = { signal: gone.signal };
  for (let index = 0; index < 64; index += 1) {
    const image = imageOf({ digest: sha256(`${index}`), size: 2 * MIB }, index);
    under.push(configs.hold(large, 'team/app', { bytes: image }, caller));
  }
  await eventually(() => bodies.bytes > 0);
  for (let index = 0; index < 64; index += 1) {
    const question = { digest: sha256(`${index}`), accept: undefined, isKnown: false };
    under.push(manifests.fetchByDigest(large, 'team/app', question, caller));
    const wanted = { repository: 'team/app', n: index, last: undefined };
    under.push(fetchTags(list, wanted, () => true, caller));
  }
  let last = -1;
  await eventually(() => {
    const isStill = last === bodies.bytes;
    last = bodies.bytes;
    return isStill;
  });
}

function soon<T>(work: Promise<T>): Promise<T | 'waits'> {
  under.push(work);
  return Promise.race([
    work,
    new Promise<'waits'>((resolve) => setTimeout(() => resolve('waits'), SOON_MS).unref()),
  ]);
}

/** 100 KiB, in chunks, as registries send lists: their length is not known before. */
const TAGS = Array.from({ length: 2_000 }, (_, index) => `release-${index}-${'x'.repeat(40)}`);
const LIST = Buffer.from(JSON.stringify({ name: 'team/app', tags: TAGS }));
const listing = (upstream: string) =>
  registry(upstream, {
    body: () => Readable.from([LIST.subarray(0, 70_000), LIST.subarray(70_000)]),
  });

test('beside one of them large tag lists of another registry are served, several at a time', async () => {
  begin();
  await hang('b.example');
  const client = listing('a.example');
  const lists = Array.from({ length: 8 }, (_, index) =>
    fetchTags(client, { repository: 'team/app', n: 10 + index, last: undefined }, () => true),
  );
  const served = await soon(Promise.all(lists));
  expect(served).not.toBe('waits');
  for (const list of served) expect(list).toMatchObject({ kind: 'tags', isCut: true });
});

describe.each([1, 2, 3, 4])('beside %d of them', (count) => {
  test('manifest, configuration and token of the next one have room', async () => {
    begin();
    for (const name of ['b', 'c', 'd', 'e'].slice(0, count)) await hang(`${name}.example`);
    const config = Buffer.from('{"os":"linux"}');
    const image = imageOf({ digest: sha256(config), size: config.length });
    const serving = (bytes: Buffer) =>
      registry('a.example', { length: bytes.length, body: () => Readable.from([bytes]) });
    const question = { digest: sha256(image), accept: undefined, isKnown: false };
    const manifest = manifests.fetchByDigest(serving(image), 'team/app', question, {});
    expect(await soon(manifest)).toMatchObject({ kind: 'manifest' });
    expect(await soon(configs.hold(serving(config), 'team/app', { bytes: image }, {}))).toBeUndefined();
    const token = { headers: new Map(), body: Readable.from([Buffer.from('{"token":"t"}')]) };
    const owner = { upstream: 'a.example', bodies };
    expect(await soon(readSmallBody(owner, token, { maxBytes: 64 * 1024 }))).toHaveLength(13);
  });
});

test('a registry that is busy with manifests still has room for its token, whatever another one holds', async () => {
  begin();
  const slow = (upstream: string) =>
    registry(upstream, { length: 4 * MIB, body: () => new Readable({ read() {} }) });
  for (const client of [slow('a.example'), slow('b.example')])
    for (let index = 0; index < 64; index += 1) {
      const question = { digest: sha256(`${index}`), accept: undefined, isKnown: false };
      under.push(manifests.fetchByDigest(client, 'team/app', question, { signal: gone.signal }));
    }
  await eventually(() => bodies.bytes > 16 * MIB);
  const token = { headers: new Map(), body: Readable.from([Buffer.from('{"token":"t"}')]) };
  const owner = { upstream: 'a.example', bodies };
  expect(await soon(readSmallBody(owner, token, { maxBytes: 64 * 1024 }))).toHaveLength(13);
});
