/** A signed tag is served as exactly what was signed; everything else is a refusal that says why. */

import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { TrustReason } from '../../proxy/reason.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
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
  verified,
} from './harness.ts';

const SIGNED = manifest('signed');
const OTHER = manifest('other');
const TAG = '/v2/library/app/manifests/1.0';
const BY_DIGEST = `/v2/library/app/manifests/${SIGNED.digest}`;

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({
    signed: { '1.0': SIGNED, '0.9': OTHER },
    handler: serve(SIGNED.bytes),
    ...options,
  });
  running.push(proxy);
  return proxy;
}

/** Answers every request with these bytes as a manifest. */
function serve(bytes: Buffer, headers: Record<string, string> = {}, status = 200): Handler {
  return (_req, res) =>
    res
      .writeHead(status, { 'content-type': MANIFEST_TYPE, 'content-length': bytes.length, ...headers })
      .end(bytes);
}

describe('a signed tag', () => {
  test('is asked for by digest only, with our own Accept list and no compression', async () => {
    const { port, upstream } = await start();
    const reply = await ask(port, TAG, {
      headers: { accept: `application/json, ${MANIFEST_TYPE}`, 'accept-encoding': 'gzip' },
    });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual(SIGNED.bytes);
    expect(upstream.received.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${BY_DIGEST}`]);
    expect(upstream.received[0]?.headers).toMatchObject({
      accept:
        'application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, ' +
        'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json',
      'accept-encoding': 'identity',
    });
  });

  test('has the headers clients need, the same on HEAD as on GET', async () => {
    const { port } = await start();
    const get = await ask(port, TAG);
    const head = await ask(port, TAG, { method: 'HEAD' });
    expect(get.headers).toMatchObject({
      'content-type': MANIFEST_TYPE,
      'content-length': String(SIGNED.length),
      'docker-content-digest': SIGNED.digest,
      etag: `"${SIGNED.digest}"`,
      'docker-distribution-api-version': 'registry/2.0',
    });
    const { 'x-request-id': _get, date: _date, ...rest } = get.headers;
    expect(head.headers).toMatchObject(rest);
    expect([head.status, head.body.length]).toEqual([200, 0]);
  });

  test('is 304 to a client that has the signed digest, and to no other', async () => {
    const { port } = await start();
    const known = await ask(port, TAG, { headers: { 'if-none-match': `"x", "${SIGNED.digest}"` } });
    expect([known.status, known.body.length, known.headers.etag]).toEqual([304, 0, `"${SIGNED.digest}"`]);
    for (const value of [`"${OTHER.digest}"`, '*', `W/"${SIGNED.digest}"`, SIGNED.digest]) {
      expect((await ask(port, TAG, { headers: { 'if-none-match': value } })).status).toBe(200);
    }
  });

  test('is recorded as one decision', async () => {
    const { port, records, answered } = await start();
    await ask(port, TAG);
    expect(records).toEqual([
      expect.objectContaining({
        registry: 'docker.io',
        repository: 'library/app',
        reference: { kind: 'tag', text: '1.0' },
        digest: SIGNED.digest,
        rule: 'all',
        mode: 'enforce',
        result: 'allow',
        reason: 'signed',
        path: 'cache',
        gun: 'docker.io/library/app',
        client: '127.0.0.1',
      }),
    ]);
    expect(answered).toEqual([{ route: 'manifest', code: 200 }]);
  });

  test('is served when recording fails', async () => {
    const proxy = await start({
      record: () => {
        throw new Error('disk full');
      },
    });
    expect((await ask(proxy.port, TAG)).status).toBe(200);
    expect(proxy.errors).toHaveLength(1);
  });

  test('with our own account is served from memory, without asking the registry again', async () => {
    const { port, upstream } = await start({ auth: BASIC });
    await Promise.all([ask(port, TAG), ask(port, TAG), ask(port, TAG)]);
    await ask(port, TAG);
    expect(upstream.received).toHaveLength(1);
  });

  test('of another type than the client takes is refused, not converted', async () => {
    const { port } = await start();
    const reply = await ask(port, TAG, { headers: { accept: 'application/vnd.oci.image.index.v1+json' } });
    expect([reply.status, errorOf(reply).code]).toEqual([404, 'MANIFEST_UNKNOWN']);
  });

  test.each([
    ['/v2/docker.io/library/app/manifests/1.0', undefined, 'docker.io/library/app'],
    ['/v2/index.docker.io/library/app/manifests/1.0', undefined, 'docker.io/library/app'],
    ['/v2/library/app/manifests/1.0?ns=docker.io', undefined, 'docker.io/library/app'],
    ['/v2/library/app/manifests/1.0?ns=registry-1.docker.io', 'quay.proxy.test', 'docker.io/library/app'],
    ['/v2/app/manifests/1.0', undefined, 'docker.io/library/app'],
    ['/v2/quay.io/library/app/manifests/1.0', undefined, 'quay.io/library/app'],
    ['/v2/library/app/manifests/1.0', 'quay.proxy.test:5050', 'quay.io/library/app'],
    ['/hub/v2/library/app/manifests/1.0', undefined, 'docker.io/library/app'],
    ['/hub/v2/app/manifests/1.0', 'quay.proxy.test', 'docker.io/library/app'],
    ['/v2/library/app/manifests/1.0', 'QUAY.proxy.test:1', 'quay.io/library/app'],
    ['/v2/quay.io:8443/library/app/manifests/1.0', undefined, 'quay.io:8443/library/app'],
    ['/v2/library/app/manifests/1.0?ns=quay.io%3A8443', undefined, 'quay.io:8443/library/app'],
    ['/v2/library/app/manifests/1.0?ns=quay.io%3a8443', undefined, 'quay.io:8443/library/app'],
  ])('%s at %s is %s, and ns stays here', async (path, host, gun) => {
    const { port, records, upstream } = await start();
    const reply = await ask(port, path, { headers: host === undefined ? {} : { host } });
    expect([reply.status, records[0]?.gun]).toEqual([200, gun]);
    expect(upstream.received[0]?.url).toBe(BY_DIGEST);
  });
});

describe('a hostile registry gets nothing through', () => {
  const bigger = Buffer.concat([SIGNED.bytes, Buffer.from(' ')]);
  const changed = Buffer.from(SIGNED.bytes.toString().replace('signed', 'hacked'));
  test.each<[string, Handler, number, string]>([
    ['another manifest', serve(OTHER.bytes), 502, 'digest_mismatch'],
    ['one changed byte', serve(changed), 502, 'digest_mismatch'],
    ['one byte more', serve(bigger), 502, 'digest_mismatch'],
    ['one byte less', serve(SIGNED.bytes.subarray(0, -1)), 502, 'digest_mismatch'],
    ['an empty body', serve(Buffer.alloc(0)), 502, 'digest_mismatch'],
    ['5 MiB', serve(Buffer.alloc(5 * 1024 * 1024, 'x')), 502, 'digest_mismatch'],
    [
      'a body that never ends',
      (_req, res) => void setInterval(() => res.write(Buffer.alloc(65_536)), 5).unref(),
      502,
      'digest_mismatch',
    ],
    [
      'another digest header',
      serve(SIGNED.bytes, { 'docker-content-digest': OTHER.digest }),
      502,
      'digest_mismatch',
    ],
    [
      'another media type',
      serve(SIGNED.bytes, { 'content-type': 'application/vnd.oci.image.index.v1+json' }),
      502,
      'digest_mismatch',
    ],
    [
      'a related media type',
      serve(SIGNED.bytes, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }),
      502,
      'digest_mismatch',
    ],
    [
      'schema1',
      serve(SIGNED.bytes, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }),
      502,
      'digest_mismatch',
    ],
    ['text/html', serve(SIGNED.bytes, { 'content-type': 'text/html' }), 502, 'digest_mismatch'],
    ['gzip', serve(gzipSync(SIGNED.bytes), { 'content-encoding': 'gzip' }), 502, 'registry_unreachable'],
    [
      'a header that says gzip over the right bytes',
      serve(SIGNED.bytes, { 'content-encoding': 'gzip' }),
      502,
      'registry_unreachable',
    ],
    ['206', serve(SIGNED.bytes, {}, 206), 502, 'registry_unreachable'],
    ['203', serve(SIGNED.bytes, {}, 203), 502, 'registry_unreachable'],
    ['500', serve(SIGNED.bytes, {}, 500), 502, 'registry_unreachable'],
    ['404', serve(SIGNED.bytes, {}, 404), 404, 'signed_digest_missing'],
    [
      'a cut body',
      (req, res) => {
        res
          .writeHead(200, { 'content-type': MANIFEST_TYPE, 'content-length': SIGNED.length })
          .write(SIGNED.bytes.subarray(0, 9));
        setTimeout(() => req.socket.destroy(), 20);
      },
      502,
      'registry_unreachable',
    ],
    ['no answer at all', () => undefined, 503, 'deadline_exceeded'],
    ['a reset', (req) => req.socket.destroy(), 502, 'registry_unreachable'],
    ['no HTTP', (req) => req.socket.end('hello\r\n\r\n'), 502, 'registry_unreachable'],
  ])('%s', async (_name, handler, status, reason) => {
    const { port, records } = await start({ handler, deadlineMs: 400 });
    const reply = await ask(port, TAG);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([status, reason]);
    expect(reply.body.toString()).not.toContain('schemaVersion');
    expect(records.map((entry) => entry.reason)).toEqual([reason]);
    const head = await ask(port, TAG, { method: 'HEAD' });
    expect([head.status, head.headers['docker-content-digest']]).toEqual([status, undefined]);
  });

  test.each([301, 302, 303, 307, 308])('a %d is not followed', async (status) => {
    const elsewhere = await start({ handler: serve(SIGNED.bytes) });
    const location = `http://127.0.0.1:${elsewhere.upstream.port}${BY_DIGEST}`;
    const { port } = await start({ handler: (_req, res) => res.writeHead(status, { location }).end() });
    const reply = await ask(port, TAG);
    expect([reply.status, errorOf(reply).detail['reason'], reply.headers.location]).toEqual([
      502,
      'registry_unreachable',
      undefined,
    ]);
    expect(elsewhere.upstream.received).toEqual([]);
  });

  test('bytes that two clients could read as two things are refused although they were signed', async () => {
    const both = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [], manifests: [] }));
    const signed = { digest: sha256(both), length: both.length };
    const { port } = await start({ handler: serve(both), signed: { '1.0': signed } });
    expect((await ask(port, TAG)).status).toBe(502);
  });

  test('a wrong signed length is refused, also when the bytes are in memory', async () => {
    const signed = {
      '1.0': SIGNED,
      short: { ...SIGNED, length: SIGNED.length - 1 },
      huge: { ...SIGNED, length: 2 ** 40 },
    };
    const { port } = await start({ auth: BASIC, signed });
    expect((await ask(port, TAG)).status).toBe(200);
    for (const tag of ['short', 'huge']) {
      expect((await ask(port, `/v2/library/app/manifests/${tag}`)).status).toBe(502);
    }
  });
});

