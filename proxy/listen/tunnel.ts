/**
 * Tunnels to the hosts the operator listed: token servers, and the stores blobs are redirected to.
 *
 * Bounded in number, in time to connect and in silence, and one chunk is on its way in each direction at most: a
 * tunnel holds no more than that, however slow its ends are.
 */
import { lookup as dnsLookup } from 'node:dns';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Limits } from './limits.ts';
import { createPlaces } from './places.ts';
import { publicOnly } from './public-address.ts';
import type { Target } from './targets.ts';

/** `early`: the client sent something before it was told that there is a tunnel. */
export type TunnelResult = 'open' | 'full' | 'unreachable' | 'early';

export type Tunnels = {
  readonly size: () => number;
  /** Connects, and only then answers 200. What is not `open` still has to be answered. */
  open(client: Socket, target: Target, anywhere: boolean): Promise<TunnelResult>;
  /** Ends each tunnel as soon as it is silent for a moment. */
  drain(): void;
  destroy(): void;
};

type TunnelLimits = Pick<Limits, 'maxTunnels' | 'tunnelConnectTimeout' | 'tunnelIdleTimeout'>;

/** The silence after which a tunnel ends while the proxy stops, in milliseconds. */
const DRAIN_IDLE_MS = 1_000;

export function createTunnels(limits: TunnelLimits, lookup: LookupFunction = dnsLookup): Tunnels {
  const clients = new Set<Socket>();
  const places = createPlaces({ max: limits.maxTunnels });
  const publicLookup = publicOnly(lookup);
  return {
    size: () => clients.size,
    async open(client, { host, port }, anywhere) {
      const place = places.take(client.remoteAddress);
      if (place.admission !== 'admitted') {
        place.leave();
        return 'full';
      }
      clients.add(client);
      client.once('close', () => {
        clients.delete(client);
        place.leave();
      });
      const bare = host.replace(/^\[|\]$/g, '');
      const at = { host: bare, port, lookup: anywhere ? lookup : publicLookup };
      const far = await dial(at, limits.tunnelConnectTimeout);
      if (far === undefined) return 'unreachable';
      if (client.readableLength > 0) {
        far.destroy();
        return 'early';
      }
      join(client, far, limits.tunnelIdleTimeout);
      return 'open';
    },
    drain() {
      for (const client of clients) client.setTimeout(DRAIN_IDLE_MS);
    },
    destroy() {
      for (const client of clients) client.destroy();
    },
  };
}

type Dialled = { readonly host: string; readonly port: number; readonly lookup: LookupFunction };

/** @returns undefined when there is no connection in time. */
function dial(to: Dialled, timeoutMs: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...to, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    const settle = (result: Socket | undefined): void => {
      clearTimeout(timer);
      resolve(result);
    };
    socket.on('error', () => socket.destroy());
    socket.once('close', () => settle(undefined));
    socket.once('connect', () => settle(socket));
  });
}

function join(client: Socket, far: Socket, idleMs: number): void {
  const cut = (): void => {
    client.destroy();
    far.destroy();
  };
  if (client.destroyed) {
    far.destroy();
    return;
  }
  for (const end of [client, far]) end.once('close', cut).on('error', cut);
  // Whatever moves in either direction passes the client's side.
  client.setTimeout(idleMs, cut);
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  copy(client, far);
  copy(far, client);
}

/** The next chunk is read when this one is on its way, so that neither side's buffer fills. */
function copy(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    from.pause();
    to.write(chunk, () => from.resume());
  });
  from.once('end', () => to.end());
}
