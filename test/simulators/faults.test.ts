import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type PushedImage, RegistryServer } from '../../proxy/demo/registry.ts';
import { send } from '../demo/http.ts';
import * as faults from './faults.ts';
import { createTlsIdentity } from './tls-identity.ts';

const registry = new RegistryServer();
let image: PushedImage;
let url: string;

beforeAll(async () => {
  await registry.start();
  image = registry.pushImage('library/alpine', '3.20');
  url = `${registry.url}/v2/library/alpine/manifests/${image.digest}`;
});
afterAll(() => registry.stop());
beforeEach(() => registry.clearFaults());

describe('which requests a fault strikes', () => {
  test('by part of the target, expression or test; the last armed first; so many times', async () => {
    registry.fault('/manifests/', faults.status(500));
    registry.fault(/alpine/, faults.status(503), 1);
    registry.fault((request) => request.method === 'HEAD', faults.status(429), 1);
    const statuses = [];
    for (const method of ['HEAD', 'GET', 'GET']) statuses.push((await send(url, { method })).status);
    expect(statuses).toEqual([429, 503, 500]);
    expect((await send(`${registry.url}/v2/`)).status).toBe(200);
    registry.clearFaults();
    expect((await send(url)).status).toBe(200);
  });

  test('every request is logged', async () => {
    registry.requests.length = 0;
    await send(url, { headers: { 'X-Test': '1' } });
    const expected = { method: 'GET', url: new URL(url).pathname, headers: { 'x-test': '1' } };
    expect(registry.requests).toMatchObject([expected]);
    expect([registry.count(/manifests/), registry.count(/manifests/, 'HEAD')]).toEqual([1, 0]);
  });
});

describe('answers that are whole', () => {
  test('429 with Retry-After, redirect', async () => {
    registry.fault('', faults.tooManyRequests(7), 1);
    expect((await send(url)).headers['retry-after']).toBe('7');
    registry.fault('', faults.redirect('http://127.0.0.1:1/elsewhere'), 1);
    const redirected = await send(url);
    expect([redirected.status, redirected.headers.location]).toEqual([307, 'http://127.0.0.1:1/elsewhere']);
  });

  test('another body, one flipped bit', async () => {
    registry.fault('', faults.otherBody(Buffer.from('{}')), 1);
    const other = await send(url);
    expect([other.body.toString(), other.headers['docker-content-digest']]).toEqual(['{}', image.digest]);
    registry.fault('', faults.flippedBit());
    const flipped = await send(url);
    expect(flipped.body).toHaveLength(image.length);
    expect(flipped.body.filter((octet, index) => octet !== image.body[index])).toHaveLength(1);
  });

  test('another media type, a missing header, no length', async () => {
    registry.fault(
      '',
      faults.inOrder(faults.otherMediaType('text/html'), faults.withoutHeaders('docker-content-digest')),
      1,
    );
    const { headers } = await send(url);
    expect([headers['content-type'], headers['docker-content-digest']]).toEqual(['text/html', undefined]);
    registry.fault('', faults.chunked(), 1);
    const chunked = await send(url);
    expect([chunked.headers['content-length'], chunked.body.length]).toEqual([undefined, image.length]);
  });

  test('compressed, padded', async () => {
    registry.fault('', faults.gzip(), 1);
    const compressed = await send(url);
    expect(compressed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(compressed.body).equals(image.body)).toBe(true);
    registry.fault('', faults.padded(5 * 1024 * 1024), 1);
    expect((await send(url)).body).toHaveLength(5 * 1024 * 1024);
  });

  test('late: after a time, after a promise', async () => {
    registry.fault('', faults.delay(30), 1);
    const start = performance.now();
    expect((await send(url)).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThan(25);
    registry.fault('', faults.delay(Promise.resolve()), 1);
    expect((await send(url)).status).toBe(200);
  });

  test('drop by drop', async () => {
    registry.fault('', faults.drip(100, 1));
    expect((await send(url)).body.equals(image.body)).toBe(true);
  });
});

describe('answers that are not', () => {
  test('a Content-Length that is wrong, for GET and HEAD', async () => {
    registry.fault('', faults.wrongLength(10), 1);
    await expect(send(url)).rejects.toThrow('aborted');
    for (const difference of [10, -10]) {
      registry.fault('', faults.wrongLength(difference), 1);
      const { headers } = await send(url, { method: 'HEAD' });
      expect(headers['content-length']).toBe(String(image.length + difference));
    }
  });

  test('endless: more than any honest body, and over at once for HEAD', async () => {
    registry.fault('', faults.endlessBody());
    expect((await send(url, { stopAt: 8_000_000 })).body.length).toBeGreaterThanOrEqual(8_000_000);
    expect((await send(url, { method: 'HEAD' })).status).toBe(200);
  });

  test('reset, cut in the body', async () => {
    registry.fault('', faults.reset(), 1);
    await expect(send(url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    registry.fault('', faults.cutInBody(10), 1);
    await expect(send(url)).rejects.toThrow('aborted');
  });

  test('stalled: nothing, or headers and no more, until the server stops', async () => {
    const stalling = new RegistryServer();
    const base = await stalling.start();
    stalling.fault(/never/, faults.stall());
    stalling.fault(/half/, faults.stallInBody(2));
    const never = send(`${base}/v2/never`);
    const half = await send(`${base}/v2/half`, { stopAt: 2 });
    expect(half.body).toHaveLength(2);
    const ended = expect(never).rejects.toMatchObject({ code: 'ECONNRESET' });
    await stalling.stop();
    await ended;
  });

  test('under TLS a reset is a closed connection', async () => {
    const tls = createTlsIdentity();
    const secure = new RegistryServer({ tls });
    const base = await secure.start();
    secure.fault('', faults.reset());
    await expect(send(`${base}/v2/`, { ca: tls.ca })).rejects.toMatchObject({ code: 'ECONNRESET' });
    await secure.stop();
  });
});

test('a fault that throws shows as 500', async () => {
  registry.fault('', () => {
    throw new Error('mistake');
  });
  const reply = await send(url);
  expect([reply.status, reply.body.toString()]).toEqual([500, 'simulator failed: Error: mistake\n']);
});

test('a server can be started again after it was stopped, and says when it is not running', async () => {
  const server = new RegistryServer();
  expect(() => server.url).toThrow('not started');
  await server.stop();
  await server.start();
  await server.stop();
  expect((await send(`${await server.start()}/v2/`)).status).toBe(200);
  await server.stop();
});
