/** Who is at the other end of a connection, and what it connected to. */
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

export type Peer = {
  /** The authority a CONNECT named, where the connection is the inside of one. */
  readonly connectedTo: string | undefined;
  /** Subject of the client certificate; undefined where none was asked for and verified. */
  readonly identity: string | undefined;
  /** Its client holds too many connections, and is only told so on this one. */
  readonly isOverLimit: boolean;
};

/** Longest subject kept, in characters. */
const MAX_IDENTITY = 256;

/** Connections inside a CONNECT, with what is known of the connection around them. */
const inside = new WeakMap<Duplex, Peer>();
/** Connections on which each request is answered that there are too many. */
const toldOff = new WeakSet<Duplex>();

export function rememberInside(socket: Duplex, connectedTo: string, around: Duplex): void {
  inside.set(socket, { connectedTo, identity: identityOf(around), isOverLimit: false });
}

export function rememberToldOff(socket: Duplex): void {
  toldOff.add(socket);
}

export function isInside(socket: Duplex): boolean {
  return inside.has(socket);
}

export function peerOf(socket: Duplex): Peer {
  const isOverLimit = toldOff.has(socket);
  return inside.get(socket) ?? { connectedTo: undefined, identity: identityOf(socket), isOverLimit };
}

/** Most specific part first, as in `CN=node-7,OU=build,O=Example`; Node has escaped what is not printable. */
function identityOf(socket: Duplex): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const subject = socket.getPeerX509Certificate()?.subject;
  return subject?.split('\n').reverse().join(',').slice(0, MAX_IDENTITY);
}
