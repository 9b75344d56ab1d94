/** Where there is no room for an answer that is read as a whole: who is told what, and that the room is given back. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { keep } from '../../proxy/forward/bodies.ts';
import { Room } from '../../proxy/forward/room.ts';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';
import { eventually } from '../listen/kit.ts';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from './harness.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = manifest('app');
const CONFIG = Buffer.from('{"os":"linux"}');
const WITH_CONFIG = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: 'x/y', size: CONFIG.length, digest: sha256(CONFIG) },
    layers: [],
  }),
);
const NO_ROOM = /this proxy has no room for /;
const CHALLENGE = 'Bearer realm="https://auth.example/token"';
const OFF = { rules: [rule({ mode: 'off' })] };

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

/** Everything is there, and answered at once. */
const registry: Handler = (req, res) => {
  const url = req.url ?? '';
  if (url.includes('/manifests/sha256-')) {
    const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
    return res.writeHead(200, { 'content-type': INDEX, 'content-length': body.length }).end(body);
  }
  if (url.includes('/referrers/')) return res.writeHead(404, { 'content-type': 'text/plain' }).end('404\n');
  if (url.includes('/tags/list'))
    return res.writeHead(200).end(JSON.stringify({ name: 'x', tags: ['signed'] }));
  if (url.includes('/blobs/'))
    return res.writeHead(200, { 'content-length': CONFIG.length }).end(req.method === 'HEAD' ? '' : CONFIG);
  const bytes = url.endsWith(sha256(WITH_CONFIG)) ? WITH_CONFIG : IMAGE.bytes;
  const headers = {
    'content-type': MANIFEST_TYPE,
    'content-length': bytes.length,
    'docker-content-digest': sha256(bytes),
  };
  return res.writeHead(200, headers).end(req.method === 'HEAD' ? '' : bytes);
};

/** A room so small that this many bytes are all that may be read. */
async function start(left: number, options: ProxyOptions = {}, more = left) {
  const maxBytes = { first: 2 * left, more: 2 * more, list: 2 * left };
  const bodies = new BodyRoom({ maxBytes, waitTimeout: 50 });
  const proxy = await startProxy({ handler: registry, bodies, ...options });
  running.push(proxy);
  return { ...proxy, bodies };
}

const SIGNED = {
  signed: { signed: { digest: IMAGE.digest, length: IMAGE.bytes.length } },
} as unknown as ProxyOptions;
const DOCKERD = { 'user-agent': 'docker/20.10.24 go/go1.19' };
const BY_DIGEST = `/v2/library/app/manifests/${IMAGE.digest}`;

describe('a refusal of 503 that says when to ask again', () => {
  test.each<[string, string, ProxyOptions]>([
    ['a manifest by digest', BY_DIGEST, {}],
    ['a signed tag', '/v2/library/app/manifests/signed', SIGNED],
    ['a tag no rule judges', '/v2/library/app/manifests/any', OFF],
    ['a tag list', '/v2/library/app/tags/list', SIGNED],
    ['referrers in a tag', `/v2/library/app/referrers/${IMAGE.digest}`, OFF],
  ])('%s', async (_what, path, options) => {
    const { port, bodies } = await start(10, options);
    const reply = await ask(port, path);
    expect([reply.status, reply.headers['retry-after']]).toEqual([503, '10']);
    expect(errorOf(reply)).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(NO_ROOM),
      detail: { reason: 'deadline_exceeded' },
    });
    await eventually(() => bodies.bytes === 0);
  });

  test('in the form a daemon with a bare mirror stops at', async () => {
    const { port } = await start(10);
    const reply = await ask(port, BY_DIGEST, { headers: DOCKERD });
    expect([reply.status, reply.phrase]).toEqual([503, expect.stringMatching(/no such process/)]);
  });

  test('in the form a containerd mirror stops at', async () => {
    const { port } = await start(10, SIGNED);
    const reply = await ask(port, '/v2/library/app/manifests/signed?ns=docker.io');
    expect([reply.status, reply.phrase]).toEqual([300, expect.stringMatching(NO_ROOM)]);
  });

  test('for an image whose manifest has room, and its configuration has not', async () => {
    const path = `/v2/library/app/manifests/${sha256(WITH_CONFIG)}`;
    const { port, bodies } = await start(WITH_CONFIG.length, {}, CONFIG.length - 1);
    const reply = await ask(port, path, { headers: DOCKERD });
    expect([reply.status, reply.phrase]).toEqual([503, expect.stringMatching(NO_ROOM)]);
    await eventually(() => bodies.bytes === 0);
    const enough = await start(WITH_CONFIG.length, {}, CONFIG.length);
    expect(await ask(enough.port, path, { headers: DOCKERD })).toMatchObject({ status: 200 });
    await eventually(() => enough.bodies.bytes === 0);
  });
});

