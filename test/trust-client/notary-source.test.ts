/** Metadata over HTTP: what each answer of a Notary server means (notary-semantics.md §1.1, §1.3, §1.4). */
import { getEventListeners, getMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { basicAccess, bearerAccess } from '../../proxy/demo/access.ts';
import { NotaryServer, type NotaryServerOptions } from '../../proxy/demo/notary/notary-server.ts';
import type { Fault } from '../../proxy/demo/simulated-server.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import { updateTrust } from '../../proxy/trust-client/update.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { ClientAuth, HttpClient } from '../../proxy/upstream/types.ts';
import * as faults from '../simulators/faults.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';
import { TokenServer } from '../simulators/token-server.ts';
import { createWorld, digestIn, digestOf, FIRST_USE, GUN, refusal, type World } from './kit.ts';

const MIB = 1024 * 1024;
const ANONYMOUS: ClientAuth = { kind: 'anonymous' };
const ACCOUNT: ClientAuth = { kind: 'basic', username: 'proxy', password: () => 'secret' };

let world: World;
let server: NotaryServer;
let client: HttpClient;
const cleanUp: (() => Promise<void>)[] = [];

async function start(
  options: NotaryServerOptions = {},
  auth = ANONYMOUS,
  tokenServer?: string,
): Promise<void> {
  server = new NotaryServer({ repositories: [world.repository], ...options });
  const baseUrl = await server.start();
  client = createHttpClient({
    upstream: 'trust',
    kind: 'notary',
    baseUrl,
    auth,
    bodyIdleTimeoutMs: 200,
    ...(tokenServer === undefined ? {} : { tokenServer }),
  });
  cleanUp.push(
    () => client.close(),
    () => server.stop(),
  );
}

function resolve(signal = new AbortController().signal) {
  const deps = { source: createNotarySource(client), state: createMemoryState() };
  return updateTrust(deps, { gun: GUN, pin: FIRST_USE, now: world.now, signal });
}

/** As long as it says, which nobody should wait for. */
function tenGigabytes(): Fault {
  const chunk = Buffer.alloc(4 * MIB, 0x20);
  return (_answer, { response }) => {
    response.writeHead(200, { 'Content-Length': String(10 * 1024 * MIB) });
    const pour = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', pour);
    pour();
    return undefined;
  };
}

beforeEach(() => {
  world = createWorld();
});

afterEach(async () => {
  await Promise.all(cleanUp.splice(0).map((stop) => stop()));
});

test('files are asked for by the names of the wire', async () => {
  await start();
  world.repository.addDelegation('releases');
  world.repository.signAs('releases', '1.0', digestOf('b'), 7);
  world.repository.publish();
  expect(digestIn(await resolve(), '1.0')).toBe(digestOf('b'));
  const base = `/v2/${GUN}/_trust/tuf/`;
  const names = server.requests.map(({ url }) => url.replace(base, '').replace(/[0-9a-f]{64}/, '<sha256>'));
  expect([...names].sort()).toEqual([
    'root.json',
    'snapshot.<sha256>.json',
    'targets.<sha256>.json',
    'targets/releases.<sha256>.json',
    'timestamp.json',
  ]);
  await createNotarySource(client).fetch(
    GUN,
    { role: 'root', version: 3 },
    { maxBytes: 1, signal: AbortSignal.timeout(5000) },
  );
  expect(server.requests.at(-1)?.url).toBe(`${base}3.root.json`);
});

test('files asked for at the same time share a signal without a warning of too many listeners', async () => {
  await start();
  const { signal } = new AbortController();
  const source = createNotarySource(client);
  server.fault(/./, faults.delay(50));
  const asked = Array.from({ length: 2 * LIMITS.parallelFetches }, (_, at) =>
    source.fetch(GUN, { role: 'root', version: at + 2 }, { maxBytes: 1000, signal }),
  );
  await new Promise((done) => setImmediate(done));
  const listeners = getEventListeners(signal, 'abort').length;
  const most = getMaxListeners(signal);
  await Promise.all(asked);
  expect(listeners).toBeGreaterThan(10);
  expect(most).toBeGreaterThan(listeners);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a timestamp that is asked for again passes every cache', async () => {
  await start();
  const limits = { maxBytes: MIB, signal: AbortSignal.timeout(5000), revalidate: true };
  await createNotarySource(client).fetch(GUN, { role: 'timestamp' }, limits);
  expect(server.requests.at(-1)?.headers['cache-control']).toBe('no-cache');
});

describe('only a 404 of Notary itself says that there is no such repository', () => {
  test('404', async () => {
    await start();
    server.remove(GUN);
    await refusal(resolve(), 'no_trust_data', 'absent');
  });

  test.each([204, 301, 302, 400, 401, 403, 405, 410, 429, 500, 502, 503])(
    '%s is an outage',
    async (status) => {
      await start();
      server.fault('timestamp.json', faults.status(status));
      const error = await refusal(resolve(), 'trust_unreachable', 'unreachable');
      expect(error.isOutage).toBe(true);
      expect(error.message).toContain(String(status));
    },
  );

  test('404 for a file that its own metadata names is an outage too', async () => {
    await start();
    server.fault('/snapshot.', faults.status(404));
    const error = await refusal(resolve(), 'trust_unreachable', 'unreachable');
    expect(error.isOutage).toBe(true);
  });

  test.each([401, 403])('%s says where our account is configured', async (status) => {
    await start();
    server.fault('root.json', faults.status(status));
    const error = await refusal(resolve(), 'trust_unreachable');
    expect(error.message).toContain('trust.auth');
  });
});

test('a redirect is not followed', async () => {
  await start();
  server.fault('root.json', faults.redirect(`${server.url}/elsewhere/root.json`));
  await refusal(resolve(), 'trust_unreachable', 'unreachable');
  expect(server.count(/elsewhere/)).toBe(0);
});

describe('who is asking', () => {
  async function startTokens(password = 'secret'): Promise<TokenServer> {
    const tokens = new TokenServer({ users: { proxy: { password, repositories: { [GUN]: ['pull'] } } } });
    await tokens.start();
    cleanUp.push(() => tokens.stop());
    return tokens;
  }

  test('a 401 of the request itself starts the token flow, once for all files', async () => {
    const tokens = await startTokens();
    await start({ access: bearerAccess(tokens, 'notary') }, ACCOUNT, new URL(tokens.realm).host);
    expect(digestIn(await resolve(), '3.20')).toBe(digestOf('a'));
    expect(tokens.requests.at(0)?.url).toContain(encodeURIComponent(`repository:${GUN}:pull`));
    expect(tokens.requests.length).toBeLessThanOrEqual(2);
  });

  test('an account the token server refuses is an outage, not an unsigned repository', async () => {
    const tokens = await startTokens('another');
    await start({ access: bearerAccess(tokens, 'notary') }, ACCOUNT, new URL(tokens.realm).host);
    await refusal(resolve(), 'trust_unreachable', 'unreachable');
  });

  test('an account without rights for the repository is an outage', async () => {
    const tokens = new TokenServer({ users: { proxy: { password: 'secret', repositories: {} } } });
    await tokens.start();
    cleanUp.push(() => tokens.stop());
    await start({ access: bearerAccess(tokens, 'notary') }, ACCOUNT, new URL(tokens.realm).host);
    const error = await refusal(resolve(), 'trust_unreachable', 'unreachable');
    expect(error.message).toContain('401');
  });

  test('Basic, where the server asks for it', async () => {
    await start({ access: basicAccess({ proxy: 'secret' }) }, ACCOUNT);
    expect(digestIn(await resolve(), '3.20')).toBe(digestOf('a'));
  });
});

describe('bodies', () => {
  const UNREACHABLE = ['trust_unreachable', 'unreachable'] as const;
  const INVALID = 'metadata_invalid';

  test.each<[string, Fault, 'metadata_invalid' | 'trust_unreachable', 'format' | 'unreachable']>([
    ['that never ends', faults.endlessBody(), ...UNREACHABLE],
    ['one byte above the limit', faults.padded(MIB + 1), ...UNREACHABLE],
    ['compressed although we did not ask for it', faults.gzip(), ...UNREACHABLE],
    ['that is an HTML page', faults.otherBody(Buffer.from('<html></html>')), ...UNREACHABLE],
    ['that is empty', faults.otherBody(Buffer.alloc(0)), ...UNREACHABLE],
    ['that is JSON and no metadata', faults.otherBody(Buffer.from('{}')), INVALID, 'format'],
    ['shorter than its Content-Length', faults.wrongLength(1), ...UNREACHABLE],
    ['longer than its Content-Length', faults.wrongLength(-1), ...UNREACHABLE],
    ['cut off', faults.cutInBody(10), ...UNREACHABLE],
    ['that stops coming', faults.stallInBody(10), ...UNREACHABLE],
    ['of a connection that is reset', faults.reset(), ...UNREACHABLE],
  ])('%s', async (_what, fault, code, cause) => {
    await start();
    server.fault('timestamp.json', fault);
    await refusal(resolve(), code, cause);
  });

  test('filled up with white space to just the limit is the same file', async () => {
    await start();
    server.fault('timestamp.json', faults.padded(MIB));
    expect(digestIn(await resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('in chunks, without a length', async () => {
    await start();
    server.fault('.json', faults.chunked());
    expect(digestIn(await resolve(), '3.20')).toBe(digestOf('a'));
  });

  test('that drip ends at the deadline, not before and not never', async () => {
    await start();
    server.fault('timestamp.json', faults.drip(1, 20));
    await refusal(resolve(AbortSignal.timeout(300)), 'deadline_exceeded', 'deadline');
  });

  test('of ten gigabytes costs no more memory than the limit', async () => {
    await start();
    server.fault('snapshot.', tenGigabytes());
    const before = process.memoryUsage();
    for (let i = 0; i < 20; i += 1) await refusal(resolve(), 'trust_unreachable', 'unreachable');
    const after = process.memoryUsage();
    // Buffers live outside the heap; both together may not have grown by more than a few chunks.
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(grown).toBeLessThan(100 * MIB);
  });
});

test('a server that is gone is an outage', async () => {
  await start();
  await server.stop();
  const error = await refusal(resolve(), 'trust_unreachable', 'unreachable');
  expect(error.isOutage).toBe(true);
});

describe('an outage names the server that was asked, why, and what to do', () => {
  const outage = async () => (await refusal(resolve(), 'trust_unreachable', 'unreachable')).message;

  test('when nothing listens there', async () => {
    await start();
    const { url } = server;
    await server.stop();
    expect(await outage()).toBe(
      `trust data of ${GUN} cannot be read from ${url}: nothing listens there (ECONNREFUSED); see that it runs and that this host may connect to it, and check trust.server of this registry`,
    );
  });

  test('when its certificate is of an authority nobody named', async () => {
    const { cert, key } = createTlsIdentity(['127.0.0.1']);
    await start({ tls: { cert, key } });
    expect(await outage()).toBe(
      `trust data of ${GUN} cannot be read from ${server.url}: its certificate is signed by no authority that is trusted here (UNABLE_TO_VERIFY_LEAF_SIGNATURE); check that certificate, and trust.ca of this registry, which names its authority`,
    );
  });

  test.each([
    [302, 'check trust.server of this registry and what stands before it'],
    [401, 'check trust.auth of this registry in the configuration'],
    [429, 'it limits how often it is asked; raise that limit, or trust.refresh'],
    [503, 'see its log and what stands before it'],
  ])('when it answers %s', async (status, next) => {
    await start();
    server.fault('timestamp.json', faults.status(status));
    expect(await outage()).toBe(
      `trust data of ${GUN} cannot be read from ${server.url}: it answered ${status}; ${next}`,
    );
  });

  test('when its answer is cut off', async () => {
    await start();
    server.fault('timestamp.json', faults.cutInBody(10));
    expect(await outage()).toMatch(
      new RegExp(`^trust data of ${GUN} cannot be read from ${server.url}: the connection was cut`),
    );
  });

  test('a token server that is down is not taken for it', async () => {
    const tokens = new TokenServer({ users: {} });
    await tokens.start();
    const { realm } = tokens;
    await tokens.stop();
    const gone = { realm, allows: () => false, knows: () => false };
    await start({ access: bearerAccess(gone, 'notary') }, ACCOUNT, new URL(realm).host);
    expect(await outage()).toBe(
      `trust data of ${GUN} cannot be read from ${server.url}: trust (token server): cannot be reached: nothing listens there (ECONNREFUSED)`,
    );
  });
});
