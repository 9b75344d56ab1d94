/**
 * The proxy as HTTPS_PROXY of a node (registry-clients.md §1.5 B): CONNECT on the pull port.
 *
 * For a configured registry the tunnel ends here: TLS is answered with the operator's certificate for that name, and
 * what comes out of it goes back into the same server as one more connection, so it has the same limits and walks the
 * same pipeline. Every other host is refused, or tunnelled where the operator listed it.
 */

import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Limits } from '../limits.ts';
import { toAuthority } from '../names/registry-table.ts';
import type { Refusal } from '../wire/types.ts';
import { FAULTS, SENTENCES } from '../words.ts';
import { type HostCertificate, MIN_TLS } from './certificates.ts';
import { isInside, peerOf, rememberInside } from './peer.ts';
import { endWith } from './raw-answer.ts';
import {
  type Allowed,
  authorityOf,
  isStillTerminated,
  isStillTunnelled,
  judgeServerName,
  judgeTarget,
  parseTarget,
  type Target,
} from './targets.ts';
import { createTunnels, type Destination, type TunnelResult } from './tunnel.ts';

export type ConnectResult = 'terminated' | 'tunnelled' | 'refused' | 'failed';

/** One CONNECT and what became of it. */
export type ConnectEvent = {
  readonly requestId: string;
  readonly target: string;
  readonly client: string;
  readonly identity: string | undefined;
  readonly result: ConnectResult;
  /** Why, where it was refused or failed. */
  readonly message: string | undefined;
};

export type ConnectOptions = Pick<Allowed, 'tunnel' | 'registryAt'> & {
  readonly certificates: readonly HostCertificate[];
  readonly observe?: (event: ConnectEvent) => void;
  /** How names of tunnels are looked up; the system's way when absent. */
  readonly lookup?: LookupFunction;
};

type Permitted = Pick<ConnectOptions, 'certificates' | 'tunnel'> & Partial<ConnectOptions>;

/** How many connections a reload has ended. */
export type Withdrawn = { readonly tunnels: number; readonly terminated: number };

