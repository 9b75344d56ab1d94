import { afterEach, describe, expect, test } from '@jest/globals';
import { tokenServerOf } from '../../proxy/upstream/account/realm.ts';
import { readBody } from '../../proxy/upstream/body.ts';
import { headerOf } from '../../proxy/upstream/headers.ts';
import { createHttpClient, type HttpClientOptions } from '../../proxy/upstream/http-client.ts';
import type { UpstreamObservation } from '../../proxy/upstream/outcome.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { type Handler, type ScriptedUpstream, startUpstream } from './upstream.ts';

const SCOPE = 'repository:team/app:pull';
const BASIC = { kind: 'basic', username: 'robot', password: () => 's3cret' } as const;

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function upstream(handler: Handler, host?: string): Promise<ScriptedUpstream> {
  const server = await startUpstream(handler, host);
  cleanup.push(() => server.close());
  return server;
}

function client(baseUrl: string, options: Partial<HttpClientOptions> = {}): HttpClient {
  const made = createHttpClient({
    upstream: 'reg',
    kind: 'registry',
    baseUrl,
    auth: { kind: 'anonymous' },
    ...options,
  });
  cleanup.push(() => made.close());
  return made;
}

/** The token server is on a port of its own, so the configuration has to name it. */
function at({ port }: ScriptedUpstream): { readonly tokenServer: string } {
  return { tokenServer: `127.0.0.1:${port}` };
}

/** Challenges for a Bearer token at `realm`, and answers 200 to `good`. */
function bearer(realm: () => string, good = 'Bearer good'): Handler {
  return (req, res) => {
    if (req.headers.authorization === good) res.end('content');
    else {
      const challenge = `Bearer realm="${realm()}",service="svc, with comma",scope="repository:other:push"`;
      res.writeHead(401, { 'www-authenticate': challenge }).end('no');
    }
  };
}

async function text(http: HttpClient, path = '/v2/x', authorization?: string): Promise<string> {
  const response = await http.get(path, { scope: SCOPE, authorization });
  return `${response.status} ${Buffer.from(await readBody(response.body, 1000)).toString()}`;
}

describe('the Bearer flow is driven by the 401 of the request itself', () => {
  test('a token is fetched for our own scope, not the one the challenge asks for, and kept', async () => {
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'));
    const registry = await upstream(bearer(() => `${tokens.url}/token?x=1`));
    const http = client(registry.url, at(tokens));
    expect(await text(http)).toBe('200 content');
    expect(await text(http)).toBe('200 content');
    expect(tokens.received.map(({ url }) => url)).toEqual([
      '/token?x=1&service=svc%2C+with+comma&scope=repository%3Ateam%2Fapp%3Apull',
    ]);
    expect(registry.received).toHaveLength(3);
    expect(tokens.received[0]?.headers.authorization).toBeUndefined();
  });

  test('concurrent requests for one scope share one token request', async () => {
    const tokens = await upstream((_req, res) => setTimeout(() => res.end('{"access_token":"good"}'), 50));
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, at(tokens));
    expect(await Promise.all([text(http), text(http), text(http)])).toEqual(Array(3).fill('200 content'));
    expect(tokens.received).toHaveLength(1);
  });

  test('a token is used for at least 60 seconds minus the margin, and not after', async () => {
    let now = 0;
    const tokens = await upstream((_req, res) => res.end('{"token":"good","expires_in":1}'));
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, {
      ...at(tokens),
      now: () => now,
    });
    await text(http);
    now = 49_000;
    await text(http);
    expect(tokens.received).toHaveLength(1);
    now = 51_000;
    await text(http);
    expect(tokens.received).toHaveLength(2);
  });

  test('a token the upstream no longer takes is replaced once, and a second 401 is the answer', async () => {
    const tokens = await upstream((_req, res) => res.end('{"token":"old"}'));
    const registry = await upstream(bearer(() => `${tokens.url}/token`));
    const http = client(registry.url, at(tokens));
    expect((await http.get('/v2/x', { scope: SCOPE })).status).toBe(401);
    expect(registry.received).toHaveLength(2);
    tokens.answer((_req, res) => res.end('{"token":"good"}'));
    expect(await text(http)).toBe('200 content');
  });

  test.each([
    ['not JSON', 'hello'],
    ['no token', '{"tok":"x"}'],
    ['a token with a line break', '{"token":"a\\r\\nx-evil: 1"}'],
    ['a token that is no string', '{"token":{}}'],
    ['more than 64 KiB', `{"token":"${'a'.repeat(70_000)}"}`],
  ])('a token server that answers %s is an error, without its text', async (_name, body) => {
    const tokens = await upstream((_req, res) => res.end(body));
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, at(tokens));
    await expect(text(http)).rejects.toMatchObject({ name: 'UpstreamError' });
  });

  test('a token server that never answers is a timeout', async () => {
    const tokens = await upstream(() => undefined);
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, {
      ...at(tokens),
      tokenTimeoutMs: 100,
    });
    await expect(text(http)).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('a redirect of the token server is not followed', async () => {
    const other = await upstream((_req, res) => res.end('{"token":"good"}'));
    const tokens = await upstream((_req, res) => res.writeHead(302, { location: other.url }).end());
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, {
      ...at(tokens),
      auth: BASIC,
    });
    await expect(text(http)).rejects.toMatchObject({ kind: 'bad_answer' });
    expect(other.received).toHaveLength(0);
  });
});

