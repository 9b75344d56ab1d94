/** Clients that reach the proxy through CONNECT, and certificates for either side. */
import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificate } from '../../proxy/demo/notary/x509-writer.ts';
import type { ConnectEvent, ConnectOptions } from '../../proxy/listen/connect.ts';
import { registryAt } from '../../proxy/names/registry-table.ts';
import type { ServerOptions } from '../../proxy/server.ts';
import { TABLE } from '../pull/harness.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';

/** Names of docker.io in the harness's table. */
export const HUB_HOSTS = ['registry-1.docker.io', 'index.docker.io'];

export type ConnectSetup = {
  readonly connect: ConnectOptions;
  readonly events: ConnectEvent[];
  /** The authority of `HUB_HOSTS`' certificate. */
  readonly ca: string;
};

/** CONNECT for Docker Hub's names, with a certificate of its own authority. */
export function connectSetup(overrides: Partial<ConnectOptions> = {}): ConnectSetup {
  const { cert, key, ca } = createTlsIdentity(HUB_HOSTS);
  const events: ConnectEvent[] = [];
  const connect = {
    certificates: [{ hosts: HUB_HOSTS, cert, key }],
    tunnel: [],
    registryAt: (authority: string) => registryAt(TABLE, authority),
    observe: (event: ConnectEvent) => events.push(event),
    ...overrides,
  };
  return { connect, events, ca };
}

/** Reads until the head of an answer is complete, or the connection ends. */
export async function readHead(socket: Duplex): Promise<string> {
  let text = '';
  while (!text.includes('\r\n\r\n')) {
    const chunk: Buffer | null = socket.read();
    if (chunk !== null) text += chunk.toString('latin1');
    else if (socket.readableEnded || socket.destroyed) break;
    else await untilReadable(socket);
  }
  return text;
}

async function untilReadable(socket: Duplex): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(socket, 'readable', { signal }), once(socket, 'close', { signal })]).catch(
    () => undefined,
  );
  over.abort();
}

export type Connected = { readonly socket: Socket; readonly status: number; readonly text: string };

/** Sends CONNECT over a connection that may already be TLS. */
export async function sendConnect(
  target: string,
  { port, over, host = target }: { readonly port: number; readonly over?: Socket; readonly host?: string },
): Promise<Connected> {
  const socket = over ?? netConnect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const text = await readHead(socket);
  return { socket, text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0) };
}

/** @returns the connection once its handshake is over. @throws what ended it. */
export async function startTls(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = tlsConnect(options);
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

/** One request on a connection that is then closed; the whole answer. */
export async function askOn(socket: Duplex, path: string, host: string): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close').catch(() => undefined);
  return Buffer.concat(chunks).toString('latin1');
}

/** A certificate authority, and a client certificate it issued. */
export function clientIdentity(commonName: string): {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
} {
  const [authority, client] = [createKeyPair('p256'), createKeyPair('p256')];
  const day = 86_400_000;
  const common = {
    signer: authority.privateKey,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day),
  };
  const issuer = 'Clients of the tests';
  const ca = createCertificate({
    ...common,
    commonName: issuer,
    publicKey: authority.publicKey,
    ca: true,
    keyUsage: ['keyCertSign'],
  });
  const cert = createCertificate({
    ...common,
    commonName,
    issuer,
    publicKey: client.publicKey,
    ca: false,
    extendedKeyUsage: ['clientAuth'],
  });
  return { ca, cert, key: client.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

export function tlsOf(hosts: readonly string[]): {
  readonly tls: NonNullable<ServerOptions['tls']>;
  readonly ca: string;
} {
  const { cert, key, ca } = createTlsIdentity(hosts);
  return { tls: { cert, key }, ca };
}

export type Peer = {
  readonly port: number;
  readonly received: () => string;
  readonly sockets: Set<Socket>;
  close(): void;
};

/** Something at the far end of a tunnel: repeats what it is sent, and remembers it. */
export async function startEcho(): Promise<Peer> {
  let received = '';
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received: () => received,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Waits for what happens in the next turns of the loop; fails after half a minute, well before a test is ended. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The ClientHello that node:tls sends for this name, or for none. */
export async function clientHello(name?: string): Promise<Buffer> {
  const sent = new PassThrough();
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      sent.write(chunk);
      done();
    },
  });
  const tls = tlsConnect({ socket, ...(name === undefined ? {} : { servername: name }) });
  tls.on('error', () => undefined);
  const [hello] = (await once(sent, 'data')) as [Buffer];
  tls.destroy();
  return hello;
}

/** What TLS makes of so many bytes, as it looks from outside. */
export function tlsRecords(payload: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < payload.length; at += 16_384) {
    const part = payload.subarray(at, at + 16_384);
    parts.push(Buffer.from([23, 3, 3, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}
