/**
 * One client opens all the connections and tunnels it can. A full proxy is an open one for a daemon with a bare
 * mirror (registry-clients.md §1.4), so others must still get on, and the greedy one is told in a form that sticks.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { connectSetup, readHead, sendConnect, startEcho, startTls, tlsOf } from '../listen/kit.ts';
import { manifest, type ProxyOptions, startProxy } from '../pull/harness.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

const TAG = '/v2/library/app/manifests/signed';
const DOCKERD = 'User-Agent: docker/28.5.2 go/go1.24\r\n';
const OTHER = '127.0.0.2';
const MAX = 64;

async function start(limits: object = {}, server: ProxyOptions['server'] = {}) {
  const proxy = await startProxy({
    signed: { signed: manifest('signed') },
    handler: (_req, res) => res.writeHead(404).end(),
    server: { ...server, limits: { maxConnections: MAX, ...limits } },
  });
  running.push(proxy);
  return proxy;
}

/** An open connection, or undefined where it was closed as it came. */
async function open(port: number, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from });
  socket.on('error', () => undefined);
  running.push({ close: () => socket.destroy() });
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
  return socket;
}

async function askOver(socket: Socket, headers = ''): Promise<string> {
  socket.write(`GET ${TAG} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  return await readHead(socket);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function fill(port: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  for (let count = 0; count < 2 * MAX; count += 1) sockets.push((await open(port)).resume());
  return sockets;
}

describe('connections', () => {
  test('a client that takes all it can leaves places for others', async () => {
    const { port, connections } = await start();
    await fill(port);
    await until(async () => (await connections()) < MAX);
    for (let count = 0; count < 5; count += 1)
      expect(await askOver(await open(port, OTHER))).not.toContain('no room for more connections');
    expect(await connections()).toBeGreaterThan((MAX * 3) / 4);
  });

  test('the first one too many is answered so that a daemon does not go to the public registry', async () => {
    const { port, upstream } = await start();
    const held: Socket[] = [];
    for (let count = 0; count < (MAX * 3) / 4; count += 1) held.push(await open(port));
    const socket = await open(port);
    const text = await askOver(socket, DOCKERD);
    expect(text).toMatch(
      /^HTTP\/1\.1 503 Pullwarden: .*no room for more connections.*\(no such process\)\r\n/,
    );
    expect(text).toMatch(/\r\nConnection: close\r\n/i);
    expect(upstream.received).toEqual([]);
    await once(socket.resume(), 'close');
    held[0]?.destroy();
    held[1]?.destroy();
    await until(async () => !(await askOver(await open(port), DOCKERD)).includes('no room'));
  });

  test('so is a CONNECT', async () => {
    const { port } = await start({}, { connect: connectSetup().connect });
    for (let count = 0; count < (MAX * 3) / 4; count += 1) await open(port);
    const { text } = await sendConnect('registry-1.docker.io:443', { port, over: await open(port) });
    expect(text).toMatch(/^HTTP\/1\.1 503 Pullwarden: .*no room for more connections/);
  });

  test('under TLS they are counted and given back alike', async () => {
    const { tls, ca } = tlsOf(['localhost']);
    const { port, connections } = await start({ maxConnections: 16 }, { tls });
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca };
    const held = await Promise.all(Array.from({ length: 12 }, () => startTls(options)));
    const late = await startTls(options);
    expect(await askOver(late, DOCKERD)).toContain('no room for more connections');
    for (const socket of [...held, late]) socket.destroy();
    await until(async () => (await connections()) === 0);
    const again = await startTls(options);
    expect(await askOver(again, DOCKERD)).not.toContain('no room for more connections');
    again.destroy();
  });
});

test('tunnels: one client leaves some for others', async () => {
  const peer = await startEcho();
  running.push(peer);
  const target = `127.0.0.1:${peer.port}`;
  const { connect: options } = connectSetup({ tunnel: [target] });
  const { port } = await start({ maxTunnels: 8 }, { connect: options });
  const statuses: number[] = [];
  for (let count = 0; count < 8; count += 1)
    statuses.push((await sendConnect(target, { port, over: await open(port) })).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 502, 502]);
  expect((await sendConnect(target, { port, over: await open(port, OTHER) })).status).toBe(200);
});
