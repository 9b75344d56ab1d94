/** A permission that a reload took away: what was opened under it is a way out that no file allows any more. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { type DemoWorld, startDemoWorld } from '../../proxy/demo/world.ts';
import { startRuntime } from '../../proxy/runtime/start.ts';
import { createFolder, removeFolders, write } from '../config/scratch.ts';
import {
  clientHello,
  eventually,
  type Peer,
  sendConnect,
  startEcho,
  startTls,
  tlsRecords,
} from '../listen/kit.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
  removeFolders();
});

const HOST = 'registry.example.com';
const OTHER = 'other.example.com';
const CERTIFICATE = `{ hosts: [${HOST}], cert: host.crt, key: host.key }`;

type File = {
  readonly certificates?: string;
  readonly tunnel?: string;
  /** `listen` as a whole, in place of the two above. */
  readonly listen?: string;
};

function toText({ registry, notary, rootKeyId }: DemoWorld, file: File): string {
  const { certificates = `[${CERTIFICATE}]`, tunnel = '[]' } = file;
  const listen =
    file.listen ??
    `{ address: 127.0.0.1, port: 0, connect: { certificates: ${certificates}, tunnel: ${tunnel} } }`;
  return `listen: ${listen}
admin: { address: 127.0.0.1, port: 0 }
registries:
  - { name: ${HOST}, upstream: "${registry.url}", trust: { server: "${notary.url}" } }
  - { name: ${OTHER}, upstream: "${registry.url}", trust: { server: "${notary.url}" } }
trust:
  state: { kind: memory }
  pins: [{ match: ${HOST}/**, rootKeys: [${rootKeyId}] }]
policy:
  rules: [{ name: all, match: ${HOST}/**, mode: enforce }]
`;
}

