/** What passes streams through, both ways with nothing in it that should stay behind. */

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { createForwarder, type ForwarderOptions } from '../../proxy/forward/forwarder.ts';
import type { Forwarder } from '../../proxy/forward/types.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { UpstreamObservation } from '../../proxy/upstream/outcome.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import {
  ask,
  BASIC,
  errorOf,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from '../pull/harness.ts';
import { type Handler, startUpstream } from '../upstream/upstream.ts';

const BLOB = Buffer.alloc(300_000, 'blob');
const DIGEST = sha256(BLOB);
const PATH = `/v2/library/app/blobs/${DIGEST}`;
const MANIFEST = manifest('m');

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const proxy of running.splice(0).reverse()) await proxy.close();
});

async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, ...options });
  running.push(proxy);
  return proxy;
}

const serveBlob: Handler = (req, res) => {
  const range = /^bytes=(\d+)-$/.exec(req.headers.range ?? '');
  const from = range === null ? 0 : Number(range[1]);
  const part = BLOB.subarray(from);
  const headers = {
    'content-length': part.length,
    'content-type': 'application/octet-stream',
    'docker-content-digest': DIGEST,
    etag: `"${DIGEST}"`,
  };
  const more = range === null ? {} : { 'content-range': `bytes ${from}-${BLOB.length - 1}/${BLOB.length}` };
  res.writeHead(range === null ? 200 : 206, {
    ...headers,
    ...more,
    'set-cookie': 'a=b',
    'x-other': '1',
    connection: 'x-hop, close',
    'x-hop': '1',
  });
  res.end(req.method === 'HEAD' ? undefined : part);
};

describe('a blob', () => {
  test('arrives whole, and from anywhere inside with Range', async () => {
    const { port } = await start(serveBlob);
    const whole = await ask(port, PATH);
    expect([whole.status, whole.body.equals(BLOB), whole.headers['content-length']]).toEqual([
      200,
      true,
      '300000',
    ]);
    const rest = await ask(port, PATH, { headers: { range: 'bytes=299000-' } });
    expect([rest.status, rest.body.length, rest.headers['content-range']]).toEqual([
      206,
      1000,
      'bytes 299000-299999/300000',
    ]);
    const head = await ask(port, PATH, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '300000', 0]);
  });

  test('only allowed headers go either way', async () => {
    const { port, upstream } = await start(serveBlob);
    const sent = {
      'user-agent': 'docker/20',
      accept: 'a/b',
      range: 'bytes=0-',
      'accept-encoding': 'gzip',
      cookie: 'a=b',
      forwarded: 'for=1.2.3.4',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      'x-http-method-override': 'PUT',
      te: 'trailers',
      'proxy-authorization': 'Basic x',
      expect: '100-continue',
      connection: 'x-secret, close',
      'x-secret': 's',
    };
    const reply = await ask(port, PATH, { headers: sent });
    const { headers } = upstream.received[0] ?? { headers: {} };
    expect(Object.keys(headers).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'range',
      'user-agent',
    ]);
    expect(headers).toMatchObject({
      'accept-encoding': 'identity',
      host: `127.0.0.1:${upstream.port}`,
      connection: 'keep-alive',
    });
    expect(reply.headers).not.toHaveProperty('set-cookie');
    expect(reply.headers).not.toHaveProperty('x-other');
    expect(reply.headers).not.toHaveProperty('x-hop');
  });

  test('cut upstream is cut at the client, with and without a length', async () => {
    for (const headers of [{ 'content-length': 1000 }, {}]) {
      const { port } = await start((req, res) => {
        res.writeHead(200, headers).write('part');
        setTimeout(() => req.socket.destroy(), 30);
      });
      await expect(ask(port, PATH)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    }
  });

  test('the client going away closes the connection to the upstream', async () => {
    let closed: (() => void) | undefined;
    const upstreamClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const { port } = await start((_req, res) => {
      const timer = setInterval(() => res.write(Buffer.alloc(10_000)), 5);
      res.on('close', () => {
        clearInterval(timer);
        closed?.();
      });
    });
    const request = httpRequest({ port, path: PATH, agent: false }).end();
    request.on('error', () => undefined);
    const [response] = await once(request, 'response');
    response.on('error', () => undefined);
    response.once('data', () => request.destroy());
    await upstreamClosed;
  });

  test('the client going away before any answer closes it too', async () => {
    let arrived: (() => void) | undefined;
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let closed: (() => void) | undefined;
    const upstreamClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const { port } = await start((req) => {
      req.socket.on('close', () => closed?.());
      arrived?.();
    });
    const request = httpRequest({ port, path: PATH, agent: false }).end();
    request.on('error', () => undefined);
    await waiting;
    request.destroy();
    await upstreamClosed;
  });

  test('its headers are there before its first byte', async () => {
    let finish: (() => void) | undefined;
    const { port } = await start((_req, res) => {
      res.writeHead(200, { 'content-length': 4 }).flushHeaders();
      finish = () => res.end('late');
    });
    const request = httpRequest({ port, path: PATH, agent: false }).end();
    const [response] = await once(request, 'response');
    finish?.();
    response.resume();
    await once(response, 'end');
  });

  test('silence of the upstream ends it: with a refusal before the headers, with a cut after', async () => {
    const silent = await start(() => undefined, { idleTimeoutMs: 100 });
    const reply = await ask(silent.port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'registry_unreachable']);
    expect(errorOf(reply).message).toContain('in time');
    const stalled = await start((_req, res) => void res.writeHead(200, { 'content-length': 9 }).write('x'), {
      idleTimeoutMs: 100,
    });
    await expect(ask(stalled.port, PATH)).rejects.toThrow();
  });

  test('a kept connection the upstream closed in the meantime is replaced without the client noticing', async () => {
    let requests = 0;
    const { port, upstream } = await start((req, res) => {
      requests += 1;
      if (requests === 2) req.socket.destroy();
      else res.end('ok');
    });
    for (let i = 0; i < 3; i += 1) expect((await ask(port, PATH)).status).toBe(200);
    expect(upstream.received).toHaveLength(4);
  });

  test('a redirect to where blobs live goes to the client; one without an address does not', async () => {
    const location = 'https://cdn.example/blob?sig=1';
    const { port } = await start((_req, res) => res.writeHead(307, { location }).end());
    expect(await ask(port, PATH)).toMatchObject({ status: 307, headers: { location } });
    const relative = await start((_req, res) => res.writeHead(307, { location: '/v2/x' }).end());
    expect((await ask(relative.port, PATH)).status).toBe(502);
  });

  test('errors of the upstream: 404 and 416 go on, 5xx is ours', async () => {
    for (const [status, expected] of [
      [404, 404],
      [416, 416],
      [500, 502],
      [503, 502],
      [101, 502],
    ] as const) {
      const { port } = await start((_req, res) => res.writeHead(status).end('upstream text'));
      const reply = await ask(port, PATH).catch(() => undefined);
      if (status !== 101) expect(reply?.status).toBe(expected);
      if (expected === 502 && reply !== undefined)
        expect(reply.body.toString()).not.toContain('upstream text');
    }
    const gone = await start(serveBlob);
    await gone.upstream.close();
    const reply = await ask(gone.port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'registry_unreachable']);
    gone.upstream.close = async () => undefined;
  });
});