export type Connect = {
  /** Listener of the server's `connect` event. */
  handle(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly tunnels: () => number;
  /**
   * @returns what puts these in force: a CONNECT from then on is answered with them, and what is open and not permitted
   *   any more ends at once. What is left out stays as it is.
   * @throws what node:tls says of PEM it cannot use; then nothing has changed.
   */
  renew(options: Permitted): () => Withdrawn;
  /** Ends what has not become a request yet, and tunnels once they are silent. */
  drain(): void;
  destroy(): void;
};

type ConnectDeps = {
  /** Gives a connection that came out of a tunnel to the HTTP server. */
  readonly accept: (socket: Duplex) => void;
  readonly limits: Limits;
  readonly newRequestId: () => string;
};

/** A CONNECT that has to be answered. `target` is for people: as it was sent, and not too long. */
type Asked = { readonly target: string; readonly socket: Socket; readonly requestId: string };

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

export function createConnect(options: ConnectOptions, deps: ConnectDeps): Connect {
  const arriving = createArriving();
  const terminated = createTerminated();
  const toForce = (next: ConnectOptions) => ({
    ...next,
    certified: createGates(next.certificates, arriving, deps),
  });
  let inForce = toForce(options);
  const tunnels = createTunnels(deps.limits, options.lookup);
  const tell = createTell((event) => inForce.observe?.(event));
  const refuse = (asked: Asked, refusal: Refusal): void => {
    tell(asked, refusal.reason === 'registry_unreachable' ? 'failed' : 'refused', refusal.message);
    endWith(asked.socket, refusal, asked.requestId);
  };
  const terminate = (asked: Asked, authority: string): void => {
    tell(asked, 'terminated');
    terminated.add(asked.socket, authority);
    arriving.add(asked.socket);
    // Otherwise a client that leaves in the middle of its handshake is not noticed before the time for it is over.
    asked.socket.allowHalfOpen = false;
    asked.socket.write(ESTABLISHED);
    inForce.certified.get(authority)?.emit('connection', asked.socket);
  };
  const tunnel = async (asked: Asked, to: Destination): Promise<void> => {
    const result = await tunnels.open(asked.socket, to, {
      judge: (name) => judgeServerName(name, to.target, inForce.registryAt),
      onFault: (fault) => tell(asked, 'refused', fault),
    });
    if (result === 'open') tell(asked, 'tunnelled');
    else if (typeof result === 'object') tell(asked, 'refused', result.closed);
    else refuse(asked, toTunnelRefusal(result, asked.target));
  };
  return {
    handle(req, socket, head) {
      // From here on nobody else listens for its errors.
      socket.on('error', () => socket.destroy());
      if (!(socket instanceof Socket)) return void socket.destroy();
      const asked: Asked = { target: (req.url ?? '').slice(0, 300), socket, requestId: deps.newRequestId() };
      const target = parseTarget(req.url ?? '');
      const fault = target === undefined ? FAULTS.connectTarget : faultOf(req, socket, head, target);
      if (target === undefined || fault !== undefined)
        return refuse(asked, { reason: 'bad_request', message: fault ?? FAULTS.connectTarget });
      const verdict = judgeTarget(target, inForce);
      if (verdict.kind === 'terminate') return terminate(asked, verdict.authority);
      if (verdict.kind === 'tunnel') return void tunnel(asked, verdict);
      refuse(asked, { reason: 'namespace_unknown', message: verdict.message });
    },
    tunnels: tunnels.size,
    renew(next) {
      const renewed = toForce({ ...options, ...next });
      return () => {
        inForce = renewed;
        return {
          tunnels: tunnels.keep((to) => isStillTunnelled(to, renewed)),
          terminated: terminated.keep((authority) => isStillTerminated(authority, renewed)),
        };
      };
    },
    drain() {
      arriving.destroy();
      tunnels.drain();
    },
    destroy() {
      arriving.destroy();
      tunnels.destroy();
    },
  };
}

/** What makes a CONNECT ambiguous or early, if anything. */
function faultOf(req: IncomingMessage, socket: Socket, head: Buffer, target: Target): string | undefined {
  if (isInside(socket)) return FAULTS.connectInside;
  const hosts = req.headersDistinct['host'] ?? [];
  const isSame = hosts.every((host) => toAuthority(host) === authorityOf(target));
  if (hosts.length > 1 || !isSame) return FAULTS.connectHost;
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers;
  // What comes before the answer could be meant for us or for the target (registry-clients.md §6.2).
  if (head.length > 0 || length !== undefined || coding !== undefined) return FAULTS.connectEarly;
  return undefined;
}

function toTunnelRefusal(result: Exclude<TunnelResult, 'open'>, target: string): Refusal {
  switch (result) {
    case 'early':
      return { reason: 'bad_request', message: FAULTS.connectEarly };
    case 'full':
      return { reason: 'registry_unreachable', message: SENTENCES.noRoomForTunnel(target) };
    case 'unreachable':
      return { reason: 'registry_unreachable', message: SENTENCES.targetUnreachable(target) };
  }
}

function createTell(observe: NonNullable<ConnectOptions['observe']>) {
  return ({ target, socket, requestId }: Asked, result: ConnectResult, message?: string): void => {
    const { identity } = peerOf(socket);
    const client = socket.remoteAddress ?? '';
    observe({ requestId, target, client, identity, result, message });
  };
}

/** Connections whose TLS ends here, from their 200 on, with the authority they were opened for. */
function createTerminated() {
  const sockets = new Map<Socket, string>();
  return {
    add(socket: Socket, authority: string): void {
      sockets.set(socket, authority);
      socket.once('close', () => sockets.delete(socket));
    },
    /** Ends at once what is not allowed any more, the connection inside with it. @returns how many. */
    keep(isAllowed: (authority: string) => boolean): number {
      const cut = [...sockets].filter(([, authority]) => !isAllowed(authority));
      for (const [socket] of cut) socket.destroy();
      return cut.length;
    },
  };
}

/** Connections between their 200 and the end of their handshake, found again by the address they come from. */
type Arriving = {
  add(socket: Socket): void;
  /** The connection around one that came out of a handshake. */
  take(inner: Socket): Socket | undefined;
  destroy(): void;
};

function createArriving(): Arriving {
  const sockets = new Map<string, Socket>();
  const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  return {
    add(socket) {
      const key = keyOf(socket);
      sockets.set(key, socket);
      socket.once('close', () => {
        if (sockets.get(key) === socket) sockets.delete(key);
      });
    },
    take(inner) {
      const key = keyOf(inner);
      const socket = sockets.get(key);
      sockets.delete(key);
      return socket;
    },
    destroy() {
      for (const socket of sockets.values()) socket.destroy();
    },
  };
}

function createGates(
  certificates: readonly HostCertificate[],
  arriving: Arriving,
  deps: ConnectDeps,
): ReadonlyMap<string, TlsServer> {
  return new Map(
    certificates.flatMap((certificate) =>
      certificate.hosts
        .map(toAuthority)
        .map((authority) => [authority, createGate(authority, certificate, arriving, deps)] as const),
    ),
  );
}

/** TLS for one name: a server that listens nowhere. The handshake must name the host that CONNECT named. */
function createGate(
  authority: string,
  { cert, key }: HostCertificate,
  arriving: Arriving,
  { accept, limits }: ConnectDeps,
): TlsServer {
  const host = authority.replace(/:[0-9]+$/, '');
  // A handshake carries names only (RFC 6066 §3).
  const isAddress = isIP(host.replace(/^\[|\]$/g, '')) !== 0;
  const gate = createTlsServer({
    cert,
    key,
    minVersion: MIN_TLS,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.handshakeTimeout,
    SNICallback: (name, done) => done(name.toLowerCase() === host ? null : new Error('another name')),
  });
  gate.on('tlsClientError', (_error, socket) => socket.destroy());
  gate.on('secureConnection', (inner) => {
    inner.on('error', () => inner.destroy());
    const around = arriving.take(inner);
    const isNamed = typeof inner.servername === 'string' || isAddress;
    if (around === undefined || !isNamed) return void inner.destroy();
    rememberInside(inner, authority, around);
    accept(inner);
  });
  return gate;
}
