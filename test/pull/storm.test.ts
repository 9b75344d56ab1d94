/** Many who want the same at once are one question to the registry; what one of them does or may is not the others'. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  BASIC,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  startProxy,
} from './harness.ts';

const ONE = manifest('one');
const TAG = '/v2/library/app/manifests/1';
const DIGEST = `/v2/library/app/manifests/${ONE.digest}`;
const N = 50;
const WAYS = [
  ['a signed tag', TAG],
  ['a digest', DIGEST],
] as const;

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});
async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, signed: { '1': ONE }, ...options });
  running.push(proxy);
  return proxy;
}

/** A registry that answers when it is told to. */
function held() {
  const waiting: { req: IncomingMessage; res: ServerResponse; isGone: boolean }[] = [];
  const arrivals: (() => void)[] = [];
  const handler: Handler = (req, res) => {
    const one = { req, res, isGone: false };
    res.once('close', () => {
      one.isGone = !res.writableFinished;
    });
    waiting.push(one);
    for (const arrived of arrivals.splice(0)) arrived();
  };
  return {
    handler,
    waiting,
    /** Until so many requests are there. */
    async come(count: number): Promise<void> {
      while (waiting.length < count) await new Promise<void>((resolve) => arrivals.push(resolve));
    },
    answer(send: Handler): void {
      for (const { req, res } of waiting.splice(0)) send(req, res);
    },
  };
}
const right: Handler = (_req, res) =>
  res.writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': ONE.digest }).end(ONE.bytes);

/** Until the proxy has taken so many requests in. */
async function settle(proxy: RunningProxy, count: number): Promise<void> {
  while ((await proxy.connections()) < count) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(WAYS)('%s nobody has asked for yet', (_name, path) => {
  test.each([
    ['without credentials', {}, {}],
    ['with the same credentials', {}, { authorization: 'Bearer alice' }],
    ['with our own account', { auth: BASIC }, {}],
  ])('is fetched once for all who ask at once, %s', async (_who, options, headers) => {
    const registry = held();
    const proxy = await start(registry.handler, options);
    const asked = Array.from({ length: N }, () => ask(proxy.port, path, { headers }));
    await registry.come(1);
    await settle(proxy, N);
    expect(proxy.upstream.received).toHaveLength(1);
    registry.answer(right);
    for (const { status, body } of await Promise.all(asked)) expect([status, body]).toEqual([200, ONE.bytes]);
    expect(proxy.upstream.received).toHaveLength(1);
  });

  test('is fetched for each caller of its own, who gets the word on its own credentials', async () => {
    const registry = held();
    const proxy = await start(registry.handler);
    const who = ['alice', 'mallory', undefined];
    const asked = who.map((name) =>
      ask(proxy.port, path, { headers: name === undefined ? {} : { authorization: `Bearer ${name}` } }),
    );
    await registry.come(3);
    registry.answer((req, res) =>
      req.headers.authorization === 'Bearer alice'
        ? right(req, res)
        : res.writeHead(401, { 'www-authenticate': 'Bearer realm="https://r.test/t"' }).end('{}'),
    );
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 401, 401]);
  });

  test.each([
    ['refuses', 403, 403],
    ['is busy', 429, 429],
    ['fails', 500, 502],
    ['answers something else', 203, 502],
  ])('a registry that %s is asked once, and all are told', async (_how, status, expected) => {
    const registry = held();
    const proxy = await start(registry.handler);
    const asked = Array.from({ length: N }, () => ask(proxy.port, path));
    await registry.come(1);
    await settle(proxy, N);
    registry.answer((_req, res) => res.writeHead(status).end('{}'));
    expect(new Set((await Promise.all(asked)).map((reply) => reply.status))).toEqual(new Set([expected]));
    expect(proxy.upstream.received).toHaveLength(1);
  });

  test('a connection that breaks is no storm either', async () => {
    const registry = held();
    const proxy = await start(registry.handler);
    const asked = Array.from({ length: N }, () => ask(proxy.port, path));
    await registry.come(1);
    await settle(proxy, N);
    registry.answer((req) => req.socket.destroy());
    expect(new Set((await Promise.all(asked)).map((reply) => reply.status))).toEqual(new Set([502]));
    expect(proxy.upstream.received).toHaveLength(1);
  });

  test('one that leaves, the first of all, takes it from nobody; the last one ends the question', async () => {
    const registry = held();
    const proxy = await start(registry.handler);
    const send = (to: string) => {
      const request = httpRequest({ port: proxy.port, host: '127.0.0.1', path: to, agent: false });
      request.on('error', () => undefined).end();
      return request;
    };
    const first = send(path);
    await registry.come(1);
    const others = [ask(proxy.port, path), ask(proxy.port, path)];
    await settle(proxy, 3);
    first.destroy();
    while ((await proxy.connections()) > 2) await new Promise((resolve) => setImmediate(resolve));
    expect(registry.waiting[0]?.isGone).toBe(false);
    registry.answer(right);
    for (const { status } of await Promise.all(others)) expect(status).toBe(200);
    expect(proxy.upstream.received).toHaveLength(1);

    // Another repository, where nothing is remembered.
    const alone = send(path.replace('app', 'other'));
    await registry.come(1);
    const [left] = registry.waiting;
    const gone = left && once(left.res, 'close');
    alone.destroy();
    await gone;
    expect(left?.isGone).toBe(true);
  });
});

