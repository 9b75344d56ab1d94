/**
 * 2,000 clients ask for one blob of 16 MiB each and read nothing: what it costs in resident memory, whether it is given
 * back, and whether others are still served. The proxy is a process of its own; bare, and as `npm start` starts it.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { NotaryServer } from '../../proxy/demo/notary/notary-server.ts';
import { onCleanUp } from '../../test/real/process.ts';
import { atMost, describeMachine, type Report, type Series } from '../report.ts';
import { residentMiB } from './memory.ts';
import { type BenchProxy, startProxy } from './proxy.ts';

const BLOB = `/v2/app/blobs/sha256:${'b'.repeat(64)}`;
const BLOB_BYTES = 16 * 1024 * 1024;
const READERS = 2_000;
/** Fewer than the backlog of a listening socket. */
const AT_ONCE = 100;
/** How long the readers stand, and how long the memory has to go, in milliseconds. */
const STANDING_MS = 30_000;
const GIVEN_BACK_MS = 60_000;
const LOOK_MS = 500;
/** MiB above the idle process. */
const MOST_MIB = 300;
/** What may stay of it: pages of the allocator that the next load uses again, in MiB. */
const MOST_LEFT_MIB = 50;

export async function benchReaders(): Promise<Report> {
  const start = await readStart();
  const runs = [await measure('bare node', [], {}), await measure('as npm start', start.options, start.env)];
  return {
    machine: describeMachine(),
    tables: [
      {
        title: `resident memory with ${READERS} readers that read nothing`,
        unit: 'MiB',
        series: runs.flatMap(({ name, idle, peak, left }) => [
          { name: `${name}, idle`, runs: [idle] },
          { name: `${name}, peak`, runs: [peak] },
          { name: `${name}, afterwards`, runs: [left] },
        ]),
        notes: runs.map(({ name, neighbour }) => `${name}: a neighbour's /v2/ took ${neighbour} ms at most`),
      },
    ],
    bars: runs.flatMap(({ name, idle, peak, left }) => [
      atMost(`${name}: MiB above idle`, one(name, peak - idle), MOST_MIB),
      atMost(`${name}: MiB left after ${GIVEN_BACK_MS / 1000} s`, one(name, left - idle), MOST_LEFT_MIB),
    ]),
  };
}

function one(name: string, value: number): Series {
  return { name, runs: [value] };
}

async function measure(name: string, options: readonly string[], env: Readonly<Record<string, string>>) {
  const trustServer = await startEmptyNotary();
  const proxy = await startProxy({ upstream: await startBlobServer(), trustServer, options, env });
  await warmUp(proxy);
  const idle = await residentMiB(proxy.service.pid);
  const sockets = await openReaders(proxy.port);
  let peak = 0;
  let neighbour = 0;
  for (const end = Date.now() + STANDING_MS; Date.now() < end; await delay(LOOK_MS)) {
    peak = Math.max(peak, await residentMiB(proxy.service.pid));
    neighbour = Math.max(neighbour, await timed(() => fetch(`${proxy.url}/v2/`)));
  }
  for (const socket of sockets) socket.destroy();
  let left = peak;
  for (const end = Date.now() + GIVEN_BACK_MS; Date.now() < end; await delay(LOOK_MS))
    left = Math.min(left, await residentMiB(proxy.service.pid));
  return { name, idle, peak, left, neighbour: Math.round(neighbour) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** A few whole downloads, so that code and pools are there before it is measured. */
async function warmUp({ url }: BenchProxy): Promise<void> {
  for (let round = 0; round < 5; round += 1) await (await fetch(`${url}${BLOB}`)).arrayBuffer();
  await delay(2_000);
}

async function openReaders(port: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < READERS) {
    const batch = Array.from({ length: AT_ONCE }, () => connect(port, '127.0.0.1').pause());
    for (const socket of batch) socket.on('error', () => undefined);
    await Promise.all(batch.map((socket) => once(socket, 'connect')));
    for (const socket of batch) socket.write(`GET ${BLOB} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    sockets.push(...batch);
  }
  return sockets;
}

/** Hands out the blob as fast as it is taken. */
async function startBlobServer(): Promise<string> {
  const chunk = Buffer.alloc(64 * 1024, 'blob');
  const server = createServer((_req, res) => {
    let left = BLOB_BYTES;
    res.writeHead(200, { 'content-length': BLOB_BYTES });
    const push = (): void => {
      while (left > 0 && !res.destroyed) {
        left -= chunk.length;
        if (!res.write(chunk)) return void res.once('drain', push);
      }
      res.end();
    };
    push();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanUp(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What package.json's `start` sets: what ships is what is measured. */
export async function readStart() {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: { start: string } };
  const words = scripts.start.split(' ');
  const env = Object.fromEntries(
    words.filter((word) => word.includes('=') && !word.startsWith('-')).map((word) => word.split('=')),
  );
  return { options: words.filter((word) => word.startsWith('--')), env: env as Record<string, string> };
}

async function startEmptyNotary(): Promise<string> {
  const notary = new NotaryServer({ repositories: [] });
  const url = await notary.start();
  onCleanUp(() => notary.stop());
  return url;
}
