/**
 * Where TLS ends for a CONNECT to a configured registry (connect.ts): a server for each name, and the connections on their
 * way into one.
 */

import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Limits } from '../limits.ts';
import { toAuthority } from '../names/registry-table.ts';
import { type HostCertificate, MIN_TLS } from './certificates.ts';
import { rememberInside } from './peer.ts';

export type GateDeps = {
  /** Gives a connection that came out of a tunnel to the HTTP server. */
  readonly accept: (socket: Duplex) => void;
  readonly limits: Pick<Limits, 'handshakeTimeout'>;
};

/** Connections between their 200 and the end of their handshake, found again by the address they come from. */
export type Arriving = {
  add(socket: Socket): void;
  /** The connection around one that came out of a handshake. */
  take(inner: Socket): Socket | undefined;
  destroy(): void;
};

export function createArriving(): Arriving {
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

export function createGates(
  certificates: readonly HostCertificate[],
  arriving: Arriving,
  deps: GateDeps,
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
  { accept, limits }: GateDeps,
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
