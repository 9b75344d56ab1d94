/** A client authority that a reload took away: what its certificates opened is a way in that no file allows any more. */
import { once } from 'node:events';
import { connect as netConnect } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { createKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { createCertificate } from '../../proxy/demo/notary/x509-writer.ts';
import { startDemoWorld } from '../../proxy/demo/world.ts';
import { startRuntime } from '../../proxy/runtime/start.ts';
import { createFolder, removeFolders, write } from '../config/scratch.ts';
import { clientIdentity, eventually, startEcho, startTls } from '../listen/kit.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
  removeFolders();
});

const HOST = 'registry.example.com';
const [OLD, NEW] = [clientIdentity('of the old'), clientIdentity('of the new')];

async function start() {
  const world = await startDemoWorld();
  const peer = await startEcho();
  const folder = createFolder();
  const { cert, key, ca } = createTlsIdentity([HOST]);
  write(folder, 'host.crt', cert);
  write(folder, 'host.key', key);
  const load = (clientCa: string | undefined) => {
    if (clientCa !== undefined) write(folder, 'clients.crt', clientCa);
    const asked = clientCa === undefined ? '' : 'clientCa: clients.crt, ';
    const text = `listen:
  address: 127.0.0.1
  port: 0
  tls: { cert: host.crt, key: host.key, ${asked}certificates: [{ hosts: [${HOST}], cert: host.crt, key: host.key }] }
  connect:
    certificates: [{ hosts: [${HOST}], cert: host.crt, key: host.key }]
    tunnel: ["localhost:${peer.port}"]
admin: { address: 127.0.0.1, port: 0 }
registries: [{ name: ${HOST}, upstream: "${world.registry.url}", trust: { server: "${world.notary.url}" } }]
trust: { state: { kind: memory }, pins: [{ match: ${HOST}/**, rootKeys: [${world.rootKeyId}] }] }
policy: { rules: [{ name: all, match: ${HOST}/**, mode: enforce }] }
`;
    return loadConfig(write(folder, 'pullwarden.yaml', text));
  };
  const lines: Record<string, unknown>[] = [];
  const runtime = await startRuntime(await load(OLD.ca), {
    version: '0',
    node: 'v20',
    logTo: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  running.push({ close: () => world.stop() }, peer, { close: () => runtime.close(0) });
  const at = { port: runtime.port, host: '127.0.0.1', servername: HOST, ca };
  const open = (as: { readonly cert: string; readonly key: string } = OLD, more: object = {}) =>
    startTls({ ...at, cert: as.cert, key: as.key, ...more });
  const reload = async (clientCa: string | undefined) => runtime.reload(await load(clientCa));
  return { at, open, reload, lines, peer };
}

/** The status of `/v2/` on a connection that is kept; undefined where it is cut. */
async function ping(socket: TLSSocket): Promise<number | undefined> {
  socket.write(`GET /v2/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const over = new AbortController();
  const { signal } = over;
  const answer = once(socket, 'data', { signal }).then(([chunk]) => Number(String(chunk).slice(9, 12)));
  const cut = once(socket, 'close', { signal }).then(() => undefined);
  try {
    return await Promise.race([answer, cut]);
  } catch {
    return undefined;
  } finally {
    over.abort();
    answer.catch(() => undefined);
    cut.catch(() => undefined);
  }
}

/** Node 24 has no issuer in what it says of a client's certificate. */
const SHOWS_ISSUERS = Number(process.versions.node.split('.', 1)[0]) < 24;

describe('a connection that a client certificate opened', () => {
  test('ends when its authority is replaced, and what it had tunnelled with it', async () => {
    const { open, reload, lines, peer } = await start();
    const [kept, tunnel] = [await open(), await open()];
    expect(await ping(kept)).toBe(200);
    tunnel.write(`CONNECT localhost:${peer.port} HTTP/1.1\r\nHost: localhost:${peer.port}\r\n\r\n`);
    await once(tunnel, 'data');
    const closed = [once(kept, 'close'), once(tunnel, 'close')];
    await reload(NEW.ca);
    await Promise.all(closed);
    await eventually(() => peer.sockets.size === 0);
    expect(lines).toContainEqual(expect.objectContaining({ clients: 2, tunnels: 0, terminated: 0 }));
    expect(await ping(await open(NEW))).toBe(200);
  });

  test('stays when another authority is added, and when an unchanged file is read again', async () => {
    const { open, reload } = await start();
    const socket = await open();
    for (const authorities of [OLD.ca, OLD.ca + NEW.ca, NEW.ca + OLD.ca]) {
      await reload(authorities);
      expect(await ping(socket)).toBe(200);
    }
  });

  test('stays when it leads to the authority over others, where Node shows to which', async () => {
    const { open, reload } = await start();
    const { root, ...client } = chained();
    await reload(root);
    const socket = await open(client);
    if (!SHOWS_ISSUERS) return await eventually(() => socket.destroyed);
    await reload(NEW.ca + root);
    expect(await ping(socket)).toBe(200);
    const closed = once(socket, 'close');
    await reload(NEW.ca);
    await closed;
  });

  test('stays when clients are not asked any more; that counts after a restart, for strangers too', async () => {
    const { open, reload } = await start();
    const socket = await open();
    await reload(undefined);
    expect(await ping(socket)).toBe(200);
    expect(await ping(await open())).toBe(200);
    const stranger = await open(NEW).catch(() => undefined);
    expect(stranger === undefined ? undefined : await ping(stranger)).toBeUndefined();
  });

  test('cannot be opened again with a session from before', async () => {
    const { open, reload } = await start();
    const first = await open();
    const [session] = (await once(first, 'session')) as [Buffer];
    const resumed = await open(OLD, { session });
    expect(resumed.isSessionReused()).toBe(true);
    await reload(NEW.ca);
    const again = await open(OLD, { session }).catch(() => undefined);
    expect(again === undefined ? undefined : await ping(again)).toBeUndefined();
  });

  test('is not let in when its handshake began before the reload', async () => {
    const { at, open, reload } = await start();
    const far = netConnect(at.port, '127.0.0.1');
    const held = new Duplex({
      read: () => undefined,
      write: (chunk, _, done) => far.write(chunk, () => done()),
    });
    const handshake = open(OLD, { socket: held }).catch(() => undefined);
    // The server has answered the ClientHello, so it has chosen what it verifies the client by.
    const [answer] = (await once(far, 'data')) as [Buffer];
    await reload(NEW.ca);
    far.on('data', (chunk) => held.push(chunk)).on('close', () => held.destroy());
    held.push(answer);
    const socket = await handshake;
    expect(socket === undefined ? undefined : await ping(socket)).toBeUndefined();
  });
});

/** A client whose certificate an intermediate authority issued, which it shows with its own. */
function chained() {
  const day = 86_400_000;
  const span = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
  const [root, middle, leaf] = [createKeyPair('p256'), createKeyPair('p256'), createKeyPair('p256')];
  const authority = { ...span, signer: root.privateKey, ca: true, keyUsage: ['keyCertSign' as const] };
  const rootCert = createCertificate({ ...authority, commonName: 'Root', publicKey: root.publicKey });
  const middleCert = createCertificate({
    ...authority,
    commonName: 'Middle',
    issuer: 'Root',
    publicKey: middle.publicKey,
  });
  const cert = createCertificate({
    ...span,
    commonName: 'leaf',
    issuer: 'Middle',
    publicKey: leaf.publicKey,
    signer: middle.privateKey,
    ca: false,
    extendedKeyUsage: ['clientAuth'],
  });
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { root: rootCert, cert: cert + middleCert, key };
}
