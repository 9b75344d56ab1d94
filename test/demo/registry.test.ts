import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { MEDIA_TYPES } from '../../proxy/demo/image.ts';
import { type PushedImage, RegistryServer } from '../../proxy/demo/registry.ts';
import { json, send } from './http.ts';

const NAME = 'library/alpine';
const registry = new RegistryServer();
let base: string;
let image: PushedImage;

beforeAll(async () => {
  base = `${await registry.start()}/v2`;
  image = registry.pushImage(NAME, '3.20');
});
afterAll(() => registry.stop());
beforeEach(() => {
  registry.requests.length = 0;
});

function digestOf(body: Uint8Array): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

test('the ping names the API version', async () => {
  const reply = await send(`${base}/`);
  expect(reply.status).toBe(200);
  expect(reply.headers['docker-distribution-api-version']).toBe('registry/2.0');
  expect(json(reply)).toEqual({});
});

describe('manifests', () => {
  test('by tag and by digest, GET and HEAD, with the headers clients need (registry-clients.md §3)', async () => {
    for (const reference of ['3.20', image.digest]) {
      const get = await send(`${base}/${NAME}/manifests/${reference}`);
      const head = await send(`${base}/${NAME}/manifests/${reference}`, { method: 'HEAD' });
      expect(digestOf(get.body)).toBe(image.digest);
      expect(head.body).toHaveLength(0);
      for (const { status, headers } of [get, head]) {
        expect(status).toBe(200);
        expect(headers).toMatchObject({
          'content-type': image.mediaType,
          'content-length': String(image.length),
          'docker-content-digest': image.digest,
          etag: `"${image.digest}"`,
        });
      }
    }
    expect([registry.manifestRequests, registry.tagRequests]).toEqual([4, 2]);
  });

  test.each(['docker', 'oci', 'docker-list', 'oci-index'] as const)(
    'an image of kind %s is whole',
    async (kind) => {
      const pushed = registry.pushImage('team/app', kind, { kind });
      expect(pushed.mediaType).toBe(MEDIA_TYPES[kind]);
      const queue = [pushed.digest, ...pushed.children];
      expect(queue).toHaveLength(kind.includes('-') ? 3 : 1);
      for (const digest of queue) {
        const reply = await send(`${base}/team/app/manifests/${digest}`, { headers: { Accept: '*/*' } });
        expect(digestOf(reply.body)).toBe(digest);
        const manifest = json(reply) as {
          config?: { digest: string };
          layers?: { digest: string; size: number }[];
        };
        for (const layer of manifest.layers ?? []) {
          const blob = await send(`${base}/team/app/blobs/${layer.digest}`);
          expect([digestOf(blob.body), blob.body.length]).toEqual([layer.digest, layer.size]);
        }
      }
    },
  );

  test('OCI manifests are for those who ask for them', async () => {
    const { digest } = registry.pushImage('team/oci', '1', { kind: 'oci' });
    const url = `${base}/team/oci/manifests/${digest}`;
    expect((await send(url, { headers: { Accept: MEDIA_TYPES.docker } })).status).toBe(404);
    expect((await send(url)).status).toBe(404);
    expect(
      (await send(url, { headers: { Accept: `${MEDIA_TYPES.docker}, ${MEDIA_TYPES.oci}` } })).status,
    ).toBe(200);
  });

  test('a tag can be moved; deleted manifests and unknown names are told apart', async () => {
    const first = registry.pushImage('team/moving', 'v1');
    const second = registry.pushImage('team/moving', 'v1', { label: 'overwritten' });
    expect(second.digest).not.toBe(first.digest);
    const head = () => send(`${base}/team/moving/manifests/v1`, { method: 'HEAD' });
    expect((await head()).headers['docker-content-digest']).toBe(second.digest);
    registry.moveTag('team/moving', 'v1', first.digest);
    expect((await head()).headers['docker-content-digest']).toBe(first.digest);
    registry.deleteManifest('team/moving', first.digest);
    const gone = await send(`${base}/team/moving/manifests/${first.digest}`);
    expect([gone.status, json(gone)]).toMatchObject([404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] }]);
    const unknown = await send(`${base}/no/such/manifests/v1`);
    expect([unknown.status, json(unknown)]).toMatchObject([404, { errors: [{ code: 'NAME_UNKNOWN' }] }]);
  });

  test('If-None-Match with the digest', async () => {
    const reply = await send(`${base}/${NAME}/manifests/3.20`, {
      headers: { 'If-None-Match': `"${image.digest}"` },
    });
    expect([reply.status, reply.body.length]).toEqual([304, 0]);
  });
});

