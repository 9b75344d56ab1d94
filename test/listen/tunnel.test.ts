/** Hosts that are let through unopened: what reaches them, and what keeps a tunnel small. */
import { once } from 'node:events';
import { connect, createServer, type LookupFunction, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Limits } from '../../proxy/limits.ts';
import type { ConnectOptions } from '../../proxy/listen/connect.ts';
import { type RunningProxy, sendRaw, startProxy } from '../pull/harness.ts';
import {
  clientHello,
  connectSetup,
  eventually,
  type Peer,
  readHead,
  sendConnect,
  startEcho,
  tlsRecords,
} from './kit.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
});

async function echo(): Promise<Peer> {
  const peer = await startEcho();
  running.push(peer);
  return peer;
}

async function start(options: Partial<ConnectOptions>, limits: Partial<Limits> = {}) {
  const setup = connectSetup(options);
  const proxy: RunningProxy = await startProxy({ server: { connect: setup.connect, limits } });
  running.push(proxy);
  return { ...proxy, ...setup };
}

/** Every name is at this address. */
function at(address: string): { readonly lookup: LookupFunction; readonly asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (host, options, callback) => {
    asked.push(host);
    if (options.all === true) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  return { lookup, asked };
}

async function say(socket: Socket, text: string | Buffer): Promise<string> {
  socket.write(text);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
}

describe('a listed host', () => {
  test('is reached by its name, and nothing is changed on the way', async () => {
    const [peer, { lookup, asked }] = [await echo(), at('127.0.0.1')];
    const { port, events } = await start({ tunnel: [`token.example:${peer.port}`], lookup });
    const { socket, status, text } = await sendConnect(`token.example:${peer.port}`, { port });
    expect([status, text]).toEqual([200, 'HTTP/1.1 200 Connection established\r\n\r\n']);
    const hello = await clientHello('token.example');
    expect(await say(socket, hello)).toBe(hello.toString());
    expect(asked).toEqual(['token.example']);
    expect(events).toEqual([expect.objectContaining({ result: 'tunnelled' })]);
    socket.destroy();
    await eventually(() => peer.sockets.size === 0);
  });

  test('megabytes arrive whole, and the end of one side reaches the other', async () => {
    const peer = await echo();
    const { port } = await start({ tunnel: [`127.0.0.1:${peer.port}`] });
    const { socket } = await sendConnect(`127.0.0.1:${peer.port}`, { port });
    const sent = Buffer.concat([await clientHello(), tlsRecords(Buffer.alloc(8 * 1024 * 1024, 'tunnel'))]);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.end(sent);
    await once(socket, 'close');
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    await eventually(() => peer.sockets.size === 0);
  });

  test('nothing reaches it before the 200: who sends earlier is refused', async () => {
    const peer = await echo();
    const { port, events } = await start({ tunnel: [`127.0.0.1:${peer.port}`] });
    const { status } = await sendConnect(`127.0.0.1:${peer.port}`, {
      port,
      host: `127.0.0.1:${peer.port}\r\n\r\nearly`,
    });
    expect(status).toBe(400);
    expect(events).toEqual([expect.objectContaining({ result: 'refused' })]);
    expect([peer.received(), peer.sockets.size]).toEqual(['', 0]);
  });

  test('what comes while it is being connected is not passed on either', async () => {
    const peer = await echo();
    let found: (() => void) | undefined;
    const lookup: LookupFunction = (_host, options, callback) => {
      const address = '127.0.0.1';
      found = () =>
        options.all === true ? callback(null, [{ address, family: 4 }]) : callback(null, address, 4);
    };
    const target = `token.example:${peer.port}`;
    const { port, events } = await start({ tunnel: [target], lookup });
    const socket = connect(port, '127.0.0.1');
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    await eventually(() => found !== undefined);
    socket.write('early');
    // A turn of the loop on either side, so that it has arrived.
    await sendRaw(port, 'x');
    found?.();
    expect(await readHead(socket)).toMatch(/^HTTP\/1\.1 400 Pullwarden: nothing may be sent behind CONNECT/);
    expect(events).toEqual([expect.objectContaining({ result: 'refused' })]);
    expect(peer.received()).toBe('');
  });
});

describe('where a name may lead', () => {
  test.each(['10.0.0.1', '127.0.0.1', '169.254.169.254', '::1'])(
    'one that a wildcard covers does not lead to %s',
    async (address) => {
      const { port, events } = await start({ tunnel: ['*.cdn.example:443'], lookup: at(address).lookup });
      const { status, text } = await sendConnect('a.cdn.example:443', { port });
      expect(status).toBe(502);
      expect(text).toMatch(
        /^HTTP\/1\.1 502 Pullwarden: a\.cdn\.example:443 cannot be reached from this proxy\r\n/,
      );
      expect(events).toEqual([expect.objectContaining({ result: 'failed' })]);
    },
  );

  test('an address is tunnelled to only where it is listed itself', async () => {
    const peer = await echo();
    const { port } = await start({ tunnel: [`localhost:${peer.port}`, '*.cdn.example:443'] });
    expect((await sendConnect(`127.0.0.1:${peer.port}`, { port })).status).toBe(403);
    expect((await sendConnect(`[::1]:${peer.port}`, { port })).status).toBe(403);
    expect((await sendConnect(`localhost:${peer.port}`, { port })).status).toBe(200);
  });

  test('another port of a listed host is refused', async () => {
    const { port } = await start({ tunnel: ['localhost:443'] });
    expect((await sendConnect('localhost:22', { port })).status).toBe(403);
  });
});

describe('limits', () => {
  test('one tunnel too many is told so, and there is room again when one has ended', async () => {
    const peer = await echo();
    const target = `127.0.0.1:${peer.port}`;
    const { port } = await start({ tunnel: [target] }, { maxTunnels: 2 });
    const [first] = [await sendConnect(target, { port }), await sendConnect(target, { port })];
    const third = await sendConnect(target, { port });
    expect([third.status, third.text]).toEqual([502, expect.stringContaining('no room for another tunnel')]);
    first.socket.destroy();
    await eventually(() => peer.sockets.size === 1);
    expect((await sendConnect(target, { port })).status).toBe(200);
  });

  test('a host that refuses, and one that does not answer in time', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const refusing = typeof address === 'object' && address !== null ? address.port : 0;
    closed.close();
    const never: LookupFunction = () => undefined;
    const { port } = await start(
      { tunnel: [`127.0.0.1:${refusing}`, 'slow.example:443'], lookup: never },
      { tunnelConnectTimeout: 100 },
    );
    expect((await sendConnect(`127.0.0.1:${refusing}`, { port })).status).toBe(502);
    expect((await sendConnect('slow.example:443', { port })).status).toBe(502);
  });

  test('a client that is cut off while its tunnel is being connected takes the connection with it', async () => {
    const peer = await echo();
    const target = `slow.example:${peer.port}`;
    let arrive: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    let answer: () => void = () => undefined;
    const lookup: LookupFunction = (_host, options, callback) => {
      const at: [null, string, number] = [null, '127.0.0.1', 4];
      answer = () =>
        options.all === true ? callback(null, [{ address: at[1], family: 4 }]) : callback(...at);
      arrive();
    };
    const { port, events, connections } = await start({ tunnel: [target], lookup });
    const socket = connect(port, '127.0.0.1');
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    await asked;
    socket.resetAndDestroy();
    await eventually(() => events.length === 1);
    answer();
    // What the lookup could still have begun would be there by the time of another connection.
    const next = connect(peer.port, '127.0.0.1');
    await once(next, 'connect');
    await eventually(() => peer.sockets.size === 1);
    next.destroy();
    expect(await connections()).toBe(0);
    expect(events[0]).toMatchObject({ message: 'the tunnel ended before it was connected' });
  });

  test('a tunnel through which nothing moves is cut on both sides', async () => {
    const peer = await echo();
    const target = `127.0.0.1:${peer.port}`;
    const { port } = await start({ tunnel: [target] }, { tunnelIdleTimeout: 100 });
    const { socket } = await sendConnect(target, { port });
    socket.resume();
    await eventually(() => socket.closed && peer.sockets.size === 0);
  });

  test('a slow reader holds back the far end: a tunnel never fills the memory', async () => {
    let sent = 0;
    const source = createServer((socket) => {
      const chunk = Buffer.alloc(64 * 1024);
      const push = (): void => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      };
      socket.on('drain', push).on('error', () => socket.destroy());
      push();
    }).listen(0, '127.0.0.1');
    running.push(source);
    await once(source, 'listening');
    const address = source.address();
    const target = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const { port } = await start({ tunnel: [target] });
    const before = process.memoryUsage().rss;
    const clients = await Promise.all(Array.from({ length: 20 }, () => sendConnect(target, { port })));
    const hello = await clientHello();
    for (const { socket } of clients) socket.pause().write(hello);
    let last = -1;
    await eventually(() => {
      const isStill = last === sent;
      last = sent;
      return isStill && sent > 0;
    });
    // What was sent is in the kernel's buffers; of ours each tunnel has a chunk or two.
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    for (const { socket } of clients) socket.destroy();
  });

  test('a client that resets its connection ends the tunnel', async () => {
    const peer = await echo();
    const target = `127.0.0.1:${peer.port}`;
    const { port } = await start({ tunnel: [target] });
    const { socket } = await sendConnect(target, { port });
    await say(socket, await clientHello());
    socket.resetAndDestroy();
    await eventually(() => peer.sockets.size === 0);
  });

  test('stopping lets a tunnel that moves go on, for as long as there is time', async () => {
    const peer = await echo();
    const target = `127.0.0.1:${peer.port}`;
    const proxy = await start({ tunnel: [target] });
    const { socket } = await sendConnect(target, { port: proxy.port });
    await say(socket, await clientHello());
    running.splice(
      running.findIndex((part) => 'port' in part && part.port === proxy.port),
      1,
    );
    const closing = proxy.close(3000);
    expect(await say(socket, tlsRecords(Buffer.from('still there')))).toContain('still there');
    socket.end();
    await closing;
  });
});
