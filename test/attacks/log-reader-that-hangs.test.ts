/** The reader of the log hangs, or a client does, and the process is told to stop: it ends all the same. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';

jest.setTimeout(120_000);

const MAIN = join(import.meta.dirname, '../../dist/main.js');
const BLOB = `/v2/app/blobs/sha256:${'b'.repeat(64)}`;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

type Running = { readonly child: ChildProcess; readonly port: number; readonly admin: number };

/** `serve` with its standard output in a pipe that is not read. */
async function serve(format: 'json' | 'pretty'): Promise<Running> {
  const upstream = createServer((_req, res) => {
    res.writeHead(200, { 'content-length': 1 << 30 });
    const push = (): void => {
      if (!res.destroyed) res.write(Buffer.alloc(1 << 20), push);
    };
    push();
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  undo.push(() => upstream.close().closeAllConnections());
  const folder = await mkdtemp(join(tmpdir(), 'pullwarden-log-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const [port, admin] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const file = join(folder, 'pullwarden.yaml');
  await writeFile(
    file,
    JSON.stringify({
      listen: { address: '127.0.0.1', port },
      admin: { address: '127.0.0.1', port: admin },
      defaultRegistry: 'registry.example.com',
      registries: [{ name: 'registry.example.com', upstream: url, trust: { server: url } }],
      trust: { state: { kind: 'memory' } },
      policy: {
        rules: [{ name: 'never', match: 'registry.example.com/never/**', mode: 'deny' }],
        unmatched: 'pass',
      },
      log: { format },
    }),
  );
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.push(() => child.kill('SIGKILL'));
  while ((await fetch(`http://127.0.0.1:${admin}/livez`).catch(() => undefined))?.status !== 200)
    await delay(50);
  return { child, port, admin };
}

async function droppedLines({ admin }: Running): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  return Number(/^pullwarden_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
}

/** Refused pulls over kept connections until lines are dropped. */
async function flood(proxy: Running): Promise<void> {
  const socket = connect(proxy.port, '127.0.0.1');
  undo.push(() => socket.destroy());
  const path = `/v2/never/${'a'.repeat(200)}/manifests/1`;
  const batch = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20);
  while ((await droppedLines(proxy)) === 0)
    for (let at = 0; at < 100; at += 1) {
      socket.write(batch);
      for (let answers = 0; answers < 20; ) {
        const [chunk] = (await once(socket, 'data')) as [Buffer];
        answers += chunk.toString('latin1').split('HTTP/1.1 403').length - 1;
      }
    }
}

async function readSlowly({ port }: Running): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  undo.push(() => socket.destroy());
  socket.write(`GET ${BLOB} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket, 'data');
  socket.pause();
}

async function ended({ child }: Running): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

describe.each(['json', 'pretty'] as const)('standard output is not read (%s)', (format) => {
  test('lines beyond the bound are dropped and counted, the gap is in the log, SIGTERM ends it', async () => {
    const proxy = await serve(format);
    await flood(proxy);
    expect(await droppedLines(proxy)).toBeGreaterThan(0);
    // The reader is back: what waited comes, and then how much is missing.
    let text = '';
    const back = new Promise<void>((resolve) => {
      proxy.child.stdout?.on('data', (chunk: Buffer) => {
        text = (text + chunk.toString()).slice(-100_000);
        if (/lines were dropped/.test(text)) resolve();
      });
    });
    await back;
    expect(text).toMatch(/"lines":[1-9]|lines=[1-9]/);
    proxy.child.stdout?.pause();
    await flood(proxy);
    proxy.child.kill('SIGTERM');
    expect(await ended(proxy)).toBe(0);
  });

  test('a second signal ends it at once, with a transfer under way', async () => {
    const proxy = await serve(format);
    await flood(proxy);
    await readSlowly(proxy);
    proxy.child.kill('SIGTERM');
    await delay(300);
    expect(proxy.child.exitCode).toBeNull();
    const second = performance.now();
    proxy.child.kill('SIGINT');
    await ended(proxy);
    // Well below the 30 s that the transfer was given.
    expect(performance.now() - second).toBeLessThan(10_000);
  });
});