describe('blobs', () => {
  const bytes = Buffer.from('0123456789');
  const digest = registry.putBlob(NAME, bytes);
  const get = (range: string) => send(`${base}/${NAME}/blobs/${digest}`, { headers: { Range: range } });

  test('whole', async () => {
    const reply = await send(`${base}/${NAME}/blobs/${digest}`);
    expect([reply.status, reply.body.toString(), reply.headers['accept-ranges']]).toEqual([
      200,
      '0123456789',
      'bytes',
    ]);
  });

  test.each([
    ['bytes=2-4', '234', '2-4'],
    ['bytes=7-', '789', '7-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=8-100', '89', '8-9'],
  ])('%s is answered 206', async (range, body, contentRange) => {
    const reply = await get(range);
    expect([reply.status, reply.body.toString()]).toEqual([206, body]);
    expect(reply.headers).toMatchObject({
      'content-range': `bytes ${contentRange}/10`,
      'content-length': String(body.length),
    });
  });

  test('a range beyond the end is 416; a range we do not read is ignored', async () => {
    const beyond = await get('bytes=10-');
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
    expect((await get('bytes=0-1,3-4')).status).toBe(200);
  });

  test('unknown', async () => {
    const reply = await send(`${base}/${NAME}/blobs/sha256:${'0'.repeat(64)}`);
    expect([reply.status, json(reply)]).toMatchObject([404, { errors: [{ code: 'BLOB_UNKNOWN' }] }]);
  });
});

describe('tag lists', () => {
  beforeAll(() => {
    for (const tag of ['c', 'a', 'd', 'b']) registry.pushImage('team/tags', tag);
  });

  test('sorted, whole', async () => {
    expect(json(await send(`${base}/team/tags/tags/list`))).toEqual({
      name: 'team/tags',
      tags: ['a', 'b', 'c', 'd'],
    });
  });

  test('in pages, by Link', async () => {
    const first = await send(`${base}/team/tags/tags/list?n=3`);
    expect(json(first)).toMatchObject({ tags: ['a', 'b', 'c'] });
    expect(first.headers['link']).toBe('</v2/team/tags/tags/list?last=c&n=3>; rel="next"');
    const second = await send(`${base}/team/tags/tags/list?last=c&n=3`);
    expect([json(second), second.headers['link']]).toEqual([{ name: 'team/tags', tags: ['d'] }, undefined]);
  });

  test('n=0 is an empty page, n=x an error', async () => {
    expect(json(await send(`${base}/team/tags/tags/list?n=0`))).toMatchObject({ tags: [] });
    expect((await send(`${base}/team/tags/tags/list?n=x`)).status).toBe(400);
  });
});

test('referrers and everything else are 404, other methods 405', async () => {
  const referrers = await send(`${base}/${NAME}/referrers/${image.digest}`);
  expect([referrers.status, referrers.body.toString()]).toEqual([404, '404 page not found\n']);
  expect((await send(`${base}/_catalog`)).status).toBe(404);
  expect((await send(`${base}/${NAME}/tags/other`)).status).toBe(404);
  expect((await send(`${base}/${NAME}/manifests/3.20`, { method: 'PUT' })).status).toBe(405);
});

test('the layer of an image is an archive whose content Docker can check against the configuration', async () => {
  const { gunzipSync } = await import('node:zlib');
  const [layer = ''] = image.layers;
  const manifest = JSON.parse(Buffer.from(image.body).toString()) as { config: { digest: string } };
  const config = json(await send(`${base}/${NAME}/blobs/${manifest.config.digest}`));
  const archive = gunzipSync((await send(`${base}/${NAME}/blobs/${layer}`)).body);
  expect(config).toMatchObject({ os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(archive)] } });
  expect(archive.subarray(0, 9).toString()).toBe('hello.txt');
  expect(archive.subarray(512).toString()).toContain('library/alpine:3.20 for linux/amd64');
});
