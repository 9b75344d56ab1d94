/**
 * A hostile or rewritten upstream names a token realm: to reach what only the proxy can reach, to have its answer
 * handed over as a token, or to be shown the proxy's own account.
 */
import dns from 'node:dns';
import { isIP } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readBody } from '../../proxy/upstream/body.ts';
import { createHttpClient, type HttpClientOptions } from '../../proxy/upstream/http-client.ts';
import type { ClientAuth, HttpClient } from '../../proxy/upstream/types.ts';
import { type Handler, type ScriptedUpstream, startUpstream } from '../upstream/upstream.ts';

const SCOPE = 'repository:team/app:pull';
const ACCOUNT: ClientAuth = { kind: 'basic', username: 'robot', password: () => 's3cret' };
const ANONYMOUS: ClientAuth = { kind: 'anonymous' };
/** Whatever asks it gets a secret that looks like a token. */
const internal: Handler = (_req, res) => res.end('{"token":"INTERNAL-SECRET"}');

const cleanup: (() => Promise<void>)[] = [];
/** Every name leads where the test says, or to this machine. */
let addresses: Map<string, string[]>;
/** The names that were looked up. */
let seen: string[];

beforeEach(() => {
  addresses = new Map();
  seen = [];
  const system = dns.lookup as unknown as (...asked: unknown[]) => void;
  jest.spyOn(dns, 'lookup').mockImplementation(((host: string, ...rest: unknown[]) => {
    const [options] = rest;
    // The test's own servers listen at addresses.
    if (isIP(host) !== 0 || typeof options !== 'object') return system(host, ...rest);
    seen.push(host);
    answer(addresses.get(host)?.shift() ?? '127.0.0.1', rest);
  }) as unknown as typeof dns.lookup);
});

afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of cleanup.splice(0).reverse()) await close();
});

function answer(address: string, [options, callback]: readonly unknown[]): void {
  const family = isIP(address);
  const tell = callback as (...found: unknown[]) => void;
  if ((options as { all?: boolean }).all === true) tell(null, [{ address, family }]);
  else tell(null, address, family);
}

async function start(handler: Handler, host?: string): Promise<ScriptedUpstream> {
  const server = await startUpstream(handler, host);
  cleanup.push(() => server.close());
  return server;
}

/** Answers 200 to a Bearer token, and challenges for one at `realm` otherwise. */
const challenging =
  (realm: string): Handler =>
  (req, res) => {
    if (req.headers.authorization?.startsWith('Bearer ')) res.end('content');
    else res.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
  };

type Outcome = { readonly error: string | undefined; readonly body: string | undefined };

async function pull(
  baseUrl: string,
  auth: ClientAuth,
  more: Partial<HttpClientOptions> = {},
): Promise<Outcome> {
  const client: HttpClient = createHttpClient({ upstream: 'reg', kind: 'notary', baseUrl, auth, ...more });
  cleanup.push(() => client.close());
  try {
    const { body } = await client.get('/v2/team/app/_trust/tuf/root.json', { scope: SCOPE });
    return { error: undefined, body: Buffer.from(await readBody(body, 1000)).toString() };
  } catch (error) {
    return { error: String(error), body: undefined };
  }
}

/** What a hostile upstream was sent after its challenge. */
function handedOver(upstream: ScriptedUpstream): readonly (string | undefined)[] {
  return upstream.received.map(({ headers }) => headers.authorization).filter((sent) => sent !== undefined);
}

