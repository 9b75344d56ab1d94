/** Clients that are slow, silent, greedy or gone: each is bounded, and none keeps anything alive upstream. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { eventually, readHead } from '../listen/kit.ts';
import { manifest } from '../pull/harness.ts';
import { after, BLOB, bigBlob, MEBIBYTE, readAll, sendRequest, start } from './kit.ts';

const QUICK = {
  headersTimeout: 150,
  requestTimeout: 300,
  keepAliveTimeout: 100,
  connectionsCheckingInterval: 20,
};
const SIGNED = manifest('signed');
const TAG = '/v2/library/app/manifests/signed';

describe('a request that does not come', () => {
  test('headers byte by byte are told 408 when the time is over, whatever still trickles in', async () => {
    const { port, upstream, connections } = await start({}, QUICK);
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const answer = readAll(socket);
    const bytes = [...`GET ${TAG} HTTP/1.1\r\nHost: localhost\r\nX-Slow: ${'x'.repeat(1000)}`];
    const timer = setInterval(() => socket.writable && socket.write(bytes.shift() ?? 'x'), 5);
    const text = await answer;
    clearInterval(timer);
    expect(text).toMatch(/^HTTP\/1\.1 408 Pullwarden: the request did not come in time\r\n/);
    expect(text).toContain('"reason":"bad_request"');
    expect(upstream.received).toEqual([]);
    expect(await connections()).toBe(0);
  });

  test('a connection on which nothing is sent at all is closed', async () => {
    const { port } = await start({}, QUICK);
    const socket = connect(port, '127.0.0.1').resume();
    await once(socket, 'close');
  });

  test('headers beyond 16 KiB are 431', async () => {
    const { port } = await start({});
    const text = await readAll(sendRequest(port, TAG, `X-Big: ${'x'.repeat(17 * 1024)}\r\n`));
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('a connection between two requests is closed when it is idle, not before', async () => {
    const { port } = await start({ signed: { signed: SIGNED } }, QUICK);
    const socket = sendRequest(port, TAG);
    expect(await readHead(socket)).toMatch(/^HTTP\/1\.1 /);
    await after(30);
    expect(socket.closed).toBe(false);
    await readAll(socket);
  });

  test('a body that trickles in behind a request is not waited for', async () => {
    const { port } = await start({ signed: { signed: SIGNED } }, QUICK);
    const text = await readAll(sendRequest(port, TAG, 'Content-Length: 1000\r\n'));
    expect(text).toMatch(/\r\nConnection: close\r\n/i);
  });
});

describe('an answer that is not read', () => {
  test('a client that stops reading is cut when nothing has moved for long enough, and its upstream with it', async () => {
    const blob = bigBlob(256 * MEBIBYTE);
    const { port, connections } = await start({ handler: blob.handler }, { idleTimeout: 200 });
    sendRequest(port, BLOB).pause();
    await eventually(() => blob.open() === 1);
    await eventually(() => blob.open() === 0);
    expect(await connections()).toBe(0);
  });

  test('a client that pauses longer than an upstream may be silent gets the whole blob in the end', async () => {
    const size = 24 * MEBIBYTE;
    const { port } = await start({ handler: bigBlob(size).handler, idleTimeoutMs: 3_000 });
    const socket = sendRequest(port, BLOB, 'Connection: close\r\n');
    // More than twice the time an upstream may be silent: it is we who do not read. The upstream itself is this process, which
    // a slow machine may hold up for a while.
    await after(7_000);
    const text = await readAll(socket);
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(size);
  });

  test('pipelined requests beyond the limit end the connection: not each may cost an upstream one', async () => {
    const { port, upstream } = await start({ handler: () => undefined }, { maxPipelined: 4 });
    const request = `GET ${BLOB} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(request.repeat(1000));
    await readAll(socket);
    expect(upstream.received.length).toBeLessThanOrEqual(4);
  });

  test('up to the limit they are answered', async () => {
    const { port } = await start({ handler: (_req, res) => res.end('blob') }, { maxPipelined: 4 });
    const socket = connect(port, '127.0.0.1');
    const request = (more = '') => `GET ${BLOB} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
    socket.write(request() + request() + request() + request('Connection: close\r\n'));
    expect((await readAll(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(4);
  });
});

describe('a client that goes away', () => {
  test.each([
    ['resets its connection', 'reset'],
    ['closes its connection', 'destroy'],
    ['closes the side it sends on: that is what a client that died looks like to us', 'end'],
  ] as const)('in the middle of a blob, and %s', async (_name, how) => {
    const blob = bigBlob(256 * MEBIBYTE);
    const { port, errors, connections } = await start({ handler: blob.handler });
    const socket = sendRequest(port, BLOB);
    await once(socket, 'data');
    if (how === 'reset') socket.resetAndDestroy();
    else if (how === 'destroy') socket.destroy();
    else socket.resume().end();
    await eventually(() => blob.open() === 0);
    socket.destroy();
    // That its connection broke is all that is said of it, and at the lowest level (runtime.ts `onError`).
    expect(
      errors.filter((error) => !/ECONNRESET|EPIPE/.test(String((error as NodeJS.ErrnoException).code))),
    ).toEqual([]);
    await after(20);
    expect(await connections()).toBe(0);
  });

  test('before its upstream has answered', async () => {
    let open = 0;
    const { port, upstream } = await start({
      handler: (req) => {
        open += 1;
        req.socket.once('close', () => {
          open -= 1;
        });
      },
    });
    const socket = sendRequest(port, BLOB);
    await eventually(() => open === 1);
    socket.resetAndDestroy();
    await eventually(() => open === 0);
    expect(upstream.received).toHaveLength(1);
  });

  test('others go on meanwhile', async () => {
    const blob = bigBlob(8 * MEBIBYTE);
    const { port } = await start({ handler: blob.handler });
    const polite = readAll(sendRequest(port, BLOB, 'Connection: close\r\n'));
    for (let at = 0; at < 20; at += 1) {
      const socket = sendRequest(port, BLOB);
      await once(socket, 'data');
      socket.resetAndDestroy();
    }
    expect((await polite).length).toBeGreaterThan(8 * MEBIBYTE);
  });
});
