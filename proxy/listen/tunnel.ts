/**
 * Tunnels to the hosts the operator listed: token servers, and the stores blobs are redirected to.
 *
 * Bounded in number, in time to connect and in silence, and one chunk is on its way in each direction at most: a
 * tunnel holds no more than that, however slow its ends are.
 */
import { lookup as dnsLookup } from 'node:dns';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Limits } from '../limits.ts';
import { publicOnly } from '../names/public-address.ts';
import type { Hello } from './client-hello.ts';
import { readFirstFlight } from './first-flight.ts';
import { createLaterHellos, type Judged, type LaterHellos } from './later-hellos.ts';
import { createPlaces } from './places.ts';
import type { Target } from './targets.ts';

/** `early`: the client sent something before it was told that there is a tunnel. */
export type TunnelResult = 'open' | 'full' | 'unreachable' | 'early';

/** @returns what is wrong with the name a TLS client asks for inside a tunnel, if anything. */
export type JudgeName = (name: string | undefined) => string | undefined;

export type Names = {
  readonly judge: JudgeName;
  /** Told why a tunnel that was open was closed: its client asked for another name later. */
  readonly onFault: (fault: string) => void;
};

/** There is nobody to answer any more, and not a byte has reached the target. */
export type Closed = { readonly closed: string };

export type Tunnels = {
  readonly size: () => number;
  /** Connects, and only then answers 200. What is not `open` still has to be answered. */
  open(client: Socket, to: Destination, names: Names): Promise<TunnelResult | Closed>;
  /** Ends at once what is not allowed any more, connected yet or not. @returns how many. */
  keep(isAllowed: (to: Destination) => boolean): number;
  /** Ends each tunnel as soon as it is silent for a moment. */
  drain(): void;
  destroy(): void;
};

/** `anywhere`: private addresses too. */
export type Destination = { readonly target: Target; readonly anywhere: boolean };

type TunnelLimits = Pick<
  Limits,
  'maxTunnels' | 'tunnelConnectTimeout' | 'tunnelIdleTimeout' | 'handshakeTimeout'
>;

/** The silence after which a tunnel ends while the proxy stops, in milliseconds. */
const DRAIN_IDLE_MS = 1_000;

export function createTunnels(limits: TunnelLimits, lookup: LookupFunction = dnsLookup): Tunnels {
  const clients = new Map<Socket, Destination>();
  const places = createPlaces({ max: limits.maxTunnels });
  const publicLookup = publicOnly(lookup);
  return {
    size: () => clients.size,
    async open(client, to, { judge, onFault }) {
      const { host, port } = to.target;
      const place = places.take(client.remoteAddress);
      if (place.admission !== 'admitted') {
        place.leave();
        return 'full';
      }
      clients.set(client, to);
      client.once('close', () => {
        clients.delete(client);
        place.leave();
      });
      const bare = host.replace(/^\[|\]$/g, '');
      const at = { host: bare, port, lookup: to.anywhere ? lookup : publicLookup };
      const far = await dial(at, limits.tunnelConnectTimeout, client);
      if (client.destroyed) {
        far?.destroy();
        return { closed: 'the tunnel ended before it was connected' };
      }
      if (far === undefined) return 'unreachable';
      if (client.readableLength > 0) {
        far.destroy();
        return 'early';
      }
      bind(client, far, limits.tunnelIdleTimeout);
      const { hello, bytes } = await readFirstFlight(client, limits.handshakeTimeout);
      const later = createLaterHellos(judge);
      const begun = begin(hello, bytes, judge, later);
      if ('fault' in begun) {
        client.destroy();
        return { closed: begun.fault };
      }
      far.write(begun.pass);
      carry(client, far, later, onFault);
      return 'open';
    },
    keep(isAllowed) {
      const cut = [...clients].filter(([, to]) => !isAllowed(to));
      for (const [client] of cut) client.destroy();
      return cut.length;
    },
    drain() {
      for (const client of clients.keys()) client.setTimeout(DRAIN_IDLE_MS);
    },
    destroy() {
      for (const client of clients.keys()) client.destroy();
    },
  };
}

type Dialled = { readonly host: string; readonly port: number; readonly lookup: LookupFunction };

/** @returns undefined when there is no connection in time, or the client left: another one has its place by then. */
function dial(to: Dialled, timeoutMs: number, client: Socket): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...to, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const leave = (): void => void socket.destroy();
    const timer = setTimeout(leave, timeoutMs);
    client.once('close', leave);
    const settle = (result: Socket | undefined): void => {
      clearTimeout(timer);
      client.off('close', leave);
      resolve(result);
    };
    socket.on('error', () => socket.destroy());
    socket.once('close', () => settle(undefined));
    socket.once('connect', () => settle(socket));
  });
}

/** What came first, as far as it may go on: the ClientHello, and what the client sent behind it without being asked. */
function begin(hello: Hello, bytes: Buffer, judge: JudgeName, later: LaterHellos): Judged {
  if (hello.kind !== 'hello')
    return { fault: hello.kind === 'bad' ? hello.message : 'the ClientHello is not whole' };
  const fault = judge(hello.name);
  if (fault !== undefined) return { fault };
  const behind = later.fromClient(bytes.subarray(hello.end));
  return 'fault' in behind ? behind : { pass: Buffer.concat([bytes.subarray(0, hello.end), behind.pass]) };
}

/** Answers 200; the end of either side is the end of the other. */
function bind(client: Socket, far: Socket, idleMs: number): void {
  const cut = (): void => {
    client.destroy();
    far.destroy();
  };
  for (const end of [client, far]) end.once('close', cut).on('error', cut);
  // Whatever moves in either direction passes the client's side.
  client.setTimeout(idleMs, cut);
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
}

/** Both directions, until the client asks for another name. */
function carry(client: Socket, far: Socket, later: LaterHellos, onFault: Names['onFault']): void {
  copy(far, client, (chunk) => {
    later.fromServer(chunk);
    return chunk;
  });
  copy(client, far, (chunk) => {
    const judged = later.fromClient(chunk);
    if ('pass' in judged) return judged.pass;
    client.destroy();
    onFault(judged.fault);
    return undefined;
  });
}

/** The next chunk is read when this one is on its way, so that neither side's buffer fills. */
function copy(from: Socket, to: Socket, look: (chunk: Buffer) => Buffer | undefined): void {
  from.on('data', (chunk: Buffer) => {
    const passed = look(chunk);
    if (passed === undefined || passed.length === 0) return;
    from.pause();
    to.write(passed, () => from.resume());
  });
  from.once('end', () => to.end());
  from.resume();
}
