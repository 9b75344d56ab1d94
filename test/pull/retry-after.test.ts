/** When a registry, its token server or a trust server says when to ask again, the client is told, within bounds. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import { type Handler, startUpstream } from '../upstream/upstream.ts';
import {
  ask,
  BASIC,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from './harness.ts';

const ONE = manifest('one');
const DOCKERD = { 'user-agent': 'docker/20.10.24 go/go1.19' };
const KINDS = [
  ['a signed tag', '/v2/library/app/manifests/1'],
  ['a digest', `/v2/library/app/manifests/${ONE.digest}`],
  ['a tag no rule judges', '/v2/off/app/manifests/1'],
  ['a blob', `/v2/library/app/blobs/${sha256('{}')}`],
  ['referrers', `/v2/library/app/referrers/${ONE.digest}`],
  ['a list of signed tags', '/v2/library/app/tags/list'],
  ['a whole list of tags', '/v2/off/app/tags/list'],
] as const;

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});

async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const rules = [rule(), rule({ name: 'off', match: 'docker.io/off/**', mode: 'off' })];
  const proxy = await startProxy({ handler, signed: { '1': ONE }, rules, ...options });
  running.push(proxy);
  return proxy;
}
/** Every line of it, as it left. */
async function waitOf({ port }: RunningProxy, path: string, headers = {}): Promise<string | undefined> {
  const reply = await ask(port, path, { headers });
  expect(reply.status).toBeGreaterThanOrEqual(429);
  return reply.headers['retry-after'];
}
const busy =
  (status: number, value: string | readonly string[]): Handler =>
  (_req, res) =>
    res.writeHead(status, { 'retry-after': value as string, 'content-type': 'application/json' }).end('{}');

describe.each([429, 503])('a registry that answers %d', (status) => {
  test.each(KINDS)('to %s', async (_name, path) => {
    for (const auth of [undefined, BASIC]) {
      const proxy = await start(busy(status, '7'), auth === undefined ? {} : { auth });
      expect(await waitOf(proxy, path)).toBe('7');
      expect(await waitOf(proxy, path, DOCKERD)).toBe('7');
    }
  });

  test('to /v2/', async () => {
    expect(await waitOf(await start(busy(status, '7')), '/v2/')).toBe('7');
  });

  test('to the question for an image’s configuration', async () => {
    const proxy = await start((req, res) =>
      req.url?.includes('/blobs/') === true
        ? busy(status, '7')(req, res)
        : res
            .writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' })
            .end(ONE.bytes),
    );
    expect(await waitOf(proxy, KINDS[0][1], DOCKERD)).toBe('7');
  });

  test('as a token server', async () => {
    const tokens = await startUpstream(busy(status, '7'));
    running.push(tokens);
    const challenge = `Bearer realm="${tokens.url}/token",service="s"`;
    const proxy = await start(
      (_req, res) => res.writeHead(401, { 'www-authenticate': challenge }).end('{}'),
      { auth: BASIC, tokenServer: new URL(tokens.url).host },
    );
    for (const [name, path] of KINDS) expect([name, await waitOf(proxy, path)]).toEqual([name, '7']);
  });

  test('as a trust server', async () => {
    const server = await startUpstream(busy(status, '7'));
    running.push(server);
    const trustServer = createHttpClient({
      upstream: 'docker.io',
      kind: 'notary',
      baseUrl: server.url,
      auth: { kind: 'anonymous' },
    });
    const proxy = await start(busy(404, '1'), { trustServer });
    expect(await waitOf(proxy, '/v2/docker.io/library/app/_trust/tuf/timestamp.json')).toBe('7');
    await trustServer.close();
  });
});

describe('a registry that says', () => {
  const soon = new Date(Date.now() + 30_000).toUTCString();
  test.each([
    ['nothing wrong', '0', '0'],
    ['more than an hour', '3601', '3600'],
    ['a number no integer holds', '9'.repeat(20), '3600'],
    ['a date that is over', 'Wed, 21 Oct 2015 07:28:00 GMT', '0'],
    ['a date in the far future', 'Fri, 31 Dec 9999 23:59:59 GMT', '3600'],
    ['a negative number', '-7', undefined],
    ['a fraction', '7.5', undefined],
    ['an exponent', '1e9', undefined],
    ['hexadecimal', '0x7', undefined],
    ['a unit', '7s', undefined],
    ['two numbers', '7, 9', undefined],
    ['two lines', ['7', '9'], undefined],
    ['a date that is none', 'Mon, 99 Foo 2026 99:99:99 GMT', undefined],
    ['another form of a date', '2026-11-26T00:00:00Z', undefined],
    ['a header in it', '7\tSet-Cookie: a=b', undefined],
    ['letters beyond ASCII', '7\u00e9', undefined],
    ['nothing', '', undefined],
  ] as const)('%s', async (_name, value, expected) => {
    for (const [status, own] of [
      [429, undefined],
      [503, undefined],
    ] as const) {
      const proxy = await start(busy(status, value));
      for (const [name, path] of KINDS)
        expect([status, name, await waitOf(proxy, path)]).toEqual([status, name, expected ?? own]);
    }
  });

  test('a date soon', async () => {
    const proxy = await start(busy(429, soon));
    const seconds = Number(await waitOf(proxy, KINDS[0][1]));
    expect([Number.isInteger(seconds), seconds >= 0, seconds <= 30]).toEqual([true, true, true]);
  });
});
