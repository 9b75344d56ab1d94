/** Upstreams that are silent, cut off, over quota or no HTTP at all: the client learns it in time and never gets less as if it were all. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createForwarder } from '../../proxy/forward/forwarder.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import { eventually } from '../listen/kit.ts';
import { ask, BASIC, errorOf, manifest, type ProxyOptions } from '../pull/harness.ts';
import type { Handler } from '../upstream/upstream.ts';
import { BLOB, closeLater, readAll, sendRequest, start } from './kit.ts';

const SIGNED = manifest('signed');
const TAG = '/v2/library/app/manifests/signed';
const BY_DIGEST = `/v2/library/app/manifests/${SIGNED.digest}`;
const QUICK: ProxyOptions = { signed: { signed: SIGNED }, idleTimeoutMs: 150, deadlineMs: 150 };

describe('an upstream that stalls', () => {
  test.each([
    ['a blob', BLOB, 502, 'registry_unreachable'],
    ['a manifest by digest', BY_DIGEST, 503, 'deadline_exceeded'],
    ['a signed tag', TAG, 503, 'deadline_exceeded'],
  ])('before its headers, %s', async (_name, path, status, reason) => {
    let open = 0;
    const { port } = await start({
      ...QUICK,
      handler: (_req, res) => {
        open += 1;
        res.once('close', () => {
          open -= 1;
        });
      },
    });
    const answer = await ask(port, path);
    expect([answer.status, errorOf(answer).detail['reason']]).toEqual([status, reason]);
    await eventually(() => open === 0);
  });

  test('inside its headers, which it trickles', async () => {
    const { port } = await startRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX-Slow: ');
      const timer = setInterval(() => socket.write('x'), 10);
      socket.once('close', () => clearInterval(timer));
    });
    const answer = await ask(port, '/');
    expect([answer.status, answer.body.toString()]).toEqual([502, 'the upstream did not answer in time']);
  });

  test('inside a blob: the client sees that it is cut', async () => {
    const { port } = await start({ ...QUICK, handler: partly(1000, 'part') });
    const text = await readAll(sendRequest(port, BLOB));
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*content-length: 1000\r\n[\s\S]*\r\n\r\npart$/i);
    await expect(ask(port, BLOB)).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });

  test('inside a signed manifest: nothing of it is served', async () => {
    const { port } = await start({ ...QUICK, handler: partly(SIGNED.length, '{"schemaVersion":2') });
    const answer = await ask(port, TAG);
    expect([answer.status, errorOf(answer).detail['reason']]).toEqual([503, 'deadline_exceeded']);
  });
});

describe('an upstream that is over quota', () => {
  const handler: Handler = (_req, res) =>
    res
      .writeHead(429, {
        'retry-after': '17',
        'content-type': 'application/json',
        'ratelimit-remaining': '0;w=21600',
      })
      .end('{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}');

  test.each([
    ["with the client's credentials", { auth: { kind: 'passthrough' } }],
    ["with the proxy's own account", { auth: BASIC }],
  ] as const)('says so and when to come back, %s', async (_name, { auth }) => {
    const { port } = await start({ ...QUICK, handler, auth });
    for (const path of [TAG, BY_DIGEST, BLOB]) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await ask(port, path, { method });
        expect([path, answer.status, answer.headers['retry-after']]).toEqual([path, 429, '17']);
        expect(answer.headers['ratelimit-remaining']).toBe('0;w=21600');
        if (method === 'GET') expect(errorOf(answer).code).toBe('TOOMANYREQUESTS');
      }
    }
  });

  test('is asked again by the next client: a 429 is not remembered', async () => {
    const { port, upstream } = await start({ ...QUICK, handler });
    expect((await ask(port, TAG)).status).toBe(429);
    upstream.answer((_req, res) =>
      res
        .writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' })
        .end(SIGNED.bytes),
    );
    expect((await ask(port, TAG)).status).toBe(200);
  });
});

describe('a blob that is cut', () => {
  test('is resumed where it ended, and whole in the end', async () => {
    const blob = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
    let cuts = 3;
    const { port, upstream } = await start({
      handler: (req, res) => {
        const from = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0);
        const range = { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
        res.writeHead(from === 0 ? 200 : 206, {
          'content-length': blob.length - from,
          ...(from === 0 ? {} : range),
        });
        if (cuts-- > 0) res.write(blob.subarray(from, from + 50_000), () => req.socket.destroy());
        else res.end(blob.subarray(from));
      },
    });
    const received: Buffer[] = [];
    for (let length = 0; length < blob.length; length = Buffer.concat(received).length) {
      const range = length === 0 ? '' : `Range: bytes=${length}-\r\n`;
      const text = await readAll(sendRequest(port, BLOB, `${range}Connection: close\r\n`));
      received.push(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1'));
    }
    expect(Buffer.concat(received).equals(blob)).toBe(true);
    expect(upstream.received.map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=50000-',
      'bytes=100000-',
      'bytes=150000-',
    ]);
  });

  test('without a length is cut too, not ended', async () => {
    const { port } = await start({ handler: partly(undefined, 'part'), idleTimeoutMs: 100 });
    const text = await readAll(sendRequest(port, BLOB));
    // A whole answer in chunks ends with an empty one.
    expect(text).toContain('part');
    expect(text).not.toMatch(/0\r\n\r\n$/);
  });
});

describe('an upstream that is no registry', () => {
  const answers: readonly (readonly [string, string | undefined])[] = [
    ['hangs up', undefined],
    ['speaks something else', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['has headers beyond 16 KiB', `HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`],
    [
      'changes the protocol',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    ],
    ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'has both lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    ],
  ];
  test.each(answers)('%s: 502', async (_name, text) => {
    const { port } = await startRaw((socket) => (text === undefined ? socket.destroy() : socket.end(text)));
    expect((await ask(port, '/')).status).toBe(502);
  });

  test('sends more than it announced: the client gets what was announced', async () => {
    const { port } = await startRaw((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nblobHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
      ),
    );
    expect((await ask(port, '/')).body.toString()).toBe('blob');
    expect((await ask(port, '/')).body.toString()).toBe('blob');
  });
});

/** The first bytes of an answer, and then nothing. */
function partly(length: number | undefined, text: string): Handler {
  return (_req, res) => {
    const type = { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' };
    res
      .writeHead(200, { ...type, ...(length === undefined ? {} : { 'content-length': length }) })
      .write(text);
  };
}

/** A forwarder in front of an upstream that answers with bytes. */
async function startRaw(answer: (socket: Socket) => unknown): Promise<{ readonly port: number }> {
  const sockets = new Set<Socket>();
  const upstream = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  closeLater({
    close: () => {
      for (const socket of sockets) socket.destroy();
      upstream.close();
    },
  });
  const client = createHttpClient({
    upstream: 'r',
    kind: 'registry',
    baseUrl: `http://127.0.0.1:${portOf(upstream)}`,
    auth: { kind: 'passthrough' },
  });
  const forwarder = closeLater(createForwarder({ idleTimeoutMs: 150 }));
  const server = closeLater(
    createHttpServer((req, res) => {
      const onFailed = (_reason: string, what: string) => {
        const body = Buffer.from(what);
        return { status: 502, reasonPhrase: undefined, headers: new Map(), body };
      };
      const onServed = () => undefined;
      void forwarder.forward(req, res, { kind: 'blob', client, path: '/x', scope: '', onServed, onFailed });
    }).listen(0, '127.0.0.1'),
  );
  await once(server, 'listening');
  return { port: portOf(server) };
}

function portOf(server: { address(): unknown }): number {
  return (server.address() as { readonly port: number }).port;
}
