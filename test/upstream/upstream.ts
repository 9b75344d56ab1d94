/** A scripted upstream: answers what a test tells it to, and remembers every request it received. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
};
export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

export type ScriptedUpstream = {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** Replaces the behaviour. */
  answer(handler: Handler): void;
  /** Ends all connections in the middle of what they do, and takes new ones. */
  cut(): void;
  close(): Promise<void>;
};

export async function startUpstream(handler: Handler, host = '127.0.0.1'): Promise<ScriptedUpstream> {
  const received: Received[] = [];
  let current = handler;
  const server: Server = createServer((req, res) => {
    received.push({
      method: req.method ?? '',
      url: req.url ?? '',
      headers: req.headers,
      raw: req.rawHeaders,
    });
    current(req, res);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    received,
    answer(next) {
      current = next;
    },
    cut: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
