/** The listening socket of the pull port: parser, timeouts, what is no HTTP at all, and a clean end. */
import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { STREAM_BUFFER_BYTES } from './registry/passthrough.ts';
import { toErrorResponse } from './registry/wire-errors.ts';

/** PEM texts. */
export type TlsOptions = {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Set: every client must show a certificate from it. */
  readonly clientCa?: string | Buffer;
};

export type ServerOptions = {
  readonly tls?: TlsOptions;
  readonly newRequestId: () => string;
};

export type PullServer = {
  readonly server: Server;
  /** @returns the port that was taken. */
  listen(port: number, address: string): Promise<number>;
  /** Stops accepting, lets running pulls finish for at most this long, then cuts what is left. */
  close(graceMs: number): Promise<void>;
};

/** Bounds of a connection, in milliseconds and bytes. There is none on a whole transfer (registry-clients.md §0.10). */
const LIMITS = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  /** Above the usual 60 s of load balancers, so that it is they who close an idle connection. */
  keepAliveTimeout: 75_000,
  /** A connection on which nothing moves in either direction. */
  idleTimeout: 300_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};

export function createServer(listener: RequestListener, options: ServerOptions): PullServer {
  const running: Running = new WeakMap();
  const server = createBareServer(trackRunning(listener, running), options.tls);
  server.timeout = LIMITS.idleTimeout;
  // No listener for `upgrade` or `connect`: with one, such a request would leave the pipeline (§4.4).
  server.on('clientError', (error, socket) =>
    rejectMalformed(error, socket, running, options.newRequestId()),
  );
  return {
    server,
    listen: (port, address) => listen(server, port, address),
    close: (graceMs) => close(server, graceMs),
  };
}

function createBareServer(listener: RequestListener, tls: TlsOptions | undefined): Server {
  const http = {
    headersTimeout: LIMITS.headersTimeout,
    requestTimeout: LIMITS.requestTimeout,
    keepAliveTimeout: LIMITS.keepAliveTimeout,
    connectionsCheckingInterval: LIMITS.connectionsCheckingInterval,
    maxHeaderSize: LIMITS.maxHeaderSize,
    highWaterMark: STREAM_BUFFER_BYTES,
    // Never lenient: what two parsers read in two ways is how requests are smuggled (§6.2).
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  if (tls === undefined) return createHttpServer(http, listener);
  const { cert, key, clientCa } = tls;
  const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return createHttpsServer({ ...http, cert, key, ...mutual, minVersion: 'TLSv1.2' }, listener);
}

/** The answers under way on each connection. */
type Running = WeakMap<Duplex, Set<ServerResponse>>;

function trackRunning(listener: RequestListener, running: Running): RequestListener {
  return (req, res) => {
    const answers = running.get(req.socket) ?? new Set();
    running.set(req.socket, answers.add(res));
    res.once('close', () => answers.delete(res));
    return listener(req, res);
  };
}

function rejectMalformed(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  running: Running,
  requestId: string,
): void {
  const answers = [...(running.get(socket) ?? [])];
  // In the middle of an earlier answer, another one would become part of it.
  const isAnswering = answers.length > 1 || answers.some((answer) => answer.headersSent);
  if (!socket.writable || error.code === 'ECONNRESET' || isAnswering) {
    socket.destroy();
    return;
  }
  const message = 'the request is not valid HTTP/1.1; nothing in it is corrected';
  const { headers, body, reasonPhrase } = toErrorResponse({ reason: 'bad_request', message }, { requestId });
  const lines = [...headers].map(([name, value]) => `${name}: ${String(value)}\r\n`).join('');
  socket.end(
    `HTTP/1.1 400 ${reasonPhrase ?? 'Bad Request'}\r\n${lines}Connection: close\r\n\r\n${Buffer.from(body ?? [])}`,
  );
  // What a client goes on sending after this is not read.
  if (socket instanceof Socket) socket.destroySoon();
}

function listen(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    // A connection kept alive by its last answer is closed as soon as that answer is out.
    const sweep = setInterval(() => server.closeIdleConnections(), 100);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
  });
}