describe('a manifest by digest', () => {
  const path = `/v2/library/app/manifests/${MANIFEST.digest}`;

  test('passes with the client’s own Accept, and is recorded', async () => {
    const { port, upstream, records } = await start((_req, res) =>
      res.writeHead(200, { 'docker-content-digest': MANIFEST.digest }).end(MANIFEST.bytes),
    );
    const known = `"${MANIFEST.digest}"`;
    const reply = await ask(port, path, { headers: { accept: 'x/y', 'if-none-match': '"z"' } });
    expect([reply.status, reply.body.equals(MANIFEST.bytes)]).toEqual([200, true]);
    expect(upstream.received[0]?.headers).toMatchObject({ accept: 'x/y' });
    // Only the digest itself is a condition: any other one would be answered by what the registry makes of it.
    expect(upstream.received[0]?.headers).not.toHaveProperty('if-none-match');
    upstream.answer((_req, res) => res.writeHead(304).end());
    const again = await ask(port, path, { headers: { authorization: 'Bearer b', 'if-none-match': known } });
    expect([again.status, upstream.received[1]?.headers['if-none-match']]).toEqual([304, known]);
    records.pop();
    expect(records.map(({ reason, digest }) => [reason, digest])).toEqual([['digest', MANIFEST.digest]]);
  });

  test('announced as another digest, compressed or redirected is refused', async () => {
    for (const headers of [{ 'docker-content-digest': DIGEST }, { 'content-encoding': 'gzip' }]) {
      const { port } = await start((_req, res) => res.writeHead(200, headers).end('x'));
      expect((await ask(port, path)).status).toBe(502);
    }
    const { port } = await start((_req, res) =>
      res.writeHead(302, { location: 'https://evil.example/' }).end(),
    );
    expect((await ask(port, path)).status).toBe(502);
  });
});