describe('the registry’s part of one pull has one deadline', () => {
  const SILENT: Handler = () => undefined;
  test.each([
    ['a cold tag', TAG, {}],
    ['a cold digest', DIGEST, {}],
    ['a tag known to others', TAG, { authorization: 'Bearer bob' }],
    ['a digest known to others', DIGEST, { authorization: 'Bearer bob' }],
  ])('%s', async (name, path, headers) => {
    const deadlineMs = 1500;
    const proxy = await start(right, { deadlineMs });
    if (name.includes('known')) await ask(proxy.port, TAG, { headers: { authorization: 'Bearer alice' } });
    proxy.upstream.answer(SILENT);
    const started = performance.now();
    const reply = await ask(proxy.port, path, { headers });
    const took = performance.now() - started;
    // The question for the right to read and the fetch after it used to have such a time each.
    expect([reply.status, took >= deadlineMs - 5, took < 2 * deadlineMs]).toEqual([503, true, true]);
  });
});

describe('a page in place of a registry is nobody’s yes', () => {
  const page: Handler = (_req, res) =>
    res.writeHead(200, { 'content-type': 'text/html' }).end('<p>maintenance</p>');
  const empty: Handler = (_req, res) => res.writeHead(200).end();
  const other: Handler = (_req, res) =>
    res
      .writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': manifest('other').digest })
      .end();
  const named: Handler = (_req, res) =>
    res.writeHead(200, { 'content-type': 'text/html', 'docker-content-digest': ONE.digest }).end();
  test.each([
    ['HTML', page],
    ['nothing', empty],
    ['another digest', other],
    ['HTML that names the digest', named],
  ])('%s', async (_what, handler) => {
    for (const [, path] of WAYS)
      for (const method of ['GET', 'HEAD']) {
        const proxy = await start(right);
        await ask(proxy.port, TAG, { headers: { authorization: 'Bearer alice' } });
        proxy.upstream.answer(handler);
        const mallory = { authorization: 'Bearer mallory' };
        const reply = await ask(proxy.port, path, { method, headers: mallory });
        expect([path, method, reply.status, reply.body.includes(ONE.bytes)]).toEqual([
          path,
          method,
          502,
          false,
        ]);
        // And it is not remembered as one either.
        proxy.upstream.answer((_req, res) => res.writeHead(401).end('{}'));
        expect((await ask(proxy.port, path, { method, headers: mallory })).status).toBe(401);
        expect(
          (await ask(proxy.port, path, { method, headers: { authorization: 'Bearer alice' } })).status,
        ).toBe(200);
      }
  });
});
