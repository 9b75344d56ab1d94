/** The way out of the network: an HTTP proxy that lets nobody through and writes down where they wanted to go. */
import { createServer } from 'node:http';
import { listenOnLoopback } from './in-process.ts';

export interface Egress {
  /** `HTTPS_PROXY` and the rest, for a client whose every way out but loopback leads here. */
  readonly env: Readonly<Record<string, string>>;
  /** `host:port` of each attempt since the last look. */
  look(): readonly string[];
}

export async function startEgress(): Promise<Egress> {
  const attempts: string[] = [];
  const server = createServer((request, response) => {
    attempts.push(request.url ?? '');
    response.writeHead(403, 'Egress-Blocked').end();
  });
  server.on('connect', (request, socket) => {
    attempts.push(request.url ?? '');
    socket.end('HTTP/1.1 403 Egress-Blocked\r\nContent-Length: 0\r\n\r\n');
  });
  const url = await listenOnLoopback(server);
  const none = 'localhost,127.0.0.1';
  return {
    env: { HTTPS_PROXY: url, HTTP_PROXY: url, NO_PROXY: none },
    look: () => attempts.splice(0),
  };
}