describe('tags that no rule judges', () => {
  test('pass by tag under off, audit and an open default, and audit says what it would have done', async () => {
    const serve: Handler = (_req, res) => res.end('any');
    for (const [options, reason, would] of [
      [{ rules: [rule({ mode: 'off' })] }, 'mode_off', undefined],
      [{ rules: [rule({ mode: 'audit' })] }, 'audit', 'unsigned_tag'],
      [{ rules: [], unmatched: 'pass' }, 'unmatched', undefined],
    ] as const) {
      const { port, upstream, records } = await start(serve, options);
      const reply = await ask(port, '/v2/library/app/manifests/t', { headers: { 'if-none-match': '"x"' } });
      expect(reply.body.toString()).toBe('any');
      expect(upstream.received[0]?.url).toBe('/v2/library/app/manifests/t');
      expect(upstream.received[0]?.headers).not.toHaveProperty('if-none-match');
      expect(records.map((entry) => [entry.reason, entry.would])).toEqual([[reason, would]]);
    }
  });
});

describe('credentials', () => {
  const challenge =
    (realm: string): Handler =>
    (req, res) => {
      if (req.headers.authorization === 'Bearer good') serveBlob(req, res);
      else res.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}/token",service="s"` }).end('{}');
    };

  test('passthrough: the client’s go to the registry it named and nowhere else, its 401 comes back unchanged', async () => {
    const tokens = await startUpstream((_req, res) => res.end('{"token":"good"}'));
    running.push(tokens);
    const { port, upstream } = await start(challenge(tokens.url));
    const refused = await ask(port, PATH, { headers: { authorization: 'Basic dTpw' } });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      `Bearer realm="${tokens.url}/token",service="s"`,
    ]);
    expect((await ask(port, PATH, { headers: { authorization: 'Bearer good' } })).status).toBe(200);
    expect(upstream.received.map(({ headers }) => headers.authorization)).toEqual([
      'Basic dTpw',
      'Bearer good',
    ]);
    expect(tokens.received).toEqual([]);
  });

  test('own account: a token is fetched once, replaced when it stops working, and the client’s never goes out', async () => {
    let current = 'good';
    const tokens = await startUpstream((_req, res) => res.end(JSON.stringify({ token: current })));
    running.push(tokens);
    const { port, upstream } = await start(challenge(tokens.url), {
      auth: BASIC,
      tokenServer: `127.0.0.1:${tokens.port}`,
    });
    const headers = { authorization: 'Bearer clients' };
    expect((await ask(port, PATH, { headers })).status).toBe(200);
    expect((await ask(port, PATH, { headers })).status).toBe(200);
    expect(tokens.received).toHaveLength(1);
    upstream.answer((req, res) => {
      if (req.headers.authorization === 'Bearer new') serveBlob(req, res);
      else res.writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.url}/token",service="s"` }).end();
    });
    current = 'new';
    expect((await ask(port, PATH, { headers })).status).toBe(200);
    expect(upstream.received.map((seen) => seen.headers.authorization)).not.toContain('Bearer clients');
  });

  test('own account refused is 502, not a login prompt', async () => {
    for (const status of [401, 403]) {
      const { port } = await start((_req, res) => res.writeHead(status).end(), { auth: BASIC });
      const reply = await ask(port, PATH);
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([502, undefined]);
    }
  });
});

describe('/v2/', () => {
  test('own account: answered here', async () => {
    const { port, upstream } = await start(serveBlob, { auth: BASIC });
    for (const method of ['GET', 'HEAD']) {
      const reply = await ask(port, '/v2/', { method });
      expect([
        reply.status,
        reply.headers['content-length'],
        reply.headers['docker-distribution-api-version'],
      ]).toEqual([200, '2', 'registry/2.0']);
    }
    expect(upstream.received).toEqual([]);
  });

  test('passthrough: the registry’s answer and challenge', async () => {
    const { port, upstream } = await start((req, res) => {
      if (req.headers.authorization === 'Bearer good') res.end('{"x":1}');
      else res.writeHead(401, { 'www-authenticate': 'Bearer realm="r"' }).end('{"errors":[]}');
    });
    expect(await ask(port, '/v2/')).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="r"' },
    });
    expect((await ask(port, '/v2/', { headers: { authorization: 'Bearer good' } })).status).toBe(200);
    expect(upstream.received.map(({ url }) => url)).toEqual(['/v2/', '/v2/']);
    upstream.answer((req) => req.socket.destroy());
    expect((await ask(port, '/v2/')).status).toBe(502);
  });
});

