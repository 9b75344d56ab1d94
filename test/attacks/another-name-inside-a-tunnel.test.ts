/** A store and a registry behind one edge: CONNECT names the store, TLS inside asks for the registry. */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Limits } from '../../proxy/limits.ts';
import { readHello } from '../../proxy/listen/client-hello.ts';
import { clientHello, connectSetup, eventually, sendConnect, startEcho } from '../listen/kit.ts';
import { startProxy } from '../pull/harness.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

async function open(host = 'localhost', limits: Partial<Limits> = {}) {
  const peer = await startEcho();
  const target = `${host}:${peer.port}`;
  const setup = connectSetup({ tunnel: [target] });
  const proxy = await startProxy({ server: { connect: setup.connect, limits } });
  running.push(peer, proxy);
  const { socket } = await sendConnect(target, { port: proxy.port });
  socket.resume();
  return { peer, socket, ...setup };
}

/** The same handshake message, in records of so many bytes. */
function fragmented(hello: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

/** With one more extension, of this type. */
function withExtension(hello: Buffer, type: number): Buffer {
  const longer = Buffer.concat([hello, Buffer.from([type >> 8, type & 255, 0, 0])]);
  const extensions = 5 + 4 + 34 + 1 + (hello[43] ?? 0);
  const at = extensions + 2 + hello.readUInt16BE(extensions) + 2;
  for (const place of [3, 7, at]) longer.writeUInt16BE(longer.readUInt16BE(place) + 4, place);
  return longer;
}

describe('closed before a byte reaches the target, counted and told', () => {
  test.each([
    ['a registry', () => clientHello('registry-1.docker.io'), /a registry is never tunnelled/],
    ['another name', () => clientHello('other.example'), /"other.example" inside a tunnel to localhost/],
    ['no name', () => clientHello(), /no name/],
    [
      'a registry in fragments',
      async () => fragmented(await clientHello('registry-1.docker.io'), 100),
      /a registry/,
    ],
    ['a hidden name', async () => withExtension(await clientHello('localhost'), 0xfe0d), /ECH/],
    ['plain HTTP', async () => Buffer.from('GET /v2/ HTTP/1.1\r\n\r\n'), /not TLS/],
    ['SSH', async () => Buffer.from('SSH-2.0-x\r\n'), /not TLS/],
    ['a huge one', async () => Buffer.from('160301400001fffffa', 'hex'), /not TLS|longer/],
    ['one in very many records', async () => fragmented(await clientHello('localhost'), 1), /records/],
  ])('%s', async (_what, bytes, message) => {
    const { peer, socket, events } = await open();
    const payload = await bytes();
    socket.write(payload.length === 9 ? Buffer.concat([payload, Buffer.alloc(0x4000)]) : payload);
    await once(socket, 'close');
    await eventually(() => events.length === 1);
    expect(events).toEqual([
      expect.objectContaining({ result: 'refused', message: expect.stringMatching(message) }),
    ]);
    expect(peer.received()).toBe('');
  });

  test('a trickle that does not end in time', async () => {
    const { peer, socket, events } = await open('localhost', { handshakeTimeout: 100 });
    socket.write((await clientHello('localhost')).subarray(0, 40));
    await once(socket, 'close');
    expect(events).toEqual([
      expect.objectContaining({ result: 'refused', message: expect.stringMatching(/in time/) }),
    ]);
    expect(peer.received()).toBe('');
  });

  test('an address has no name: none is let through, every name is refused', async () => {
    const none = await open('127.0.0.1');
    none.socket.write(await clientHello());
    await eventually(() => none.peer.received().length > 0);
    const named = await open('127.0.0.1');
    named.socket.write(await clientHello('other.example'));
    await once(named.socket, 'close');
    expect(named.peer.received()).toBe('');
  });
});

test('the right name passes unchanged, also in fragments and byte by byte', async () => {
  const { peer, socket } = await open();
  const hello = fragmented(await clientHello('localhost'), 200);
  for (const byte of hello) socket.write(Buffer.from([byte]));
  await eventually(() => peer.received().length === hello.length);
  expect(peer.received()).toBe(hello.toString('latin1'));
});

test('every beginning of a ClientHello asks for more, and never for what is there', async () => {
  const hello = await clientHello('localhost');
  for (let size = 0; size < hello.length; size += 1) {
    const read = readHello(hello.subarray(0, size));
    expect(read.kind === 'more' && read.bytes > size).toBe(true);
  }
  expect(readHello(hello)).toEqual({ kind: 'hello', name: 'localhost', end: hello.length });
});
