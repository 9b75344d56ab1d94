/** A manifest by digest leaves only as what the digest names; and what was seen once is remembered for who may read it. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  BASIC,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from './harness.ts';

const ONE = manifest('one');
const OTHER = manifest('other');
const PATH = `/v2/library/app/manifests/${ONE.digest}`;

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, ...options });
  running.push(proxy);
  return proxy;
}

function serve(bytes: Uint8Array, contentType = MANIFEST_TYPE): Handler {
  return (_req, res) => res.writeHead(200, { 'content-type': contentType }).end(bytes);
}

describe('the bytes are compared with the digest before the first one leaves', () => {
  test.each<[string, Handler]>([
    ['another manifest', serve(OTHER.bytes)],
    ['one byte more', serve(Buffer.concat([ONE.bytes, Buffer.from(' ')]))],
    ['one byte less', serve(ONE.bytes.subarray(1))],
    ['nothing', serve(Buffer.alloc(0))],
    ['more than 4 MiB', serve(Buffer.alloc(4 * 1024 * 1024 + 1, ' '))],
    ['a body without end', (_req, res) => void setInterval(() => res.write(Buffer.alloc(65_536)), 2).unref()],
    [
      'another manifest said to be schema 1',
      serve(OTHER.bytes, 'application/vnd.docker.distribution.manifest.v1+json'),
    ],
  ])('%s is 502, and recorded as that', async (_name, handler) => {
    const { port, records } = await start(handler);
    const reply = await ask(port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'digest_mismatch']);
    expect(reply.body.length).toBeLessThan(1000);
    expect(records.map(({ reason }) => reason)).toEqual(['digest_mismatch']);
  });

  test('a manifest that is cut off is 502, not a part of it', async () => {
    const { port } = await start((req, res) => {
      res.writeHead(200, { 'content-length': ONE.length }).write(ONE.bytes.subarray(0, 20));
      setTimeout(() => req.socket.destroy(), 20);
    });
    const reply = await ask(port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'registry_unreachable']);
  });

  test('sha512 is compared as sha512', async () => {
    const digest = `sha512:${createHash('sha512').update(ONE.bytes).digest('hex')}`;
    const { port, upstream } = await start(serve(ONE.bytes));
    expect((await ask(port, `/v2/library/app/manifests/${digest}`)).body).toEqual(ONE.bytes);
    upstream.answer(serve(OTHER.bytes));
    expect((await ask(port, `/v2/library/other/manifests/${digest}`)).status).toBe(502);
  });

  test('of any media type, with exact headers, whatever the registry left out', async () => {
    const bytes = Buffer.from('{"schemaVersion":2,"anything":true}');
    const { port } = await start(serve(bytes, 'application/vnd.example+json'));
    const reply = await ask(port, `/v2/library/app/manifests/${sha256(bytes)}`);
    expect([reply.status, reply.body]).toEqual([200, bytes]);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/vnd.example+json',
      'content-length': String(bytes.length),
      'docker-content-digest': sha256(bytes),
    });
  });

  test('a tag no rule judges has no digest to compare with', async () => {
    const { port } = await start(serve(Buffer.from('any'), 'application/vnd.example'), {
      rules: [rule({ mode: 'off' })],
    });
    expect((await ask(port, '/v2/library/app/manifests/t')).body.toString()).toBe('any');
  });
});

describe('schema 1, by digest alone', () => {
  const payload = '{\n   "schemaVersion": 1,\n   "name": "library/app"\n}';
  const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

  /** Signed as libtrust does: the signatures stand before the payload's closing brace. */
  function signed(over: string, formatLength = over.length - 2): Buffer {
    const header = { formatLength, formatTail: Buffer.from('\n}').toString('base64url') };
    const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const signature = sign('sha256', Buffer.from(over), privateKey).toString('base64url');
    const signatures = JSON.stringify([{ signature, protected: protectedHeader }]);
    return Buffer.from(`${over.slice(0, -2)},\n   "signatures": ${signatures}\n}`);
  }
  const path = `/v2/library/app/manifests/${sha256(payload)}`;

  test('is compared by its signed payload', async () => {
    const { port, upstream } = await start(serve(signed(payload), type));
    const reply = await ask(port, path);
    expect([reply.status, reply.headers['docker-content-digest']]).toEqual([200, sha256(payload)]);
    for (const bytes of [
      signed(payload.replace('app', 'bad')),
      signed(payload, 10),
      signed(payload, -1),
      signed(payload, 1e9),
      Buffer.from(payload.replace('app', 'bad')),
      Buffer.from('{"signatures":[]}'),
      Buffer.from('{"signatures":[{"protected":"e30"}]}'),
      Buffer.from('not json'),
    ]) {
      upstream.answer(serve(bytes, type));
      // Another repository, where nothing is remembered.
      expect((await ask(port, path.replace('app', 'other'))).status).toBe(502);
    }
  });

  test('and under another media type it is other bytes', async () => {
    const { port } = await start(serve(signed(payload)));
    expect((await ask(port, path)).status).toBe(502);
  });
});