describe('trust data', () => {
  const path = '/v2/docker.io/library/app/_trust/tuf/targets/releases.json';

  test('is read from the trust server of that name, without the client’s credentials', async () => {
    const notary = await startUpstream((req, res) =>
      req.url?.endsWith('/root.json') ? res.writeHead(404).end() : res.end('{"signed":{}}'),
    );
    running.push(notary);
    const trustServer = createHttpClient({
      upstream: 'docker.io',
      kind: 'notary',
      baseUrl: notary.url,
      auth: { kind: 'anonymous' },
    });
    const { port, upstream } = await start(serveBlob, { trustServer });
    const reply = await ask(port, path, { headers: { authorization: 'Basic dTpw' } });
    expect([reply.status, reply.body.toString()]).toEqual([200, '{"signed":{}}']);
    expect((await ask(port, path.replace('targets/releases', 'root'))).status).toBe(404);
    expect(notary.received.at(-1)?.url).toBe('/v2/docker.io/library/app/_trust/tuf/root.json');
    expect(notary.received.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    expect(upstream.received).toEqual([]);
    await trustServer.close();
  });

  test('of a registry without one is refused', async () => {
    const { port } = await start(serveBlob);
    const reply = await ask(port, path);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([403, 'no_trust_data']);
  });
});

test('running pulls finish when the proxy is stopped, and new ones are not accepted', async () => {
  let finish: (() => void) | undefined;
  const proxy = await startProxy({
    handler: (_req, res) => {
      res.writeHead(200, { 'content-length': 4 }).write('st');
      finish = () => res.end('op');
    },
  });
  const pulling = ask(proxy.port, PATH);
  while (finish === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  const closing = proxy.close(5000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await expect(ask(proxy.port, PATH)).rejects.toThrow();
  finish();
  expect((await pulling).body.toString()).toBe('stop');
  await closing;
});

type RunningForwarder = {
  readonly port: number;
  readonly client: HttpClient;
  readonly forwarder: Forwarder;
  /** What was told of the upstream. */
  readonly seen: UpstreamObservation[];
};

/** A forwarder alone, that hands every request on to one upstream. */
async function startForwarder(handler: Handler, options: ForwarderOptions = {}): Promise<RunningForwarder> {
  const upstream = await startUpstream(handler);
  running.push(upstream);
  const seen: UpstreamObservation[] = [];
  const client = createHttpClient({
    upstream: 'r',
    kind: 'registry',
    baseUrl: upstream.url,
    auth: { kind: 'passthrough' },
    onRequest: (observation) => seen.push(observation),
  });
  const forwarder = createForwarder(options);
  const server = createServer((req, res) => {
    const fail = () => ({ status: 502, reasonPhrase: undefined, headers: new Map(), body: undefined });
    void forwarder.forward(req, res, {
      kind: 'blob',
      client,
      path: '/x',
      scope: '',
      onServed: () => undefined,
      onFailed: fail,
    });
  }).listen(0);
  running.push({ close: async () => void server.close() });
  const { port } = server.address() as AddressInfo;
  return { port, client, forwarder, seen };
}

test('a replaced upstream’s connections end: idle ones at once, a running transfer when it is over', async () => {
  let finish: (() => void) | undefined;
  const sockets = new Set<Socket>();
  const { port, client } = await startForwarder((req, res) => {
    sockets.add(req.socket);
    req.socket.on('close', () => sockets.delete(req.socket));
    res.writeHead(200, { 'content-length': 4 }).write('st');
    finish = () => res.end('op');
  });
  const pulling = ask(port, '/');
  while (finish === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.close();
  expect(sockets.size).toBe(1);
  finish();
  expect((await pulling).body.toString()).toBe('stop');
  while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

describe('a request without an answer', () => {
  test('is told of its upstream when that cuts it, and not when the proxy does', async () => {
    const asked: (() => void)[] = [];
    const { port, forwarder, seen } = await startForwarder(
      (req) => void asked.push(() => req.socket.destroy()),
    );
    const cutByUpstream = ask(port, '/');
    while (asked.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    asked[0]?.();
    expect((await cutByUpstream).status).toBe(502);
    expect(seen.map(({ outcome }) => outcome)).toEqual(['network']);
    const cutByUs = ask(port, '/');
    while (asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    forwarder.close();
    expect((await cutByUs).status).toBe(502);
    expect(seen).toHaveLength(1);
  });

  test('is one that took too long because its time ran out, whatever a clock says', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(0);
    const { port, seen } = await startForwarder(() => undefined, { idleTimeoutMs: 20 });
    expect((await ask(port, '/')).status).toBe(502);
    expect(seen.map(({ outcome, detail }) => [outcome, detail])).toEqual([
      ['timeout', 'nothing came in 0.02 s'],
    ]);
  });
});
