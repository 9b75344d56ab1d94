/** The ways in as the configuration has them: certificates from files, metrics, the log, and a reload. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../proxy/config/load-config.ts';
import { type DemoWorld, startDemoWorld } from '../../proxy/demo/world.ts';
import { type Runtime, startRuntime } from '../../proxy/runtime/start.ts';
import { createFolder, removeFolders, write } from '../config/scratch.ts';
import { createTlsIdentity } from '../simulators/tls-identity.ts';
import { askOn, clientIdentity, sendConnect, startTls } from './kit.ts';

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close();
  removeFolders();
});

const HOST = 'registry.example.com';
const PATH = '/v2/shop/web/manifests/signed';

type Started = {
  readonly runtime: Runtime;
  readonly folder: string;
  readonly ca: string;
  readonly lines: Record<string, unknown>[];
  /** The same configuration, in which the registry goes by this name. */
  readonly configure: (name: string) => Promise<void>;
};

async function start(listen: (folder: string) => string): Promise<Started> {
  const world = await startDemoWorld();
  running.push({ close: () => world.stop() });
  const folder = createFolder();
  const { cert, key, ca } = createTlsIdentity([HOST, 'localhost']);
  write(folder, 'host.crt', cert);
  write(folder, 'host.key', key);
  const file = (name: string) => write(folder, 'pullwarden.yaml', toText(world, listen(folder), name));
  const lines: Record<string, unknown>[] = [];
  const runtime = await startRuntime(await loadConfig(file(HOST)), {
    version: '0',
    node: 'v20',
    logTo: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  running.push({ close: () => runtime.close(0) });
  const configure = async (name: string) => runtime.reload(await loadConfig(file(name)));
  return { runtime, folder, ca, lines, configure };
}

function toText({ registry, notary, rootKeyId }: DemoWorld, listen: string, name: string): string {
  return `listen: ${listen}
admin: { address: 127.0.0.1, port: 0 }
defaultRegistry: ${name}
registries:
  - { name: ${name}, upstream: "${registry.url}", trust: { server: "${notary.url}" } }
trust:
  state: { kind: memory }
  pins: [{ match: ${name}/**, rootKeys: [${rootKeyId}] }]
policy:
  rules: [{ name: all, match: ${name}/**, mode: enforce }]
log: { level: debug }
`;
}

async function metricsOf({ runtime }: Started): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${runtime.adminPort}/metrics`)).text();
}

describe('listen.connect', () => {
  const listen = () =>
    `{ address: 127.0.0.1, port: 0, connect: { certificates: [{ hosts: [${HOST}], cert: host.crt, key: host.key }] } }`;

  test('is judged, counted and logged', async () => {
    const started = await start(listen);
    const { port } = started.runtime;
    const { socket } = await sendConnect(`${HOST}:443`, { port });
    const answer = await askOn(await startTls({ socket, servername: HOST, ca: started.ca }), PATH, HOST);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect((await sendConnect('quay.io:443', { port })).status).toBe(403);
    const metrics = await metricsOf(started);
    expect(metrics).toMatch(/^pullwarden_connects_total\{result="terminated"\} 1$/m);
    expect(metrics).toMatch(/^pullwarden_connects_total\{result="refused"\} 1$/m);
    expect(metrics).toMatch(/^pullwarden_tunnels_open 0$/m);
    expect(metrics).not.toContain('quay.io');
    const connects = started.lines.filter(({ msg }) => msg === 'connect');
    expect(connects).toEqual([
      expect.objectContaining({ target: `${HOST}:443`, result: 'terminated', client: '127.0.0.1' }),
      expect.objectContaining({
        target: 'quay.io:443',
        result: 'refused',
        detail: expect.stringContaining('quay.io is not a registry this proxy serves'),
      }),
    ]);
  });

  test('a registry that a certificate is for cannot be taken away by a reload', async () => {
    const { runtime, ca, configure } = await start(listen);
    await expect(configure('other.example.com')).rejects.toThrow(
      /certificates\[0\]\.hosts\[0\]: "registry\.example\.com" is not a name, alias or host of any configured registry/,
    );
    const { socket } = await sendConnect(`${HOST}:443`, { port: runtime.port });
    const inner = await startTls({ socket, servername: HOST, ca });
    expect(await askOn(inner, PATH, HOST)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('listen.tls', () => {
  test('certificates renewed on disk count after a reload; a key that does not fit changes nothing', async () => {
    const parts = ['main', 'named', 'tunnel'];
    const renew = (folder: string): void => {
      for (const part of parts) {
        const { cert, key } = createTlsIdentity([HOST]);
        write(folder, `${part}.crt`, cert);
        write(folder, `${part}.key`, key);
      }
    };
    const { runtime, folder, configure } = await start((below) => {
      if (!existsSync(join(below, 'main.crt'))) renew(below);
      const of = (part: string) => `cert: ${part}.crt, key: ${part}.key`;
      const host = (part: string) => `certificates: [{ hosts: [${HOST}], ${of(part)} }]`;
      return `{ address: 127.0.0.1, port: 0, tls: { ${of('main')}, ${host('named')} }, connect: { ${host('tunnel')} } }`;
    });
    const at = { port: runtime.port, host: '127.0.0.1', rejectUnauthorized: false };
    const shown = async (): Promise<Record<string, string>> => {
      const main = await startTls({ ...at, servername: 'another.example.com' });
      const named = await startTls({ ...at, servername: HOST });
      const over = await startTls({ ...at, servername: 'another.example.com' });
      const { socket } = await sendConnect(`${HOST}:443`, { port: runtime.port, over });
      const tunnel = await startTls({ socket, servername: HOST, rejectUnauthorized: false });
      const sockets = { main, named, tunnel };
      const found = Object.entries(sockets).map(([part, tls]) => [
        part,
        tls.getPeerCertificate().raw.toString('base64'),
      ]);
      for (const tls of Object.values(sockets)) tls.destroy();
      return Object.fromEntries(found);
    };
    const onDisk = () =>
      Object.fromEntries(
        parts.map((part) => [
          part,
          new X509Certificate(readFileSync(join(folder, `${part}.crt`))).raw.toString('base64'),
        ]),
      );

    const first = onDisk();
    expect(await shown()).toEqual(first);
    renew(folder);
    const second = onDisk();
    expect(await shown()).toEqual(first);
    await configure(HOST);
    expect(await shown()).toEqual(second);
    renew(folder);
    write(folder, 'tunnel.key', createTlsIdentity([HOST]).key);
    await expect(configure(HOST)).rejects.toThrow(/tunnel\.key/);
    expect(await shown()).toEqual(second);
  });

  test('the client certificate is in the line of the decision', async () => {
    const client = clientIdentity('ci-runner');
    const { runtime, ca, lines } = await start((folder) => {
      write(folder, 'clients.crt', client.ca);
      return '{ address: 127.0.0.1, port: 0, tls: { cert: host.crt, key: host.key, clientCa: clients.crt } }';
    });
    const socket = await startTls({
      port: runtime.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      cert: client.cert,
      key: client.key,
    });
    expect(await askOn(socket, PATH, 'localhost')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(lines.filter(({ msg }) => msg === 'decision')).toEqual([
      expect.objectContaining({ client: '127.0.0.1', identity: 'CN=ci-runner', reason: 'signed' }),
    ]);
    const page = await fetch(`http://127.0.0.1:${runtime.adminPort}/`);
    expect(await page.text()).toContain('127.0.0.1 (CN=ci-runner)');
  });
});
