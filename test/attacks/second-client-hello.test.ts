/**
 * A server that misses a key share answers the first ClientHello with a HelloRetryRequest. The second ClientHello must
 * repeat the name (RFC 8446 §4.1.2), but servers take another one: CONNECT and the first name the store, the second the
 * registry.
 */
import { once } from 'node:events';
import { createServer as createNetServer, connect as netConnect, type Socket } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import { readServerAnswer } from '../../proxy/listen/server-hello.ts';
import { connectSetup, eventually, sendConnect, startTls } from '../listen/kit.ts';
import { startProxy } from '../pull/harness.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';

const STORE = 'localhost';
const REGISTRY = 'registry-1.docker.io';
/** The share is for the first of them; the server wants the other one. */
const CLIENT_CURVES = 'X25519:P-384';
const SERVER_CURVE = 'P-384';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

async function listening(server: ReturnType<typeof createNetServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push({
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** An edge that answers whatever name TLS asks for, and what has reached it. */
async function startEdge() {
  const { cert, key } = createTlsIdentity([STORE]);
  const server = createTlsServer({ cert, key, ecdhCurve: SERVER_CURVE });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  const inner = await listening(server);
  let received = '';
  const port = await listening(
    createNetServer((client) => {
      const far = netConnect(inner, '127.0.0.1').on('error', () => client.destroy());
      client.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
      });
      client.pipe(far).pipe(client);
    }),
  );
  const flights = { toStore: await flightsOf(STORE, inner), toRegistry: await flightsOf(REGISTRY, inner) };
  return { port, received: () => received, first: flights.toStore[0], second: flights.toRegistry[1] };
}

/** What node:tls sends to this edge for a name, before its handshake is over: the first flight, and the second. */
async function flightsOf(name: string, port: number): Promise<readonly [Buffer, Buffer]> {
  const flights: Buffer[] = [];
  const relayPort = await listening(
    createNetServer((client) => {
      const far = netConnect(port, '127.0.0.1').on('error', () => client.destroy());
      client.on('data', (chunk: Buffer) => {
        flights.push(chunk);
        far.write(chunk);
      });
      // After the retry nothing comes back, so that nothing more is sent.
      far.once('data', (chunk: Buffer) => client.write(chunk));
    }),
  );
  const tls = tlsConnect({
    host: '127.0.0.1',
    port: relayPort,
    servername: name,
    ecdhCurve: CLIENT_CURVES,
    rejectUnauthorized: false,
  });
  tls.on('error', () => undefined);
  await eventually(() => flights.length === 2);
  tls.destroy();
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = flights;
  return [first, second];
}

async function open(port: number) {
  const target = `${STORE}:${port}`;
  const setup = connectSetup({ tunnel: [target] });
  const proxy = await startProxy({ server: { connect: setup.connect } });
  running.push(proxy);
  const { socket } = await sendConnect(target, { port: proxy.port });
  return { socket, events: setup.events };
}

/** The records of a flight from its handshake message on, as fragments of so many bytes. */
function fragmented(flight: Buffer, size: number): Buffer {
  const at = flight[0] === 20 ? 6 : 0;
  const parts = [flight.subarray(0, at)];
  for (let from = at + 5; from < flight.length; from += size) {
    const part = flight.subarray(from, from + size);
    parts.push(Buffer.from([22, 3, 3, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

const ANOTHER = /second ClientHello: TLS asks for "registry-1\.docker\.io"/;

test('the server does take another name there, and node:tls sends change_cipher_spec before it', async () => {
  const { port, first, second } = await startEdge();
  expect(second[0]).toBe(20);
  const socket = netConnect(port, '127.0.0.1');
  socket.write(first);
  const [retry] = (await once(socket, 'data')) as [Buffer];
  expect(readServerAnswer(retry)).toMatchObject({ kind: 'more' });
  socket.write(second);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(readServerAnswer(Buffer.concat([retry, answer]))).toEqual({ kind: 'taken' });
  socket.destroy();
});

describe('a second ClientHello of another name closes the tunnel, counted and told', () => {
  test.each<readonly [string, (second: Buffer) => readonly Buffer[]]>([
    ['as it comes', (second) => [second]],
    ['in records of a few bytes', (second) => [fragmented(second, 40)]],
    ['byte by byte', (second) => [...second].map((byte) => Buffer.from([byte]))],
    ['without change_cipher_spec', (second) => [second.subarray(6)]],
    ['behind early data', (second) => [Buffer.from('1703030003abcdef', 'hex'), second]],
    ['behind an alert', (second) => [Buffer.from('1503030002015a', 'hex'), second]],
  ])('%s', async (_what, send) => {
    const { port, first, second, received } = await startEdge();
    const { socket, events } = await open(port);
    socket.setNoDelay(true);
    socket.write(first);
    await once(socket, 'data');
    for (const chunk of send(second)) socket.write(chunk);
    socket.resume();
    await eventually(() => socket.destroyed);
    expect(events).toEqual([
      expect.objectContaining({ result: 'tunnelled' }),
      expect.objectContaining({ result: 'refused', message: expect.stringMatching(ANOTHER) }),
    ]);
    expect(received()).not.toContain(REGISTRY);
  });

  test('sent together with the first, before the server asked for it', async () => {
    const { port, first, second, received } = await startEdge();
    const { socket, events } = await open(port);
    socket.write(Buffer.concat([first, second]));
    socket.resume();
    await eventually(() => socket.destroyed);
    expect(events).toEqual([
      expect.objectContaining({ result: 'refused', message: expect.stringMatching(ANOTHER) }),
    ]);
    expect(received()).toBe('');
  });
});

describe('an honest client is served as before', () => {
  test.each([
    ['after a HelloRetryRequest', SERVER_CURVE, 'TLSv1.3', 'TLSv1.3'],
    ['without one', 'X25519', 'TLSv1.3', 'TLSv1.3'],
    ['over TLS 1.2', 'P-256', 'TLSv1.2', 'TLSv1.2'],
    ['over TLS 1.2 though it offers 1.3', 'P-256', 'TLSv1.3', 'TLSv1.2'],
  ] as const)('%s', async (_what, curve, offered, negotiated) => {
    const { cert, key, ca } = createTlsIdentity([STORE]);
    const server = createTlsServer({ cert, key, ecdhCurve: curve, maxVersion: negotiated });
    server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()).pipe(socket));
    const { socket, events } = await open(await listening(server));
    const tls = await startTls({
      socket,
      ca,
      servername: STORE,
      ecdhCurve: `${CLIENT_CURVES}:P-256`,
      maxVersion: offered,
    });
    expect(tls.getProtocol()).toBe(negotiated);
    const sent = Buffer.alloc(1024 * 1024, 'image');
    let received = 0;
    tls.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    tls.write(sent);
    await eventually(() => received === sent.length);
    expect(events).toEqual([expect.objectContaining({ result: 'tunnelled' })]);
    tls.destroy();
  });

  test('a session is resumed over TLS 1.2, where its encrypted Finished follows change_cipher_spec', async () => {
    const { cert, key, ca } = createTlsIdentity([STORE]);
    const server = createTlsServer({ cert, key, maxVersion: 'TLSv1.2' });
    server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()).pipe(socket));
    const port = await listening(server);
    const { socket } = await open(port);
    const first = await startTls({ socket, ca, servername: STORE });
    const session = first.getSession();
    first.destroy();
    const again = await open(port);
    const second = await startTls({ socket: again.socket, ca, servername: STORE, session });
    expect(second.isSessionReused()).toBe(true);
    second.write('image');
    expect(String((await once(second, 'data'))[0])).toBe('image');
    second.destroy();
  });
});