describe('a realm of an anonymous trust server', () => {
  test.each([
    ['a name that leads to loopback', 'http://vm.example:PORT/admin/delete?user=1', '127.0.0.1'],
    ['a name that leads to IPv4 written in IPv6', 'http://vm.example:PORT/x', '::ffff:127.0.0.1'],
    ['a name that leads to any address', 'http://vm.example:PORT/x', '0.0.0.0'],
    ['the name localhost with a dot', 'http://localhost.:PORT/x', '127.0.0.1'],
    ['a single label', 'http://metadata:PORT/x', '127.0.0.1'],
    ['another port of the address of the upstream', 'http://127.0.0.1:PORT/x', ''],
    ['a decimal address', 'http://2130706433:PORT/x', ''],
    ['an octal address', 'http://0177.0.0.1:PORT/x', ''],
    ['a hexadecimal address', 'http://0x7f.1:PORT/x', ''],
    ['an address in percent signs', 'http://%31%32%37.0.0.1:PORT/x', ''],
    ['an address in IPv6', 'http://[::ffff:127.0.0.1]:PORT/x', ''],
    ['localhost', 'http://localhost:PORT/x', ''],
  ])('%s: nothing is asked, nothing handed over', async (_what, realm, address) => {
    const victim = await start(internal, '0.0.0.0');
    const hostile = await start(challenging(realm.replace('PORT', String(victim.port))));
    const { hostname } = new URL(realm.replace('PORT', '1'));
    if (address !== '') addresses.set(hostname, [address]);
    const { error, body } = await pull(hostile.url, ANONYMOUS);
    expect([victim.received, handedOver(hostile), body]).toEqual([[], [], undefined]);
    expect(error).toMatch(/UpstreamError: reg/);
  });

  test('a hidden port of the very name of the upstream is another service', async () => {
    const victim = await start(internal);
    const hostile = await start(challenging(`http://notary.example:${victim.port}/x`));
    const { error } = await pull(`http://notary.example:${hostile.port}`, ANONYMOUS);
    expect([victim.received, handedOver(hostile)]).toEqual([[], []]);
    expect(error).toContain('cannot be reached at a public address');
    expect(error).toContain(`write registries[].trust.tokenServer: notary.example:${victim.port}`);
  });

  test.each(['ftp://vm.example/x', 'file:///etc/passwd', 'http://u:p@vm.example/x', '//vm.example', 'x', ''])(
    'a realm %p is no address to ask',
    async (realm) => {
      const hostile = await start(challenging(realm));
      const { error } = await pull(hostile.url, ANONYMOUS);
      expect([handedOver(hostile), error]).toEqual([[], expect.stringContaining('UpstreamError')]);
    },
  );

  test('a name is looked up once: what was found cannot be another address afterwards', async () => {
    const victim = await start(internal);
    const hostile = await start(challenging(`http://rebind.example:${victim.port}/x`));
    addresses.set('rebind.example', ['203.0.113.1']);
    await pull(hostile.url, ANONYMOUS);
    expect([victim.received, handedOver(hostile)]).toEqual([[], []]);
    expect(seen).toEqual(['rebind.example']);
  });

  test('what the operator named may be private: the upstream itself, and its tokenServer', async () => {
    const tokens = await start((_req, res) => res.end('{"token":"good"}'));
    const own: ScriptedUpstream = await start((req, res) => {
      if (req.url?.startsWith('/token') === true) res.end('{"token":"good"}');
      else challenging(`http://notary.example:${own.port}/token`)(req, res);
    });
    expect((await pull(`http://notary.example:${own.port}`, ANONYMOUS)).body).toBe('content');
    const other = await start(challenging(`http://auth.example:${tokens.port}/token`));
    const named = { tokenServer: `auth.example:${tokens.port}` };
    expect((await pull(other.url, ANONYMOUS, named)).body).toBe('content');
    // The port counts: another one of the named host is another service.
    const hidden = await start(internal);
    const hostile = await start(challenging(`http://auth.example:${hidden.port}/token`));
    expect((await pull(hostile.url, ANONYMOUS, named)).body).toBeUndefined();
    expect(hidden.received).toEqual([]);
  });
});

describe("the proxy's own account", () => {
  test.each([
    ['myreg.azurecr.io', 'evil.azurecr.io'],
    ['example.co.uk', 'evil.co.uk'],
    ['x.fly.dev', 'evil.fly.dev'],
    ['registry.example.com', 'auth.example.com'],
    ['registry.example.com', 'example.com'],
    ['registry-1.docker.io', 'auth.docker.io'],
    ['registry.example.com', 'registry.example.com'],
    ['registry.example.com', 'registry.example.com.'],
  ])('of %s is not shown to %s on a port of its own', async (upstream, realm) => {
    const neighbour = await start(internal);
    const hostile = await start(challenging(`http://${realm}:${neighbour.port}/token`));
    const { error } = await pull(`http://${upstream}:${hostile.port}`, ACCOUNT, { kind: 'registry' });
    expect([neighbour.received, handedOver(hostile)]).toEqual([[], []]);
    expect(error).toContain(`write registries[].tokenServer: ${realm}:${neighbour.port}`);
    expect(error).not.toContain('s3cret');
  });

  test('goes to the one host tokenServer names, and then no longer to the upstream', async () => {
    const tokens = await start((_req, res) => res.end('{"token":"good"}'));
    const named = { tokenServer: `auth.example:${tokens.port}` };
    const honest = await start(challenging(`http://auth.example:${tokens.port}/token`));
    expect((await pull(`http://reg.example:${honest.port}`, ACCOUNT, named)).body).toBe('content');
    expect(tokens.received[0]?.headers.authorization).toMatch(/^Basic /);

    const hostile = await start((_req, res) =>
      res.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end(),
    );
    const { error } = await pull(`http://reg.example:${hostile.port}`, ACCOUNT, named);
    expect(handedOver(hostile)).toEqual([]);
    expect(error).toContain(`write registries[].trust.tokenServer: reg.example:${hostile.port}`);
  });
});
