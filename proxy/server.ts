/** The listening socket of the pull port: parser, timeouts, requests that are not HTTP, and a clean shutdown. */

import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS, type Limits } from './limits.ts';
import { type Certificates, createCertificates, type TlsOptions } from './listen/certificates.ts';
import { type Connect, type ConnectOptions, createConnect, type Withdrawn } from './listen/connect.ts';
import { isInside, rememberToldOff } from './listen/peer.ts';
import { createPlaces, type Place, type Places } from './listen/places.ts';
import { endWith } from './listen/raw-answer.ts';
import { FAULTS, SENTENCES } from './words.ts';

export type ServerOptions = {
  readonly tls?: TlsOptions;
  /** Absent: a CONNECT is cut without an answer. */
  readonly connect?: ConnectOptions;
  /** Those that differ from `LIMITS`. */
  readonly limits?: Partial<Limits>;
  readonly newRequestId: () => string;
};

export type PullServer = {
  readonly server: Server;
  /** Tunnels that are open. */
  readonly tunnels: () => number;
  /** @returns the port that was taken. */
  listen(port: number, address: string): Promise<number>;
  /**
   * What was not spoken at the start, TLS or CONNECT, is not then either. Without `connect`, every CONNECT is refused.
   * @returns what puts these in force: certificates and keys for handshakes from then on, whom clients are verified by, and
   *   what CONNECT may reach. What they do not permit any more ends at once.
   * @throws what node:tls says of PEM it cannot use; then nothing has changed.
   */
  renew(options: Pick<ServerOptions, 'tls' | 'connect'>): () => Withdrawn & { readonly clients: number };
  /** Stops accepting, lets running pulls finish for at most this long, then cuts what is left. */
  close(graceMs: number): Promise<void>;
};

export function createServer(listener: RequestListener, options: ServerOptions): PullServer {
  const { newRequestId } = options;
  const limits: Limits = { ...LIMITS, ...options.limits };
  const running: Running = new WeakMap();
  const certificates = options.tls && createCertificates(options.tls, limits.handshakeTimeout);
  const seats = createSeats(createPlaces({ max: limits.maxConnections }));
  const server = createBareServer(
    seats.counting(trackRunning(listener, running, limits)),
    certificates,
    limits,
  );
  server.prependListener('connection', seats.seat);
  if (server instanceof HttpsServer) certificates?.watch(server);
  server.timeout = limits.idleTimeout;
  server.maxConnections = limits.maxConnections;
  server.on('clientError', (error, socket) => rejectMalformed(error, socket, running, newRequestId()));
  // No listener for `upgrade`, and for `connect` only on request: with one, a request leaves the pipeline
  // (registry-clients.md §4.4).
  const connect = options.connect && addConnect(server, options.connect, { ...options, limits }, seats);
  return {
    server,
    tunnels: () => connect?.tunnels() ?? 0,
    listen: (port, address) => listen(server, port, address),
    renew: (next) => {
      const enforce = connect?.renew(next.connect ?? NOTHING_ALLOWED);
      const show =
        next.tls !== undefined && server instanceof HttpsServer
          ? certificates?.renew(server, next.tls)
          : undefined;
      return () => ({ clients: show?.() ?? 0, ...(enforce?.() ?? { tunnels: 0, terminated: 0 }) });
    },
    close: (graceMs) => close(server, connect, graceMs),
  };
}

/** What a configuration without `listen.connect` permits. */
const NOTHING_ALLOWED = { certificates: [], tunnel: [] };

