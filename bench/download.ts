/** One body over one connection, counted and thrown away: a bare socket, so that the reader is never what is slow. */
import { connect } from 'node:net';

/** Bytes read at once. */
const READ_BUFFER_BYTES = 1024 * 1024;

/** @returns bytes per second, headers included. @throws Error unless the answer is 200 and at least this long. */
export function download(url: string, least: number): Promise<number> {
  const { hostname, port, host, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES);
    let bytes = 0;
    let statusLine = '';
    const count = (length: number): boolean => {
      if (statusLine === '')
        statusLine = buffer.toString('latin1', 0, Math.min(length, 32)).split('\r\n')[0] ?? '';
      bytes += length;
      return true;
    };
    const socket = connect({ host: hostname, port: Number(port), onread: { buffer, callback: count } });
    socket.on('error', reject).on('close', () => {
      const seconds = (performance.now() - started) / 1000;
      if (!/^HTTP\/1\.1 200\b/.test(statusLine)) reject(new Error(`${url} answered "${statusLine}"`));
      else if (bytes < least) reject(new Error(`${url} ended after ${bytes} of ${least} bytes`));
      else resolve(bytes / seconds);
    });
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}
