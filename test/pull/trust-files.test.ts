/** The proxy as the trust server of clients that read signatures themselves. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createTrustFileCache } from '../../proxy/cache/trust-files.ts';
import type { TrustFile } from '../../proxy/pull/types.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { type ScriptedUpstream, startUpstream } from '../upstream/upstream.ts';
import { ask, BASIC, type RunningProxy, sha256, startProxy } from './harness.ts';

const BASE = '/v2/docker.io/library/app/_trust/tuf';
const TARGETS = Buffer.from('{"signed":{"targets":{}}}');
const HASH = sha256(TARGETS).slice('sha256:'.length);
/** As the harness has it. */
const REFRESH_MS = 60_000;

let time: number;
let notary: ScriptedUpstream;
const running: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  time = 0;
  notary = await startUpstream((_req, res) =>
    res.writeHead(200, { 'content-type': 'application/json' }).end(TARGETS),
  );
  running.push(notary);
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});

async function start(
  auth: Parameters<typeof createHttpClient>[0]['auth'] = { kind: 'anonymous' },
): Promise<RunningProxy> {
  const trustServer: HttpClient = createHttpClient({
    upstream: 'docker.io',
    kind: 'notary',
    baseUrl: notary.url,
    auth,
  });
  const trustFiles = createTrustFileCache<TrustFile>({ now: () => time });
  const proxy = await startProxy({
    trustServer,
    trustFiles,
    handler: (req, res) =>
      res.writeHead(req.headers.authorization === 'Bearer alice' ? 200 : 401).end('{"tags":[]}'),
  });
  running.push(proxy, trustServer);
  return proxy;
}

/** The proxy may ask with HEAD first, whether the server wants credentials. */
function gets(): readonly string[] {
  return notary.received.filter(({ method }) => method === 'GET').map(({ url }) => url);
}

describe('a file whose name says what is in it', () => {
  test('is asked for once, and served with its type and length', async () => {
    const { port } = await start();
    const path = `${BASE}/targets.${HASH}.json`;
    const [first, again] = [await ask(port, path), await ask(port, path)];
    time = 100 * REFRESH_MS;
    const late = await ask(port, path);
    for (const reply of [first, again, late]) {
      expect([reply.status, reply.body]).toEqual([200, TARGETS]);
      expect(reply.headers['content-type']).toBe('application/json');
    }
    expect(late.headers['content-length']).toBe(String(TARGETS.length));
    expect(gets()).toHaveLength(1);
  });

  test('is not kept when it is something else', async () => {
    const { port } = await start();
    const path = `${BASE}/targets.${'0'.repeat(64)}.json`;
    await ask(port, path);
    await ask(port, path);
    expect(gets()).toHaveLength(2);
  });

  test('is another one for another repository', async () => {
    const { port } = await start();
    await ask(port, `${BASE}/targets.${HASH}.json`);
    await ask(port, `${BASE.replace('app', 'other')}/targets.${HASH}.json`);
    expect(gets()).toHaveLength(2);
  });
});

test.each(['timestamp.json', 'root.json', '3.root.json', 'targets/releases.json'])(
  '%s is never older than verified trust may be',
  async (file) => {
    const { port } = await start();
    await ask(port, `${BASE}/${file}`);
    time = REFRESH_MS - 1;
    await ask(port, `${BASE}/${file}`);
    expect(gets()).toHaveLength(1);
    time = REFRESH_MS;
    await ask(port, `${BASE}/${file}`);
    expect(gets()).toHaveLength(2);
  },
);

test('its age counts from the question, not from a late answer', async () => {
  const { port } = await start();
  notary.answer((_req, res) => {
    time = REFRESH_MS - 1;
    res.end('{}');
  });
  await ask(port, `${BASE}/timestamp.json`);
  time += 1;
  await ask(port, `${BASE}/timestamp.json`);
  expect(gets()).toHaveLength(2);
});

test('what is no whole file is not kept', async () => {
  const { port } = await start();
  const path = `${BASE}/snapshot.json`;
  notary.answer((req, res) => {
    if (req.method === 'HEAD') {
      res.end();
      return;
    }
    res.writeHead(200, { 'content-length': 100 }).write('{');
    setTimeout(() => req.socket.destroy(), 10);
  });
  await expect(ask(port, path)).rejects.toThrow();
  for (const [status, answered] of [
    [404, 404],
    [429, 429],
    [401, 503],
    [403, 503],
  ] as const) {
    notary.answer((_req, res) => res.writeHead(status).end('{}'));
    expect((await ask(port, path)).status).toBe(answered);
  }
  notary.answer((_req, res) => res.writeHead(500).end());
  expect((await ask(port, path)).status).toBe(503);
  await ask(port, path, { method: 'HEAD' });
  notary.answer((_req, res) => res.end(TARGETS));
  expect((await ask(port, path)).body).toEqual(TARGETS);
});

test('what our own account may read there goes, also from memory, only to those the registry lets in', async () => {
  const { port } = await start(BASIC);
  const path = `${BASE}/targets.${HASH}.json`;
  const alice = { authorization: 'Bearer alice' };
  expect((await ask(port, path, { headers: alice })).status).toBe(403);
  // A manifest by digest is what shows the right.
  const bytes = Buffer.from('{"tags":[]}');
  await ask(port, `/v2/library/app/manifests/${sha256(bytes)}`, { headers: alice });
  expect((await ask(port, path, { headers: alice })).status).toBe(200);
  expect((await ask(port, path, { headers: alice })).status).toBe(200);
  expect((await ask(port, path)).status).toBe(403);
  expect((await ask(port, path, { headers: { authorization: 'Bearer mallory' } })).status).toBe(403);
});

test('the ping is answered within 5 s, also when the registry does not answer', async () => {
  const { port, upstream } = await start();
  upstream.answer(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, 5000, undefined);
  });
  const answer = await Promise.race([ask(port, '/v2/'), late]);
  clearTimeout(timer);
  expect(answer?.status).toBe(502);
});

test('the cache is bounded by bytes, and by entries that weigh nothing', () => {
  const cache = createTrustFileCache<TrustFile>({ maxBytes: 10_000 });
  for (let i = 0; i < 100; i += 1)
    cache.set({ gun: 'g', file: `${i}` }, { bytes: Buffer.alloc(1), contentType: undefined }, 0);
  expect(cache.size().entries).toBeLessThan(20);
  cache.set({ gun: 'g', file: 'big' }, { bytes: Buffer.alloc(20_000), contentType: undefined }, 0);
  expect(cache.get({ gun: 'g', file: 'big' }, Number.POSITIVE_INFINITY)).toBeUndefined();
});
