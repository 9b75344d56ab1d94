/** The proxy as HTTPS_PROXY: which tunnels end here, which are refused, and that nothing gets past the pipeline. */
import { connect as netConnect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ConnectOptions } from '../../proxy/listen/connect.ts';
import { manifest, type ProxyOptions, type RunningProxy, sendRaw, startProxy } from '../pull/harness.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';
import {
  askOn,
  clientIdentity,
  connectSetup,
  eventually,
  HUB_HOSTS,
  readHead,
  sendConnect,
  startTls,
  tlsOf,
} from './kit.ts';

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

const SIGNED = manifest('signed');
const [HUB = ''] = HUB_HOSTS;

async function start(options: ProxyOptions = {}, connect: Partial<ConnectOptions> = {}) {
  const setup = connectSetup(connect);
  const proxy = await startProxy({
    signed: { signed: SIGNED },
    handler: (req, res) =>
      req.url?.endsWith(SIGNED.digest)
        ? res
            .writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' })
            .end(SIGNED.bytes)
        : res.writeHead(404).end(),
    ...options,
    server: { connect: setup.connect, ...options.server },
  });
  running.push(proxy);
  return { ...proxy, ...setup };
}

type Started = Awaited<ReturnType<typeof start>>;

async function inside({ port, ca }: Started, host = HUB) {
  const { socket } = await sendConnect(`${host}:443`, { port });
  return await startTls({ socket, servername: host, ca });
}

