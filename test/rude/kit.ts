/** Blobs of any size without their bytes in memory, and clients that do not behave. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach } from '@jest/globals';
import type { Limits } from '../../proxy/limits.ts';
import { type ProxyOptions, type RunningProxy, startProxy } from '../pull/harness.ts';
import type { Handler } from '../upstream/upstream.ts';

export const BLOB = `/v2/library/app/blobs/sha256:${'b'.repeat(64)}`;
export const MEBIBYTE = 1024 * 1024;

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

/** What has to be closed when the test is over. */
export function closeLater<T extends { close(): unknown }>(part: T): T {
  running.push(part);
  return part;
}

export async function start(options: ProxyOptions, limits: Partial<Limits> = {}): Promise<RunningProxy> {
  return closeLater(await startProxy({ ...options, server: { limits, ...options.server } }));
}

/** Serves this many bytes as fast as they are taken, and counts what it could hand over. */
export function bigBlob(size: number): {
  readonly handler: Handler;
  readonly sent: () => number;
  readonly open: () => number;
} {
  const chunk = Buffer.alloc(64 * 1024, 'blob');
  let sent = 0;
  let open = 0;
  const handler: Handler = (_req, res) => {
    let left = size;
    open += 1;
    res.once('close', () => {
      open -= 1;
    });
    res.writeHead(200, { 'content-length': size });
    const push = (): void => {
      while (left > 0 && !res.destroyed) {
        const part = chunk.subarray(0, Math.min(left, chunk.length));
        left -= part.length;
        sent += part.length;
        if (!res.write(part)) return void res.once('drain', push);
      }
      res.end();
    };
    push();
  };
  return { handler, sent: () => sent, open: () => open };
}

/** A connection on which a request was sent, and nothing is read until somebody does. */
export function sendRequest(port: number, path: string, headers = ''): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  return socket;
}

/** Everything until the connection ends, however it does. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close').catch(() => undefined);
  return Buffer.concat(chunks).toString('latin1');
}

export function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