describe('a refusal', () => {
  test('says why in the body, in the reason phrase, and the same on HEAD', async () => {
    const { port, upstream, records } = await start();
    const get = await ask(port, '/v2/library/app/manifests/unsigned');
    expect(get.status).toBe(403);
    expect(get.phrase).toBe(
      'Denied by Pullwarden: docker.io/library/app:unsigned is not signed: no valid signature in targets/releases or targets',
    );
    expect(errorOf(get)).toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('docker.io/library/app:unsigned is not signed: no valid signature'),
      detail: {
        reason: 'unsigned_tag',
        rule: 'all',
        gun: 'docker.io/library/app',
        requestId: get.headers['x-request-id'],
      },
    });
    const head = await ask(port, '/v2/library/app/manifests/unsigned', { method: 'HEAD' });
    expect([head.status, head.phrase, head.body.length]).toEqual([403, get.phrase, 0]);
    expect(head.headers['content-length']).toBe(get.headers['content-length']);
    expect(head.headers['content-type']).toBe('application/json');
    expect(upstream.received).toEqual([]);
    expect(records.map(({ result, reason }) => `${result} ${reason}`)).toEqual([
      'deny unsigned_tag',
      'deny unsigned_tag',
    ]);
  });

  test.each<[TrustReason, number]>([
    ['no_trust_data', 403],
    ['key_not_pinned', 403],
    ['root_rotation_refused', 403],
    ['metadata_expired', 403],
    ['metadata_rollback', 403],
    ['metadata_invalid', 403],
    ['trust_unreachable', 503],
    ['deadline_exceeded', 503],
  ])('for %s is %d, and nothing is asked of the registry', async (reason, status) => {
    const error = new TrustError(reason, 'absent', 'secret detail');
    const { port, upstream } = await start({
      trustFor: async () => ({ kind: 'failed', error, path: 'cold' }),
    });
    const reply = await ask(port, TAG);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([status, reason]);
    expect(reply.headers['retry-after']).toBe(status === 503 ? '10' : undefined);
    expect(reply.body.toString()).not.toContain('secret detail');
    expect(upstream.received).toEqual([]);
  });

  test('by rule or for want of one covers tags, digests, blobs, referrers and lists', async () => {
    const paths = [
      TAG,
      BY_DIGEST,
      `/v2/library/app/blobs/${SIGNED.digest}`,
      `/v2/library/app/referrers/${SIGNED.digest}`,
      '/v2/library/app/tags/list',
    ];
    for (const [options, reason] of [
      [{ rules: [rule({ mode: 'deny' })] }, 'denied_by_rule'],
      [{ rules: [] }, 'no_rule'],
    ] as const) {
      const { port, upstream, records } = await start(options);
      for (const path of paths) expect(errorOf(await ask(port, path)).detail['reason']).toBe(reason);
      expect(upstream.received).toEqual([]);
      expect(records).toHaveLength(paths.length);
    }
  });

  test('an unexpected failure is 500 without a word of it', async () => {
    const proxy = await start({ trustFor: () => Promise.reject(new Error('password=hunter2')) });
    const reply = await ask(proxy.port, TAG);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([500, 'internal']);
    expect(reply.body.toString() + reply.phrase).not.toContain('hunter2');
    expect(proxy.errors).toHaveLength(1);
  });

  test('is never 401', async () => {
    const { port } = await start({ handler: (_req, res) => res.writeHead(401).end(), auth: BASIC });
    const reply = await ask(port, TAG);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'registry_unreachable']);
  });
});