describe('a registry there is a certificate for', () => {
  test.each(HUB_HOSTS)('%s: what is inside walks the same pipeline', async (host) => {
    const proxy = await start();
    const answer = await askOn(await inside(proxy, host), '/v2/library/app/manifests/signed', host);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain(SIGNED.bytes.toString());
    expect(proxy.records).toEqual([
      expect.objectContaining({
        registry: 'docker.io',
        repository: 'library/app',
        reason: 'signed',
        client: '127.0.0.1',
      }),
    ]);
    expect(proxy.upstream.received.map(({ url }) => url)).toEqual([
      `/v2/library/app/manifests/${SIGNED.digest}`,
    ]);
    expect(proxy.events).toEqual([expect.objectContaining({ result: 'terminated', target: `${host}:443` })]);
  });

  test('an unsigned tag is refused with the sentence', async () => {
    const answer = await askOn(await inside(await start()), '/v2/library/app/manifests/other', HUB);
    expect(answer).toMatch(
      /^HTTP\/1\.1 403 Denied by Pullwarden: docker\.io\/library\/app:other is not signed/,
    );
  });

  test('the Host may have the port of HTTPS', async () => {
    const answer = await askOn(await inside(await start()), '/v2/library/app/manifests/signed', `${HUB}:443`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('several requests go through one tunnel, pipelined too', async () => {
    const proxy = await start();
    const socket = await inside(proxy);
    const request = `GET /v2/library/app/manifests/signed HTTP/1.1\r\nHost: ${HUB}\r\n\r\n`;
    socket.write(request + request);
    const answer = await askOn(socket, '/v2/library/app/manifests/signed', HUB);
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  test.each([
    ['another name of the same registry', 'index.docker.io'],
    ['another registry', 'quay.proxy.test'],
    ['a name nobody configured', 'evil.example'],
    ['another port', `${HUB}:8443`],
    ['an empty name', ''],
  ])('a Host with %s is refused', async (_name, host) => {
    const proxy = await start();
    const answer = await askOn(await inside(proxy), '/v2/library/app/manifests/signed', host);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"reason":"bad_request"');
    expect(proxy.upstream.received).toEqual([]);
  });

  test('an absolute target inside it is refused', async () => {
    const answer = await askOn(
      await inside(await start()),
      `https://${HUB}/v2/library/app/manifests/signed`,
      HUB,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 Pullwarden: requests in absolute form are not proxied/);
  });

  test('a tunnel inside it is refused', async () => {
    const proxy = await start();
    const { status } = await sendConnect(`${HUB}:443`, { port: proxy.port, over: await inside(proxy) });
    expect(status).toBe(400);
  });

  test.each([
    ['another name', { servername: 'index.docker.io' }],
    ['a name nobody configured', { servername: 'evil.example' }],
    ['no name', { servername: '' }],
    ['HTTP/2 alone', { servername: HUB, ALPNProtocols: ['h2'] }],
    ['TLS 1.1', { servername: HUB, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }],
  ] as const)('a handshake with %s fails', async (_name, options) => {
    const { port, ca, answered } = await start();
    const { socket, status } = await sendConnect(`${HUB}:443`, { port });
    expect(status).toBe(200);
    const { ...tls } = { socket, ca, checkServerIdentity: () => undefined, ...options };
    const handshake = startTls({ ...tls, ALPNProtocols: 'ALPNProtocols' in options ? ['h2'] : ['http/1.1'] });
    // TLS 1.3 tells a client that it is done before the server has looked at everything.
    await handshake.then(
      (inner) => eventually(() => inner.destroyed),
      () => undefined,
    );
    expect(answered).toEqual([]);
  });

  test('a registry that a reload took away is refused, on connections from before it too', async () => {
    let isThere = true;
    const proxy = await start({}, { registryAt: () => (isThere ? 'docker.io' : undefined) });
    expect((await sendConnect(`${HUB}:443`, { port: proxy.port })).status).toBe(200);
    isThere = false;
    expect((await sendConnect(`${HUB}:443`, { port: proxy.port })).status).toBe(403);
    const own = createTlsIdentity(['old.example']);
    const former = await start(
      {},
      {
        registryAt: () => 'old.example',
        certificates: [{ hosts: ['old.example'], ...own }],
      },
    );
    const { socket } = await sendConnect('old.example:443', { port: former.port });
    const inner = await startTls({ socket, servername: 'old.example', ca: own.ca });
    const answer = await askOn(inner, '/v2/library/app/manifests/signed', 'old.example');
    expect(answer).toMatch(
      /^HTTP\/1\.1 403 Denied by Pullwarden: old\.example is not a registry this proxy serves/,
    );
  });

  test('an address is connected to without a name in the handshake', async () => {
    const own = createTlsIdentity(['10.1.2.3']);
    const { port } = await start(
      {},
      { registryAt: () => 'docker.io', certificates: [{ hosts: ['10.1.2.3:5000'], ...own }] },
    );
    const { socket, status } = await sendConnect('10.1.2.3:5000', { port });
    expect(status).toBe(200);
    await expect(startTls({ socket, host: '10.1.2.3', ca: own.ca })).resolves.toBeDefined();
  });
});

describe('every other host is refused', () => {
  test.each([
    ['quay.io:443', /^HTTP\/1\.1 403 Denied by Pullwarden: this proxy has no certificate for quay\.io\r\n/],
    ['ghcr.io:443', /^HTTP\/1\.1 403 Denied by Pullwarden: ghcr\.io is not a registry this proxy serves\r\n/],
    ['registry-1.docker.io:80', /^HTTP\/1\.1 403 .*registry-1\.docker\.io:80 is not a registry/],
    ['127.0.0.1:9150', /^HTTP\/1\.1 403 .*127\.0\.0\.1:9150 is not a registry/],
    ['[::1]:9150', /^HTTP\/1\.1 403 .*\[::1\]:9150 is not a registry/],
    ['auth.docker.io:443', /^HTTP\/1\.1 403 /],
  ])('%s', async (target, expected) => {
    const proxy = await start();
    const text = await sendRaw(proxy.port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    expect(text).toMatch(expected);
    expect(text).toContain('"code":"DENIED"');
    expect(proxy.events).toEqual([expect.objectContaining({ result: 'refused', target })]);
  });

  test.each([
    ['another Host', `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: auth.docker.io:443\r\n\r\n`],
    ['two Hosts', `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\nHost: ${HUB}:443\r\n\r\n`],
    ['a body', `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\nContent-Length: 4\r\n\r\n`],
    ['chunks', `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ['data behind it', `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\n\r\nGET / HTTP/1.1\r\n\r\n`],
    ['no port', `CONNECT ${HUB} HTTP/1.1\r\nHost: ${HUB}\r\n\r\n`],
    ['a user', `CONNECT u@${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\n\r\n`],
    ['a trailing dot', `CONNECT ${HUB}.:443 HTTP/1.1\r\nHost: ${HUB}.:443\r\n\r\n`],
  ])('CONNECT with %s is 400', async (_name, request) => {
    const { port, events } = await start({}, { tunnel: ['auth.docker.io:443'] });
    expect(await sendRaw(port, request)).toMatch(/^HTTP\/1\.1 400 /);
    expect(events.filter(({ result }) => result !== 'refused')).toEqual([]);
  });

  test('requests for http:// addresses are refused, whatever registry they name', async () => {
    const { port, upstream } = await start();
    const text = await sendRaw(
      port,
      `GET http://${HUB}/v2/library/app/manifests/signed HTTP/1.1\r\nHost: ${HUB}\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 Pullwarden: requests in absolute form are not proxied\r\n/);
    expect(text).toContain('set this proxy as HTTPS_PROXY');
    expect(upstream.received).toEqual([]);
  });
});

describe('limits', () => {
  const limits = {
    handshakeTimeout: 150,
    headersTimeout: 150,
    keepAliveTimeout: 50,
    connectionsCheckingInterval: 20,
  };

  test('a client that never begins its handshake is cut, and so is one that trickles it', async () => {
    const { port } = await start({ server: { limits } });
    for (const trickle of [false, true]) {
      const { socket } = await sendConnect(`${HUB}:443`, { port });
      socket.resume();
      const timer = trickle ? setInterval(() => socket.write('\x16'), 20) : undefined;
      await eventually(() => socket.closed);
      clearInterval(timer);
    }
  });

  test.each(['end', 'destroy', 'resetAndDestroy'] as const)(
    'a client that leaves before its handshake (%s) is gone at once',
    async (how) => {
      const { port, connections } = await start();
      const { socket } = await sendConnect(`${HUB}:443`, { port });
      socket.resume()[how]();
      let count = 1;
      const timer = setInterval(() => void connections().then((now) => (count = now)), 10);
      await eventually(() => count === 0).finally(() => clearInterval(timer));
    },
  );

  test('the limit on headers holds inside a tunnel', async () => {
    const socket = await inside(await start({ server: { limits } }));
    socket.write('GET /v2/ HTTP/1.1\r\n');
    expect(await readHead(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('an idle tunnel ends with its keep-alive', async () => {
    const socket = await inside(await start({ server: { limits } }));
    socket.write(`GET /v2/x HTTP/1.1\r\nHost: ${HUB}\r\n\r\n`);
    await readHead(socket);
    socket.resume();
    await eventually(() => socket.closed);
  });

  test('stopping does not wait for tunnels that carry nothing', async () => {
    const proxy = await start();
    const [waiting, idle] = [await sendConnect(`${HUB}:443`, { port: proxy.port }), await inside(proxy)];
    waiting.socket.resume();
    idle.resume();
    running.splice(0);
    // Much longer than this test may take.
    await proxy.close(600_000);
  });
});

describe('identity', () => {
  test('over HTTPS with client certificates, it is the one of the connection around the tunnel', async () => {
    const client = clientIdentity('node-7');
    const { tls, ca } = tlsOf(['localhost']);
    const proxy = await start({ server: { tls: { ...tls, clientCa: client.ca } } });
    const outer = await startTls({
      port: proxy.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      cert: client.cert,
      key: client.key,
    });
    const { socket } = await sendConnect(`${HUB}:443`, { port: proxy.port, over: outer });
    const inner = await startTls({ socket, servername: HUB, ca: proxy.ca });
    await askOn(inner, '/v2/library/app/manifests/signed', HUB);
    expect(proxy.records).toEqual([expect.objectContaining({ identity: 'CN=node-7', reason: 'signed' })]);
    expect(proxy.events).toEqual([expect.objectContaining({ identity: 'CN=node-7' })]);
  });
});

test('without configuration CONNECT is cut without an answer', async () => {
  const proxy = await startProxy();
  running.push(proxy);
  expect(await sendRaw(proxy.port, `CONNECT ${HUB}:443 HTTP/1.1\r\nHost: ${HUB}:443\r\n\r\n`)).toBe('');
  netConnect(proxy.port, '127.0.0.1').destroy();
});