describe('our credentials go to the upstream and its own token server only', () => {
  test('Basic is sent when the upstream challenges Basic, and without being asked the next time', async () => {
    const expected = `Basic ${Buffer.from('robot:s3cret').toString('base64')}`;
    const registry = await upstream((req, res) => {
      if (req.headers.authorization === expected) res.end('content');
      else res.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    });
    const http = client(registry.url, { auth: BASIC });
    expect(await text(http)).toBe('200 content');
    expect(await text(http)).toBe('200 content');
    expect(registry.received).toHaveLength(3);
  });

  test('the token server that is named gets them', async () => {
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'));
    const http = client((await upstream(bearer(() => `${tokens.url}/token`))).url, {
      ...at(tokens),
      auth: BASIC,
    });
    expect(await text(http)).toBe('200 content');
    expect(tokens.received[0]?.headers.authorization).toMatch(/^Basic /);
    expect(tokens.received[0]?.url).toContain('account=robot');
  });

  test.each([
    'http://127.0.0.2',
    'http://localhost',
    'http://evil.example',
    'ftp://127.0.0.1',
    'http://u:p@127.0.0.1',
    'nonsense',
  ])('a challenge that names the realm %s is refused and gets nothing', async (realm) => {
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'), '127.0.0.2');
    const target = realm.startsWith('http') && !realm.includes('@') ? `${realm}:${tokens.port}/token` : realm;
    const http = client((await upstream(bearer(() => target))).url, { auth: BASIC });
    const error: unknown = await text(http).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'bad_answer' });
    expect(String(error)).not.toContain('s3cret');
    expect(tokens.received).toHaveLength(0);
  });

  test.each([
    ['https://registry-1.docker.io', 'auth.docker.io'],
    ['https://index.docker.io', 'auth.docker.io'],
    ['https://registry.hub.docker.com', 'auth.docker.io'],
    ['https://registry.gitlab.com', 'gitlab.com'],
    ['http://registry-1.docker.io', undefined],
    ['https://registry-1.docker.io:444', undefined],
    ['https://registry-1.docker.io.evil.example', undefined],
    ['https://ghcr.io', undefined],
  ])('without tokenServer that of %s is %s', (upstreamUrl, host) => {
    expect(tokenServerOf(new URL(upstreamUrl), undefined)).toBe(host);
    expect(tokenServerOf(new URL(upstreamUrl), 'auth.example')).toBe('auth.example');
  });

  test('a passthrough client hands on the caller’s Authorization and answers a 401 as it is', async () => {
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'));
    const http = client((await upstream(bearer(() => tokens.url))).url, { auth: { kind: 'passthrough' } });
    expect(await text(http, '/v2/x', 'Bearer good')).toBe('200 content');
    expect(await text(http, '/v2/x', 'Bearer bad')).toBe('401 no');
    expect(tokens.received).toHaveLength(0);
  });

  test('a client with its own account never sends the caller’s Authorization', async () => {
    const registry = await upstream((_req, res) => res.end('content'));
    await text(client(registry.url, { auth: BASIC }), '/v2/x', 'Bearer callers');
    expect(registry.received[0]?.headers.authorization).toBeUndefined();
  });

  test('an upstream URL with a user name, a query or another scheme is refused', () => {
    for (const url of ['http://u:p@h', 'http://h/?a', 'http://h/#a', 'ftp://h', 'file:///x']) {
      expect(() => client(url)).toThrow(TypeError);
    }
  });
});

