/** A server, a balancer or a NAT ends idle connections when it likes, and so just as we use one. */
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import { readBody } from '../../proxy/upstream/body.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { type Handler, type ScriptedUpstream, startUpstream } from './upstream.ts';

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(handler: Handler): Promise<{ server: ScriptedUpstream; http: HttpClient }> {
  const server = await startUpstream(handler);
  const http = createHttpClient({
    upstream: 'reg',
    kind: 'registry',
    baseUrl: server.url,
    auth: { kind: 'anonymous' },
  });
  cleanup.push(
    () => server.close(),
    () => http.close(),
  );
  return { server, http };
}

/** Answers the first request of each connection, and ends it in this way at the second. */
function onceEach(
  end: (socket: Socket) => void,
  answer: (req: { readonly url?: string | undefined }) => string = ({ url }) => `${url}`,
): Handler {
  const used = new WeakSet<Socket>();
  return (req, res) => {
    if (used.has(req.socket)) return end(req.socket);
    used.add(req.socket);
    res.end(req.method === 'HEAD' ? undefined : answer(req));
  };
}

async function get(http: HttpClient, path: string): Promise<string> {
  const { body } = await http.get(path);
  const text = Buffer.from(await readBody(body, 1000)).toString();
  // Only after this turn of the loop is the connection free for the next request.
  await setImmediate();
  return text;
}

describe('a kept connection that ends as it is used', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => socket.destroy()],
    ['reset', (socket) => socket.resetAndDestroy()],
    ['half closed', (socket) => socket.end()],
  ])('%s: GET and HEAD are asked once more', async (_name, end) => {
    const { server, http } = await start(onceEach(end));
    for (const path of ['/1', '/2', '/3']) expect(await get(http, path)).toBe(path);
    expect((await http.head('/4')).status).toBe(200);
    expect((await http.head('/5')).status).toBe(200);
    expect(server.received.filter(({ url }) => url === '/2')).toHaveLength(2);
  });

  test('all of them at once: the second try is over a new connection, not over the next old one', async () => {
    const { http } = await start(onceEach((socket) => socket.resetAndDestroy()));
    const paths = Array.from({ length: 20 }, (_, at) => `/${at}`);
    expect(await Promise.all(paths.map((path) => get(http, path)))).toEqual(paths);
    expect(await Promise.all(paths.map((path) => get(http, path)))).toEqual(paths);
  });

  test('of a trust server, too', async () => {
    const answer = ({ url }: { readonly url?: string | undefined }) => JSON.stringify({ url });
    const { http } = await start(onceEach((socket) => socket.destroy(), answer));
    const source = createNotarySource(http);
    const limits = { maxBytes: 1000, signal: new AbortController().signal };
    for (const role of ['root', 'timestamp', 'snapshot']) {
      const bytes = await source.fetch('docker.io/library/app', { role }, limits);
      expect(Buffer.from(bytes ?? '').toString()).toContain(`${role}.json`);
    }
  });
});

test('a new connection that ends is an answer: nobody is asked twice', async () => {
  const { server, http } = await start((req) => req.socket.destroy());
  await expect(http.get('/x')).rejects.toMatchObject({ kind: 'unreachable' });
  expect(server.received).toHaveLength(1);
});

test('a second try that fails is not tried again', async () => {
  const { server, http } = await start((_req, res) => res.end('x'));
  await get(http, '/1');
  server.answer((req) => req.socket.destroy());
  await expect(http.get('/2')).rejects.toMatchObject({ kind: 'unreachable' });
  expect(server.received).toHaveLength(3);
});

test('a body that is cut is no reason to ask again', async () => {
  const { server, http } = await start((_req, res) => res.end('x'));
  await get(http, '/1');
  server.answer((req, res) => {
    res.writeHead(200, { 'content-length': 100 }).write('x', () => req.socket.destroy());
  });
  await expect(get(http, '/2')).rejects.toMatchObject({ kind: 'unreachable' });
  expect(server.received).toHaveLength(2);
});