async function start(first: (peer: Peer) => File) {
  const world = await startDemoWorld();
  const peer = await startEcho();
  const folder = createFolder();
  const { cert, key, ca } = createTlsIdentity([HOST, OTHER]);
  write(folder, 'host.crt', cert);
  write(folder, 'host.key', key);
  const load = (file: File) => loadConfig(write(folder, 'pullwarden.yaml', toText(world, file)));
  const lines: Record<string, unknown>[] = [];
  const runtime = await startRuntime(await load(first(peer)), {
    version: '0',
    node: 'v20',
    logTo: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  running.push({ close: () => world.stop() }, peer, { close: () => runtime.close(0) });
  const { port } = runtime;
  const openTunnel = async (host = 'localhost'): Promise<Socket> => {
    const { socket, status } = await sendConnect(`${host}:${peer.port}`, { port });
    expect(status).toBe(200);
    socket.resume();
    const sent = peer.received().length;
    const hello = await (host === 'localhost' ? clientHello(host) : clientHello());
    socket.write(hello);
    await eventually(() => peer.received().length === sent + hello.length);
    return socket;
  };
  const openTerminated = async (host = HOST) => {
    const { socket } = await sendConnect(`${host}:443`, { port });
    return await startTls({ socket, servername: host, ca });
  };
  const statusOf = async (target: string) => {
    const { socket, status } = await sendConnect(target, { port });
    socket.destroy();
    return status;
  };
  const reload = async (file: File) => runtime.reload(await load(file));
  return { peer, port, lines, openTunnel, openTerminated, statusOf, reload };
}

async function isHeard(socket: Socket, peer: Peer): Promise<boolean> {
  const before = peer.received().length;
  socket.write(tlsRecords(Buffer.from('still here')));
  await eventually(() => peer.received().length === before + 15 || socket.destroyed);
  return !socket.destroyed;
}

describe('a tunnel', () => {
  const both = ({ port }: Peer): File => ({ tunnel: `["localhost:${port}", "127.0.0.1:${port}"]` });

  test.each<[string, (peer: Peer) => File]>([
    ['its host is not listed any more', ({ port }) => ({ tunnel: `["127.0.0.1:${port}"]` })],
    ['only another port is listed', ({ port }) => ({ tunnel: `["127.0.0.1:${port}", "localhost:1"]` })],
  ])('ends at once when %s; the one still permitted stays', async (_what, next) => {
    const { peer, openTunnel, statusOf, reload, lines } = await start(both);
    const [withdrawn, permitted] = [await openTunnel(), await openTunnel('127.0.0.1')];
    const closed = once(withdrawn, 'close');
    await reload(next(peer));
    await closed;
    expect(await isHeard(permitted, peer)).toBe(true);
    expect(await statusOf(`localhost:${peer.port}`)).toBe(403);
    expect(await statusOf(`127.0.0.1:${peer.port}`)).toBe(200);
    expect(lines).toContainEqual(expect.objectContaining({ tunnels: 1, terminated: 0 }));
  });

  test.each<[string, (peer: Peer) => File]>([
    ['listen.connect is gone', () => ({ listen: '{ address: 127.0.0.1, port: 0 }' })],
    ['its list is empty', () => ({})],
  ])('every one ends when %s', async (_what, next) => {
    const { peer, openTunnel, statusOf, reload, lines } = await start(both);
    const sockets = [await openTunnel(), await openTunnel('127.0.0.1')];
    const closed = sockets.map((socket) => once(socket, 'close'));
    await reload(next(peer));
    await Promise.all(closed);
    await eventually(() => peer.sockets.size === 0);
    expect(await statusOf(`localhost:${peer.port}`)).toBe(403);
    // Those who go on trying are still seen, and told the truth.
    expect(lines).toContainEqual(
      expect.objectContaining({ target: `localhost:${peer.port}`, result: 'refused' }),
    );
    expect(await statusOf(`${OTHER}:443`)).toBe(403);
    expect(lines).toContainEqual(
      expect.objectContaining({ detail: expect.stringContaining(`no certificate for ${OTHER}`) }),
    );
  });

  test('one that has not sent its ClientHello yet ends too, and nothing reaches its host', async () => {
    const { peer, port, reload } = await start(both);
    const { socket } = await sendConnect(`localhost:${peer.port}`, { port });
    socket.resume();
    const closed = once(socket, 'close');
    await reload({});
    socket.write(await clientHello('localhost'));
    await closed;
    expect(peer.received()).toBe('');
  });

  test('what the new file lists is opened, without a restart', async () => {
    const { peer, openTunnel, statusOf, reload } = await start(() => ({}));
    expect(await statusOf(`localhost:${peer.port}`)).toBe(403);
    await reload(both(peer));
    expect(await isHeard(await openTunnel(), peer)).toBe(true);
  });
});

describe('a connection whose TLS ends here', () => {
  const both = `[{ hosts: [${HOST}, ${OTHER}], cert: host.crt, key: host.key }]`;

  test('ends at once when its certificate is gone; the one still permitted stays', async () => {
    const { openTerminated, statusOf, reload } = await start(() => ({ certificates: both }));
    const [permitted, withdrawn] = [await openTerminated(), await openTerminated(OTHER)];
    const closed = once(withdrawn, 'close');
    await reload({});
    await closed;
    permitted.write(`GET /v2/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const [answer] = (await once(permitted, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200/);
    expect(await statusOf(`${OTHER}:443`)).toBe(403);
  });

  test('ends when listen.connect is gone, in the middle of its handshake too', async () => {
    const { port, openTerminated, statusOf, reload } = await start(() => ({ certificates: both }));
    const whole = await openTerminated();
    const { socket: half } = await sendConnect(`${HOST}:443`, { port });
    half.resume();
    half.write((await clientHello(HOST)).subarray(0, 40));
    const closed = [once(whole, 'close'), once(half, 'close')];
    await reload({ listen: '{ address: 127.0.0.1, port: 0 }' });
    await Promise.all(closed);
    expect(await statusOf(`${HOST}:443`)).toBe(403);
  });
});

test('a file that cannot be put in force withdraws nothing', async () => {
  const { peer, openTunnel, reload } = await start(({ port }) => ({ tunnel: `["localhost:${port}"]` }));
  const socket = await openTunnel();
  await expect(
    reload({ certificates: `[{ hosts: [${HOST}], cert: host.crt, key: absent.key }]` }),
  ).rejects.toThrow(/absent\.key/);
  expect(await isHeard(socket, peer)).toBe(true);
});
