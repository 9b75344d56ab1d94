/** What connections cost that do nothing, or read slowly: so and so many bytes each, and nothing is left of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { connectSetup, eventually } from '../listen/kit.ts';
import { ask, manifest } from '../pull/harness.ts';
import { BLOB, bigBlob, closeLater, MEBIBYTE, sendRequest, start } from './kit.ts';

jest.setTimeout(120_000);

const SIGNED = manifest('signed');
const SETUP = {
  signed: { signed: SIGNED },
  handler: (_req: unknown, res: ServerResponse) =>
    res
      .writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v2+json' })
      .end(SIGNED.bytes),
};
const IDLE = 10_000;
/** In bytes. A new process shows 5 to 8 KiB; one in which seventy other test files ran before showed 25. */
const EACH = 32 * 1024;
/** Handshakes cost both processes time: a tenth of them shows as much. */
const IDLE_TLS = 1_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of this process that are in use, on the heap and beside it. */
async function inUse(): Promise<number> {
  // What the first collection lets go of, the next one frees.
  for (let round = 0; round < 3; round += 1) {
    collect();
    await new Promise(setImmediate);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Opens them all, and resolves when they stand. */
async function openIdle(
  port: number,
  mode: 'keepalive' | 'connect' | 'tls',
  count = IDLE,
): Promise<ChildProcess> {
  const program = join(import.meta.dirname, 'idle-clients.js');
  const child = spawn(process.execPath, [program, String(port), String(count), mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  expect(line.toString()).toBe(`open ${count}\n`);
  return child;
}

async function closeAll(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await once(child, 'exit');
}

describe('10,000 idle connections', () => {
  test('kept alive after a pull: 32 KiB each, others are served meanwhile, and nothing stays', async () => {
    const proxy = await start(SETUP);
    await ask(proxy.port, '/v2/library/app/manifests/signed');
    const before = await inUse();
    const { rss } = process.memoryUsage();
    const clients = await openIdle(proxy.port, 'keepalive');
    expect(((await inUse()) - before) / IDLE).toBeLessThan(EACH);
    expect((process.memoryUsage().rss - rss) / IDLE).toBeLessThan(64 * 1024);
    expect(await proxy.connections()).toBe(IDLE);
    expect((await ask(proxy.port, '/v2/library/app/manifests/signed')).status).toBe(200);
    await closeAll(clients);
    await connectionsGone(proxy);
    expect(((await inUse()) - before) / IDLE).toBeLessThan(16 * 1024);
  });

  test('that said CONNECT and nothing more: 32 KiB each, and nothing stays of them either', async () => {
    const proxy = await start({
      ...SETUP,
      server: { connect: connectSetup().connect, limits: { handshakeTimeout: 60_000 } },
    });
    const before = await inUse();
    const { rss } = process.memoryUsage();
    const clients = await openIdle(proxy.port, 'connect');
    expect(((await inUse()) - before) / IDLE).toBeLessThan(EACH);
    expect((process.memoryUsage().rss - rss) / IDLE).toBeLessThan(64 * 1024);
    expect((await ask(proxy.port, '/v2/library/app/manifests/signed')).status).toBe(200);
    await closeAll(clients);
    await connectionsGone(proxy);
    expect(((await inUse()) - before) / IDLE).toBeLessThan(EACH);
  });

  test('1,000 with TLS inside a CONNECT: 32 KiB each on the heap', async () => {
    const proxy = await start({ ...SETUP, server: { connect: connectSetup().connect } });
    const before = await inUse();
    const clients = await openIdle(proxy.port, 'tls', IDLE_TLS);
    expect(((await inUse()) - before) / IDLE_TLS).toBeLessThan(32 * 1024);
    expect(await proxy.connections()).toBe(IDLE_TLS);
    await closeAll(clients);
    await connectionsGone(proxy);
  });

  test('beyond the limit a connection is closed as it comes', async () => {
    const proxy = await start(SETUP, { maxConnections: 2 });
    const held = [sendRequest(proxy.port, '/v2/'), sendRequest(proxy.port, '/v2/')];
    await Promise.all(held.map((socket) => once(socket, 'data')));
    await once(sendRequest(proxy.port, '/v2/').resume(), 'close');
    for (const socket of held) socket.destroy();
  });
});

async function connectionsGone(proxy: { connections(): Promise<number> }): Promise<void> {
  let count = 1;
  while (count > 0) {
    count = await proxy.connections();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('slow readers', () => {
  test('20 of a blob of 1 GiB hold 3 MiB each: the upstream waits for them', async () => {
    const blob = bigBlob(1024 * MEBIBYTE);
    const proxy = await start({ handler: blob.handler });
    const before = await inUse();
    const clients = Array.from({ length: 20 }, () => sendRequest(proxy.port, BLOB).pause());
    closeLater({ close: () => clients.map((socket) => socket.destroy()) });
    await eventually(() => blob.open() === 20);
    await settled(blob.sent);
    // Most of it is in the kernel: socket buffers of four connections' ends for each client.
    expect(blob.sent()).toBeLessThan(20 * 24 * MEBIBYTE);
    expect((await inUse()) - before).toBeLessThan(20 * 3 * MEBIBYTE);
    const filled = blob.sent();
    // Each takes 8 MiB now, and that is how much more is asked of the upstream.
    for (const socket of clients) read(socket, 8 * MEBIBYTE);
    await eventually(() => blob.sent() - filled > 20 * 4 * MEBIBYTE);
    await settled(blob.sent);
    expect(blob.sent() - filled).toBeLessThan(20 * 16 * MEBIBYTE);
    expect((await inUse()) - before).toBeLessThan(20 * 3 * MEBIBYTE);
  });
});

/** Reads so many bytes and stops again. */
function read(socket: Socket, bytes: number): void {
  let left = bytes;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) socket.pause();
  });
  socket.resume();
}

/** Until a counter has stood still for ten looks. */
async function settled(counter: () => number): Promise<void> {
  let still = 0;
  for (let last = -1; still < 10; last = counter()) {
    still = last === counter() ? still + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