describe('what an upstream answers is bounded', () => {
  test('a redirect is the answer, not followed; the path goes out byte by byte behind the prefix', async () => {
    const other = await upstream((_req, res) => res.end('elsewhere'));
    const registry = await upstream((_req, res) => res.writeHead(307, { location: other.url }).end());
    const response = await client(`${registry.url}/a/b/`).get('/v2/x/%2e%2e/y?n=1');
    response.body.destroy();
    expect(response.status).toBe(307);
    expect(registry.received[0]?.url).toBe('/a/b/v2/x/%2e%2e/y?n=1');
    expect(registry.received[0]?.headers['accept-encoding']).toBe('identity');
    expect(other.received).toHaveLength(0);
  });

  test('a compressed answer is an error', async () => {
    const registry = await upstream((_req, res) =>
      res.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    );
    await expect(text(client(registry.url))).rejects.toMatchObject({ kind: 'bad_answer' });
  });

  test('a body above the limit ends the transfer', async () => {
    let closed = false;
    const registry = await upstream((_req, res) => {
      const timer = setInterval(() => res.write(Buffer.alloc(65_536)), 1);
      res.on('close', () => {
        closed = true;
        clearInterval(timer);
      });
    });
    const response = await client(registry.url).get('/v2/x');
    await expect(readBody(response.body, 100_000)).rejects.toMatchObject({ kind: 'too_large' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(true);
  });

  test('no headers, a silent body and a cut body are errors of the right kind', async () => {
    const silent = await upstream(() => undefined);
    await expect(text(client(silent.url, { headersTimeoutMs: 100 }))).rejects.toMatchObject({
      kind: 'timeout',
    });
    const cut = await upstream((req, res) => {
      res.writeHead(200, { 'content-length': 100 }).write('x');
      setTimeout(() => req.socket.destroy(), 20);
    });
    await expect(text(client(cut.url))).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(text(client('http://127.0.0.1:1'))).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('the caller’s signal ends a request and a body', async () => {
    const slow = await upstream((req, res) =>
      req.url === '/body' ? res.writeHead(200).flushHeaders() : undefined,
    );
    const http = client(slow.url);
    await expect(http.get('/none', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      kind: 'timeout',
    });
    const response = await http.get('/body');
    await expect(readBody(response.body, 10, AbortSignal.timeout(50))).rejects.toMatchObject({
      kind: 'timeout',
    });
  });
});

describe('what others build on', () => {
  test('authorize learns the token once, and that an open registry wants none', async () => {
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'));
    const closed = await upstream(bearer(() => `${tokens.url}/token`));
    const http = client(closed.url, at(tokens));
    expect((await http.authorize('/v2/x', { scope: SCOPE })).authorization).toBe('Bearer good');
    expect((await http.authorize('/v2/x', { scope: SCOPE })).authorization).toBe('Bearer good');
    expect(closed.received.map(({ method }) => method)).toEqual(['HEAD', 'HEAD']);
    const open = await upstream((_req, res) => res.end());
    const second = client(open.url);
    expect((await second.authorize('/v2/x', { scope: SCOPE })).authorization).toBeUndefined();
    expect((await second.authorize('/v2/x', { scope: SCOPE })).authorization).toBeUndefined();
    expect(open.received).toHaveLength(1);
  });

  test('every request is observed once, and token requests as auth', async () => {
    const seen: UpstreamObservation[] = [];
    const tokens = await upstream((_req, res) => res.end('{"token":"good"}'));
    const registry = await upstream(bearer(() => `${tokens.url}/token`));
    const http = client(registry.url, { ...at(tokens), onRequest: (observation) => seen.push(observation) });
    await text(http);
    registry.answer((_req, res) => res.writeHead(404).end());
    const missing = await http.get('/v2/y', { scope: SCOPE });
    expect(headerOf(missing.headers, 'Content-Length'.toLowerCase())).toBeUndefined();
    await text(client('http://127.0.0.1:1', { onRequest: (observation) => seen.push(observation) })).catch(
      () => undefined,
    );
    expect(seen.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
      'auth ok',
      'registry ok',
      'registry not_found',
      'registry network',
    ]);
  });

  test('a token server that cannot be reached is told as that, and not as its registry', async () => {
    const seen: UpstreamObservation[] = [];
    const registry = await upstream(bearer(() => 'http://127.0.0.1:1/token'));
    const http = client(registry.url, {
      tokenServer: '127.0.0.1:1',
      onRequest: (observation) => seen.push(observation),
    });
    await expect(text(http)).rejects.toMatchObject({ name: 'UpstreamError' });
    expect(seen.map(({ kind }) => kind)).toEqual(['auth', 'registry']);
    for (const { detail } of seen) {
      expect(detail).toMatch(/^reg \(token server\): .*ECONNREFUSED/);
      expect(detail).not.toMatch('upstream of this registry');
    }
  });

  test('a token server that cuts its answer is told as that', async () => {
    const seen: UpstreamObservation[] = [];
    const tokens = await upstream((_req, res) => {
      res.writeHead(200, { 'content-length': 100 }).write('{"token"', () => res.destroy());
    });
    const registry = await upstream(bearer(() => `${tokens.url}/token`));
    const http = client(registry.url, { ...at(tokens), onRequest: (observation) => seen.push(observation) });
    await expect(text(http)).rejects.toMatchObject({ name: 'UpstreamError' });
    expect(seen.map(({ kind }) => kind)).toEqual(['auth', 'registry']);
    for (const { detail } of seen) {
      expect(detail).toMatch(/^reg \(token server\): /);
      expect(detail).not.toMatch('upstream of this registry');
    }
  });

  test('a request that a closing client lets finish is told of, also when it fails', async () => {
    const seen: UpstreamObservation[] = [];
    const registry = await upstream(() => undefined);
    const http = createHttpClient({
      upstream: 'reg',
      kind: 'registry',
      baseUrl: registry.url,
      auth: { kind: 'anonymous' },
      onRequest: (observation) => seen.push(observation),
    });
    const asked = new Promise<void>((resolve) => registry.answer(() => resolve()));
    const answer = text(http).catch(() => undefined);
    await asked;
    const closed = http.close();
    registry.cut();
    await Promise.all([answer, closed]);
    expect(seen.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual(['registry network']);
  });
});