describe('what was seen once', () => {
  const alice = { authorization: 'Bearer alice' };

  test('is served from memory to a caller the registry let read it, also on HEAD, and recorded', async () => {
    const { port, upstream, records } = await start(serve(ONE.bytes));
    await ask(port, PATH, { headers: alice });
    const [get, head] = [
      await ask(port, PATH, { headers: alice }),
      await ask(port, PATH, { headers: alice, method: 'HEAD' }),
    ];
    expect([get.status, get.body, head.status, head.headers['content-length']]).toEqual([
      200,
      ONE.bytes,
      200,
      String(ONE.length),
    ]);
    expect(upstream.received).toHaveLength(1);
    expect(records.map(({ reason }) => reason)).toEqual(['digest', 'digest', 'digest']);
  });

  test('is asked of the registry for everybody else, who gets the registry’s word', async () => {
    const { port, upstream } = await start(serve(ONE.bytes));
    await ask(port, PATH, { headers: alice });
    upstream.answer((_req, res) => res.writeHead(401, { 'www-authenticate': 'Bearer realm="r"' }).end('{}'));
    expect((await ask(port, PATH)).status).toBe(401);
    expect((await ask(port, PATH, { headers: { authorization: 'Bearer mallory' } })).status).toBe(401);
    expect((await ask(port, PATH.replace('app', 'other'), { headers: alice })).status).toBe(401);
    expect((await ask(port, PATH, { headers: alice })).status).toBe(200);
  });

  test('with our own account is served to all', async () => {
    const { port, upstream } = await start(serve(ONE.bytes), { auth: BASIC });
    for (let i = 0; i < 3; i += 1) expect((await ask(port, PATH)).status).toBe(200);
    expect(upstream.received.filter(({ method }) => method === 'GET')).toHaveLength(1);
  });

  test('as a signed tag is served by digest, and the other way round', async () => {
    const { port, upstream } = await start(serve(ONE.bytes), { signed: { '1': ONE } });
    await ask(port, '/v2/library/app/manifests/1');
    expect((await ask(port, PATH)).body).toEqual(ONE.bytes);
    await ask(port, '/v2/library/app/manifests/1');
    expect(upstream.received).toHaveLength(1);
  });

  test('is 304 to a client that has it, and not forced on one that does not take its type', async () => {
    const { port, upstream } = await start(serve(ONE.bytes));
    await ask(port, PATH);
    expect((await ask(port, PATH, { headers: { 'if-none-match': `"${ONE.digest}"` } })).status).toBe(304);
    upstream.answer((_req, res) => res.writeHead(404).end());
    const accept = 'application/vnd.oci.image.index.v1+json';
    expect((await ask(port, PATH, { headers: { accept } })).status).toBe(404);
  });

  test('goes out as what the bytes say they are, and is refused under a type they contradict', async () => {
    const { port, upstream } = await start(serve(ONE.bytes, 'text/html'));
    for (let i = 0; i < 2; i += 1)
      expect((await ask(port, PATH)).headers['content-type']).toBe(MANIFEST_TYPE);
    expect(upstream.received).toHaveLength(1);
    upstream.answer(serve(ONE.bytes, 'application/vnd.oci.image.index.v1+json'));
    const reply = await ask(port, PATH.replace('app', 'other'));
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'digest_mismatch']);
  });

  test('is not served where a rule denies the repository meanwhile', async () => {
    const { port } = await start(serve(ONE.bytes), { rules: [rule({ mode: 'deny' })], signed: { '1': ONE } });
    expect(errorOf(await ask(port, PATH)).detail['reason']).toBe('denied_by_rule');
  });
});