function createBareServer(
  listener: RequestListener,
  certificates: Certificates | undefined,
  limits: Limits,
): Server {
  const http = {
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: limits.connectionsCheckingInterval,
    maxHeaderSize: limits.maxHeaderSize,
    // Transfers count what waits themselves (forward/room.ts); this is for the rest, such as bodies that are not read.
    highWaterMark: limits.streamBufferBytes,
    // Never lenient: what two parsers read in two ways is how requests are smuggled (registry-clients.md §6.2).
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  if (certificates === undefined) return createHttpServer(http, listener);
  const { handshakeTimeout } = limits;
  return createHttpsServer({ ...http, ...certificates.settings, handshakeTimeout }, listener);
}

function addConnect(
  server: Server,
  options: ConnectOptions,
  { tls, limits, newRequestId }: ServerOptions & { readonly limits: Limits },
  seats: Seats,
): Connect {
  // The event with which a connection that may carry HTTP comes to either kind of server.
  const event = tls === undefined ? 'connection' : 'secureConnection';
  const accept = (socket: Duplex): void => {
    // What came out of the CONNECT is idle until its first request.
    seats.of(socket)?.end();
    server.emit(event, socket);
  };
  const connect = createConnect(options, { accept, limits, newRequestId });
  server.on('connect', (req, socket, head) => {
    const place = seats.of(socket);
    place?.begin();
    if (place?.admission !== 'told') return connect.handle(req, socket, head);
    socket.on('error', () => socket.destroy());
    endWith(socket, { reason: 'deadline_exceeded', message: SENTENCES.tooManyConnections }, newRequestId());
  });
  return connect;
}

type Seats = {
  /** Listener of the server's `connection` event. */
  seat(socket: Duplex): void;
  of(socket: Duplex): Place | undefined;
  counting(listener: RequestListener): RequestListener;
};

/** Each connection's place, found by both ends' ports: what comes out of TLS or a CONNECT is another object. */
function createSeats(places: Places): Seats {
  const byPort = new Map<string, Place>();
  const keyOf = (socket: Duplex): string | undefined =>
    socket instanceof Socket ? `${socket.remoteAddress} ${socket.remotePort}` : undefined;
  const of = (socket: Duplex): Place | undefined => byPort.get(keyOf(socket) ?? '');
  return {
    of,
    seat(socket) {
      const key = keyOf(socket);
      if (key === undefined || !(socket instanceof Socket) || isInside(socket)) return;
      const place = places.take(socket.remoteAddress, () => socket.destroy());
      // Not at once: Node's own listener is still to see it.
      if (place.admission === 'refused') return queueMicrotask(() => socket.destroy());
      byPort.set(key, place);
      socket.once('close', () => {
        if (byPort.get(key) === place) byPort.delete(key);
        place.leave();
      });
    },
    counting: (listener) => (req, res) => {
      const place = of(req.socket);
      if (place?.admission === 'told') {
        rememberToldOff(req.socket);
        res.shouldKeepAlive = false;
      }
      place?.begin();
      if (place !== undefined) res.once('close', place.end);
      return listener(req, res);
    },
  };
}

/** The answers under way on each connection. */
type Running = WeakMap<Duplex, Set<ServerResponse>>;

function trackRunning(
  listener: RequestListener,
  running: Running,
  { maxPipelined }: Limits,
): RequestListener {
  return (req, res) => {
    const answers = running.get(req.socket) ?? new Set();
    // Each of them could be a connection to an upstream; no client of a registry pipelines at all.
    if (answers.size >= maxPipelined) req.socket.destroy();
    if (req.socket.destroyed) return;
    running.set(req.socket, answers.add(res));
    res.once('close', () => answers.delete(res));
    return listener(req, res);
  };
}

/** What the parser says, and the status that says it to the client. */
const PARSER_STATUS: ReadonlyMap<string, number> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
  ['HPE_HEADER_OVERFLOW', 431],
]);

function rejectMalformed(
  { code = '' }: NodeJS.ErrnoException,
  socket: Duplex,
  running: Running,
  requestId: string,
): void {
  const answers = [...(running.get(socket) ?? [])];
  // In the middle of an earlier answer, another one would become part of it.
  const isAnswering = answers.length > 1 || answers.some((answer) => answer.headersSent);
  const isHttp = code.startsWith('HPE_') || PARSER_STATUS.has(code);
  if (!socket.writable || !isHttp || isAnswering) {
    socket.destroy();
    return;
  }
  const status = PARSER_STATUS.get(code);
  const message = status === 408 ? FAULTS.requestLate : FAULTS.notHttp;
  endWith(socket, { reason: 'bad_request', message }, requestId, status);
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

function close(server: Server, connect: Connect | undefined, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    connect?.drain();
    // A connection kept alive by its last answer is closed as soon as that answer is out.
    const sweep = setInterval(() => server.closeIdleConnections(), 100);
    const cut = setTimeout(() => {
      connect?.destroy();
      server.closeAllConnections();
    }, graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
  });
}