describe('a private repository', () => {
  const privately: Handler = (req, res) => {
    if (req.headers.authorization === 'Bearer alice') return serve(SIGNED.bytes)(req, res);
    const challenges = ['Bearer realm="https://auth.example/token",service="x"', 'Basic realm="y"'];
    res
      .writeHead(401, { 'www-authenticate': challenges, 'content-type': 'application/json' })
      .end('{"errors":[]}');
  };

  test('its manifest is not served from memory to someone the registry does not let in', async () => {
    const { port } = await start({ handler: privately });
    expect((await ask(port, TAG, { headers: { authorization: 'Bearer alice' } })).status).toBe(200);
    for (const headers of [{}, { authorization: 'Bearer mallory' }]) {
      const reply = await ask(port, TAG, { headers: headers as Record<string, string> });
      expect([reply.status, reply.body.toString()]).toEqual([401, '{"errors":[]}']);
    }
  });

  test('the registry’s challenge reaches the client unchanged', async () => {
    const { port, records } = await start({ handler: privately });
    const reply = await ask(port, TAG);
    expect(reply.headers['www-authenticate']).toBe(
      'Bearer realm="https://auth.example/token",service="x", Basic realm="y"',
    );
    expect(records).toEqual([]);
  });

  test('a HEAD 200 that does not name the digest is no yes: a maintenance page lets nobody in', async () => {
    const { port, upstream } = await start({ handler: serve(SIGNED.bytes) });
    const as = (who: string) => ask(port, TAG, { headers: { authorization: `Bearer ${who}` } });
    expect((await as('alice')).status).toBe(200);
    upstream.answer((_req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<p>back soon'));
    expect((await as('mallory')).status).toBe(502);
    expect((await as('alice')).status).toBe(200);
  });

  test('someone the registry let in is served from memory, and someone new after one HEAD', async () => {
    const { port, upstream } = await start({
      handler: (_req, res) =>
        res
          .writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': SIGNED.digest })
          .end(SIGNED.bytes),
    });
    const as = (who: string) => ask(port, TAG, { headers: { authorization: `Bearer ${who}` } });
    for (const who of ['alice', 'alice', 'bob', 'bob']) expect((await as(who)).status).toBe(200);
    expect(upstream.received.map(({ method, headers }) => `${method} ${headers.authorization}`)).toEqual([
      'GET Bearer alice',
      'HEAD Bearer bob',
    ]);
  });

  test('signed tags are suggested only to those who may read it', async () => {
    const { port } = await start({ handler: privately });
    const unsigned = (headers: Record<string, string>) =>
      ask(port, '/v2/library/app/manifests/1.1', { headers });
    const alice = { authorization: 'Bearer alice' };
    expect(errorOf(await unsigned(alice)).message).not.toContain('0.9');
    await ask(port, TAG, { headers: alice });
    expect(errorOf(await unsigned(alice)).message).toContain('1.0, 0.9');
    expect(errorOf(await unsigned({})).message).not.toContain('0.9');
  });

  test('429 and 403 of the registry are the registry’s own words', async () => {
    for (const status of [403, 429]) {
      const handler: Handler = (_req, res) =>
        res.writeHead(status, { 'retry-after': '7', 'set-cookie': 'a=b' }).end('{"errors":[{"code":"X"}]}');
      const { port } = await start({ handler });
      const reply = await ask(port, TAG);
      expect([reply.status, reply.headers['retry-after'], reply.body.toString()]).toEqual([
        status,
        '7',
        '{"errors":[{"code":"X"}]}',
      ]);
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
  });
});

test('tags of a repository are judged by that repository’s own trust data', async () => {
  const asked: string[] = [];
  const { port } = await start({
    trustFor: async (registry, gun) => {
      asked.push(`${registry} ${gun}`);
      return verified(gun, {});
    },
  });
  await ask(port, '/v2/quay.io/team/app/manifests/1.0');
  expect(asked).toEqual(['quay.io quay.io/team/app']);
});

test('a client that goes away counts as nobody’s error, and its request to the registry ends', async () => {
  let closed: (() => void) | undefined;
  const upstreamClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  let arrived: (() => void) | undefined;
  const waiting = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const { port, records, errors } = await start({
    handler: (req) => {
      req.socket.on('close', () => closed?.());
      arrived?.();
    },
  });
  const request = httpRequest({ port, path: TAG, agent: false }).end();
  request.on('error', () => undefined);
  await waiting;
  request.destroy();
  await upstreamClosed;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([records, errors]).toEqual([[], []]);
});
