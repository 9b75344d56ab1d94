/**
 * A shared cache in front of the proxy, set up to keep all it may: what alice was shown must not become what nobody in
 * particular is shown. The cache is as careless as RFC 9111 and common set-ups allow: it keeps answers to requests with
 * Authorization, and answers that say nothing about it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createTrustFileCache } from '../../proxy/cache/trust-files.ts';
import type { TrustFile } from '../../proxy/pull/types.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { ClientAuth } from '../../proxy/upstream/types.ts';
import {
  ask,
  BASIC,
  manifest,
  type ProxyOptions,
  type Reply,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from '../pull/harness.ts';
import { startUpstream } from '../upstream/upstream.ts';

const PUBLIC = {
  'cache-control': 'public, max-age=2592000, s-maxage=2592000',
  expires: 'Thu, 01 Jan 2032 00:00:00 GMT',
};
const ALICE = { authorization: 'Bearer alice' };
const SIGNED = manifest('signed');
const BLOB = Buffer.from('a layer');
const ROOT = Buffer.from('{"signed":{"targets":{"osprey":{}}}}');
const ROOT_HASH = sha256(ROOT).slice('sha256:'.length);
const TRUST = '/v2/docker.io/library/app/_trust/tuf';

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});

/** A registry that shows everything to alice, a refusal to others, and tells caches to keep it. */
const registry = (req: IncomingMessage, res: ServerResponse): unknown => {
  const headers: Record<string, string> = { ...PUBLIC, 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' };
  const mayRead = req.headers.authorization === ALICE.authorization || isAccount(req.headers.authorization);
  if (!mayRead) return res.writeHead(401, { ...headers, 'www-authenticate': 'Basic realm="r"' }).end('{}');
  const path = req.url ?? '';
  if (path.includes('/moved')) return res.writeHead(404, headers).end('{}');
  if (path.includes('/referrers/') || path.includes('/tags/list'))
    return res
      .writeHead(200, { ...headers, 'content-type': 'application/json' })
      .end('{"schemaVersion":2,"manifests":[],"name":"library/app","tags":["signed"]}');
  if (path.includes(`/blobs/${sha256('elsewhere')}`))
    return res.writeHead(307, { ...headers, location: 'https://cdn.example/x?X-Signature=alice' }).end();
  if (path.includes('/blobs/')) return res.writeHead(200, headers).end(BLOB);
  if (path.includes('/manifests/') && !path.includes(`/manifests/${SIGNED.digest}`) && !path.includes('/any'))
    return res.writeHead(404, headers).end('{}');
  if (path === '/v2/') return res.writeHead(200, headers).end('{}');
  return res
    .writeHead(200, { ...headers, 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' })
    .end(SIGNED.bytes);
};

function isAccount(authorization: string | undefined): boolean {
  return authorization?.startsWith('Basic ') === true;
}

type Kept = { readonly reply: Reply; readonly vary: readonly string[]; readonly values: readonly string[] };

/** Keeps whatever nothing forbids, for ever. */
class SharedCache {
  readonly #port: number;
  readonly #kept = new Map<string, Kept[]>();
  constructor(port: number) {
    this.#port = port;
  }

  async get(path: string, headers: Record<string, string>): Promise<{ reply: Reply; hit: boolean }> {
    const select = (names: readonly string[]) => names.map((name) => headers[name] ?? '');
    const kept = this.#kept
      .get(path)
      ?.find(({ vary, values }) => select(vary).join('\n') === values.join('\n'));
    if (kept !== undefined) return { reply: kept.reply, hit: true };
    const reply = await ask(this.#port, path, { headers });
    if (mayKeep(reply)) {
      const vary = (reply.headers.vary ?? '').toLowerCase().split(/, */).filter(Boolean);
      this.#kept.set(path, [...(this.#kept.get(path) ?? []), { reply, vary, values: select(vary) }]);
    }
    return { reply, hit: false };
  }
}

function mayKeep({ headers }: Reply): boolean {
  const said = (headers['cache-control'] ?? '').toLowerCase();
  return !/private|no-store|no-cache|max-age=0/.test(said) && headers.vary !== '*';
}

async function start(trust: ClientAuth, options: ProxyOptions = {}): Promise<RunningProxy> {
  const notary = await startUpstream((req, res) => {
    const isOpen = trust.kind === 'anonymous' || isAccount(req.headers.authorization);
    if (!isOpen) {
      res.writeHead(401, { ...PUBLIC, 'www-authenticate': 'Basic realm="n"' }).end();
      return;
    }
    const isThere = !(req.url ?? '').endsWith('/absent.json');
    res.writeHead(isThere ? 200 : 404, { ...PUBLIC, 'content-type': 'application/json' }).end(ROOT);
  });
  const trustServer = createHttpClient({
    upstream: 'docker.io',
    kind: 'notary',
    baseUrl: notary.url,
    auth: trust,
  });
  const proxy = await startProxy({
    trustServer,
    trustFiles: createTrustFileCache<TrustFile>(),
    handler: registry,
    signed: { signed: SIGNED },
    ...options,
  });
  running.push(notary, trustServer, proxy);
  return proxy;
}

const PATHS = [
  '/v2/',
  '/v2/library/app/manifests/signed',
  `/v2/library/app/manifests/${SIGNED.digest}`,
  `/v2/library/app/blobs/${sha256(BLOB)}`,
  `/v2/library/app/blobs/${sha256('elsewhere')}`,
  '/v2/library/app/tags/list',
  `/v2/library/app/referrers/${SIGNED.digest}`,
  `${TRUST}/root.json`,
  `${TRUST}/targets.${ROOT_HASH}.json`,
];

describe('behind a shared cache nobody is shown what alice was shown', () => {
  test.each(PATHS)('%s', async (path) => {
    const { port } = await start(BASIC);
    const cache = new SharedCache(port);
    // A manifest is what shows her right to the trust data.
    await ask(port, PATHS[2] ?? '', { headers: ALICE });
    const hers = await cache.get(path, ALICE);
    const again = await cache.get(path, ALICE);
    const nobodys = await cache.get(path, {});
    expect([hers.reply.status < 400, hers.hit, again.hit, nobodys.hit]).toEqual([true, false, false, false]);
    expect(nobodys.reply.status).toBeGreaterThanOrEqual(400);
    for (const { reply } of [hers, again, nobodys]) {
      expect(reply.headers['cache-control']).toMatch(/^private, no-cache$|^no-store$/);
      expect(reply.headers.vary).toBe('Authorization');
    }
  });

  test.each(PATHS.slice(1, 7))("with the proxy's own account, which reads for her: %s", async (path) => {
    const { port } = await start(BASIC, { auth: BASIC });
    const cache = new SharedCache(port);
    expect((await cache.get(path, {})).reply.status).toBeLessThan(400);
    expect((await cache.get(path, {})).hit).toBe(false);
  });

  test('nor what a rule lets pass today: tags under audit and off, whole lists', async () => {
    const { port } = await start(BASIC, { rules: [rule({ mode: 'audit', tagList: 'all' })] });
    const cache = new SharedCache(port);
    for (const path of ['/v2/library/app/manifests/any', '/v2/library/app/tags/list']) {
      expect((await cache.get(path, ALICE)).reply.status).toBe(200);
      expect((await cache.get(path, {})).reply.status).toBe(401);
    }
  });

  test('refusals and errors are kept nowhere either', async () => {
    const { port } = await start(BASIC);
    const cache = new SharedCache(port);
    const paths = [
      '/v2/library/app/manifests/unsigned',
      `${TRUST}/absent.json`,
      '/v2/UPPER/manifests/x',
      '/else',
    ];
    for (const path of [...paths, `/v2/library/app/manifests/${sha256('gone')}`]) {
      const { reply } = await cache.get(path, ALICE);
      expect([path, reply.status >= 400, (await cache.get(path, ALICE)).hit]).toEqual([path, true, false]);
    }
  });
});

test('what an anonymous trust server gives to everybody may be kept, as it says; its errors may not', async () => {
  const { port } = await start({ kind: 'anonymous' });
  const byHash = `${TRUST}/targets.${ROOT_HASH}.json`;
  const [first, kept] = [await ask(port, byHash), await ask(port, byHash)];
  expect(first.headers['cache-control']).toBe(PUBLIC['cache-control']);
  expect(kept.headers['cache-control']).toBe('public, max-age=2592000');
  expect((await ask(port, `${TRUST}/absent.json`)).headers['cache-control']).toBe('no-store');
  // A current file is as old as our memory of it: no cache may add to that.
  await ask(port, `${TRUST}/timestamp.json`);
  expect((await ask(port, `${TRUST}/timestamp.json`)).headers['cache-control']).toBe('private, no-cache');
});
