/**
 * The connections to one upstream and to its token server. What an upstream's words lead to is dialled at public
 * addresses only: the address that is checked is the one that is dialled, so a name cannot lead elsewhere afterwards.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, Pool } from 'undici';
import { publicOnly } from '../names/public-address.ts';

export type ConnectionOptions = {
  readonly origin: string;
  readonly ca: string | Buffer | undefined;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly maxConnections: number;
  /** How names become addresses; the system's way when absent. */
  readonly lookup: LookupFunction | undefined;
};

type Sent = { readonly method: 'GET' | 'HEAD'; readonly path: string; readonly signal?: AbortSignal } & {
  readonly headers: Readonly<Record<string, string>>;
};

export type Connections = {
  /** Sends once, and once more over a new connection when a kept one had ended just as it was used. */
  request(request: Sent): Promise<Dispatcher.ResponseData>;
  /** To a token server. `isNamed`: the operator named it, so that a private address is meant. */
  tokenDispatcher(realm: { readonly isNamed: boolean }): Dispatcher;
  /** The address the upstream was last reached at. */
  peer(): string | undefined;
  close(): Promise<void>;
};

/** Longest head of an answer, in bytes. */
const MAX_HEADER_BYTES = 16 * 1024;

export function createConnections(options: ConnectionOptions): Connections {
  const { headersTimeoutMs: headersTimeout, bodyIdleTimeoutMs: bodyTimeout } = options;
  const lookup: LookupFunction = options.lookup ?? ((...asked) => dns.lookup(...asked));
  const connect = {
    timeout: options.connectTimeoutMs,
    lookup,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  };
  const limits = {
    headersTimeout,
    bodyTimeout,
    maxHeaderSize: MAX_HEADER_BYTES,
    connections: options.maxConnections,
  };
  const kept = watchSockets(buildConnector(connect));
  const pool = new Pool(options.origin, { ...limits, connect: kept.connector });
  // `pipelining: 0` keeps no connection: a token is asked for now and then, and a second try needs a new one.
  const fresh = new Pool(options.origin, { ...limits, connect, pipelining: 0 });
  const named = new Agent({ ...limits, connect, pipelining: 0 });
  const strange = new Agent({
    ...limits,
    connect: { ...connect, lookup: publicOnly(lookup) },
    pipelining: 0,
  });
  return {
    async request(request) {
      const hasEnded = kept.mark();
      try {
        return await pool.request(request);
      } catch (error) {
        // GET and HEAD change nothing, so that asking twice is right (RFC 9110 §9.2.2).
        if (request.signal?.aborted === true || !isReset(error) || !hasEnded()) throw error;
        return await fresh.request(request);
      }
    },
    tokenDispatcher: ({ isNamed }) => (isNamed ? named : strange),
    peer: kept.peer,
    close: async () => {
      await Promise.all([pool, fresh, named, strange].map((one) => one.close()));
    },
  };
}

/** Tells whether a connection that had answered before has ended since some moment, and where the newest one leads. */
function watchSockets(connector: buildConnector.connector) {
  let ended = 0;
  let peer: string | undefined;
  const watched: buildConnector.connector = (to, callback) =>
    connector(to, (...made) => {
      const [error, socket] = made;
      // First in line, so that it counts before undici tells of the failure.
      if (error === null && socket !== null) {
        peer = socket.remoteAddress;
        socket.once('close', () => {
          if (socket.bytesRead > 0) ended += 1;
        });
      }
      callback(...made);
    });
  const mark = (): (() => boolean) => {
    const before = ended;
    return () => ended > before;
  };
  return { connector: watched, mark, peer: () => peer };
}

const RESETS: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

function isReset(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && RESETS.has(error.code);
}