test('the registry’s refusal goes on without its words', async () => {
  const refusing: Handler = (_req, res) =>
    res
      .writeHead(401, { 'www-authenticate': CHALLENGE, 'content-type': 'application/json' })
      .end('{"errors":[]}');
  const { port, bodies } = await start(5, { handler: refusing });
  const reply = await ask(port, BY_DIGEST);
  expect([reply.status, reply.headers['www-authenticate'], reply.body.length]).toEqual([401, CHALLENGE, 0]);
  expect(bodies.bytes).toBe(0);
});

test('a token there is no room for is our fault, not the registry’s', async () => {
  const challenging: Handler = (req, res) => {
    if (req.url?.startsWith('/token')) return res.writeHead(200).end('{"token":"t"}');
    const challenge = `Bearer realm="http://${req.headers.host}/token",service="x"`;
    return res.writeHead(401, { 'www-authenticate': challenge }).end();
  };
  const { port, bodies } = await start(5, {
    handler: challenging,
    auth: { kind: 'basic', username: 'u', password: () => 'p' },
  });
  const reply = await ask(port, BY_DIGEST);
  expect([reply.status, errorOf(reply).message]).toEqual([503, expect.stringMatching(NO_ROOM)]);
  expect(bodies.bytes).toBe(0);
});

test('an index of referrers is refused where it could not wait for its client', async () => {
  const listed = Array.from({ length: 300 }, () => ({
    mediaType: 'x/y',
    size: 1,
    annotations: { a: 'x'.repeat(1000) },
  }));
  const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: listed });
  const tagging: Handler = (req, res) =>
    req.url?.includes('/manifests/sha256-') === true
      ? res.writeHead(200, { 'content-type': INDEX }).end(body)
      : registry(req, res);
  const path = `/v2/library/app/referrers/${IMAGE.digest}`;
  const small = await startProxy({
    handler: tagging,
    ...OFF,
    room: new Room({ maxBytes: 2 * body.length - 4096 }),
  });
  running.push(small);
  const refused = await ask(small.port, path);
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '10']);
  const large = await startProxy({ handler: tagging, ...OFF, room: new Room({ maxBytes: 4 * body.length }) });
  running.push(large);
  expect(JSON.parse((await ask(large.port, path)).body.toString()).manifests).toHaveLength(300);
});

test('trust files that stream by are kept while there is room to collect them', () => {
  const MIB = 1024 * 1024;
  const start = () => {
    const answer = Object.assign(new EventEmitter(), { headers: {}, headersDistinct: {}, complete: true });
    const result = { answer, bytes: 0 };
    keep(answer as unknown as IncomingMessage, 'hub', {
      maxBytes: 8 * MIB,
      onWhole: ({ bytes }) => {
        result.bytes = bytes.length;
      },
    });
    return result;
  };
  const collect = (length: number, count: number): readonly number[] => {
    const files = Array.from({ length: count }, start);
    for (const { answer } of files)
      for (let at = 0; at < length; at += MIB) answer.emit('data', Buffer.alloc(Math.min(MIB, length - at)));
    for (const { answer } of files) answer.emit('end');
    for (const { answer } of files) answer.emit('close');
    return files.map(({ bytes }) => bytes / MIB);
  };
  expect(collect(8 * MIB, 4)).toEqual([8, 8, 0, 0]);
  expect(collect(8 * MIB, 1)).toEqual([8]);
  expect(collect(8 * MIB + 1, 1)).toEqual([0]);
});

test('a tag list that hangs keeps no manifest of the same registry waiting', async () => {
  const hanging: Handler = (req, res) =>
    req.url?.includes('/tags/list') === true
      ? void res.writeHead(200, { 'content-length': 1000 }).write('{')
      : registry(req, res);
  const { port, bodies } = await start(1000, { ...SIGNED, handler: hanging });
  const list = ask(port, '/v2/library/app/tags/list').catch(() => undefined);
  await eventually(() => bodies.bytes === 1000);
  expect(await ask(port, BY_DIGEST)).toMatchObject({ status: 200 });
  for (const proxy of running.splice(0)) await proxy.close();
  await list;
});
