/** `serve` in this process: what its log tells the operator. */
import { EventEmitter, once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runServe } from '../../proxy/commands/serve.ts';
import { catchSignals } from '../../proxy/commands/signals.ts';
import { createCertified } from '../config/scratch.ts';

type Line = Readonly<Record<string, unknown>> & { readonly msg: string };
type Json = Readonly<Record<string, unknown>>;

let folder: string;
let file: string;
const undo: (() => unknown)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pullwarden-serve-'));
  file = join(folder, 'pullwarden.yaml');
  undo.push(() => rm(folder, { recursive: true }));
});

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const PINS = [{ match: 'registry.example.com/**', rootKeys: ['a'.repeat(64)] }];

function configure(changes: Json = {}, trustServer = 'http://127.0.0.1:1/notary'): void {
  const config = {
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: 'registry.example.com',
    registries: [
      { name: 'registry.example.com', upstream: 'http://127.0.0.1:1', trust: { server: trustServer } },
    ],
    trust: { state: { kind: 'memory' }, pins: PINS },
    policy: { rules: [{ name: 'all', match: 'registry.example.com/**', mode: 'enforce' }] },
    ...changes,
  };
  writeFileSync(file, JSON.stringify(config, undefined, 2));
}

type Served = {
  /** The lines with this message, once there are so many. */
  logged(message: string, count?: number): Promise<readonly Line[]>;
  readonly lines: readonly Line[];
  readonly port: number;
  reload(): void;
  stop(): Promise<void>;
};

async function serve(): Promise<Served> {
  const process = new EventEmitter();
  const log = new EventEmitter();
  const lines: Line[] = [];
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Line);
    log.emit('line');
  };
  const deps = { signals: catchSignals(process), err: () => undefined, node: 'v20.0.0', revision: '' };
  const running = runServe(file, { ...deps, logTo: { write } });
  const logged = async (message: string, count = 1): Promise<readonly Line[]> => {
    const found = () => lines.filter(({ msg }) => msg === message);
    while (found().length < count) await Promise.race([once(log, 'line'), running]);
    return found();
  };
  const stop = async () => {
    process.emit('SIGTERM');
    expect(await running).toBe(0);
  };
  undo.push(stop);
  const [serving] = await logged('serving pulls');
  return { logged, lines, port: Number(serving?.['port']), reload: () => process.emit('SIGHUP'), stop };
}

/** A trust server that takes connections and says nothing. */
async function startSilence(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => sockets.add(socket));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const pull = ({ port }: Served) => fetch(`http://127.0.0.1:${port}/v2/shop/web/manifests/1`);

test('a trust server that is down is named in the log by its address', async () => {
  configure();
  const served = await serve();
  await (await pull(served)).text();
  const [line] = await served.logged('trust could not be established');
  expect(line).toMatchObject({
    registry: 'registry.example.com',
    server: 'http://127.0.0.1:1/notary',
    reason: 'trust_unreachable',
    detail:
      'trust data of registry.example.com/shop/web cannot be read from http://127.0.0.1:1/notary: nothing listens there (ECONNREFUSED); see that it runs and that this host may connect to it, and check trust.server of this registry',
  });
});

test('a trust server that says nothing is named as well', async () => {
  const server = await startSilence();
  configure({ trust: { state: { kind: 'memory' }, pins: PINS, timeout: '200ms' } }, server);
  const served = await serve();
  await (await pull(served)).text();
  const [line] = await served.logged('trust could not be established');
  expect(line).toMatchObject({ server, reason: 'deadline_exceeded' });
});

test('what check warns of is in the log as it starts, and again only where a reload brings it', async () => {
  configure({ trust: { state: { kind: 'memory' }, firstUse: 'accept' } });
  const served = await serve();
  served.reload();
  await served.logged('configuration reloaded');
  configure({ trust: { state: { kind: 'memory' }, pins: PINS } });
  served.reload();
  await served.logged('configuration reloaded', 2);
  configure({ trust: { state: { kind: 'memory' }, firstUse: 'accept' } });
  served.reload();
  await served.logged('configuration reloaded', 3);
  await served.stop();
  const warned = await served.logged('the configuration is valid but weaker than it looks', 2);
  expect(served.lines.at(-3)).toBe(warned[1]);
  expect(warned.map(({ level, detail }) => [level, String(detail).replace(/ and with .*/, '')])).toEqual([
    ['warn', `${file}:30:9 policy.rules[0].match: no pin covers all of registry.example.com/**,`],
    ['warn', `${file}:30:9 policy.rules[0].match: no pin covers all of registry.example.com/**,`],
  ]);
});

test('each key that needs a restart is named', async () => {
  configure();
  const served = await serve();
  configure({
    listen: { address: '127.0.0.2', port: 0 },
    admin: { address: '127.0.0.1', port: 65_001, hosts: ['pullwarden'] },
    trust: { state: { kind: 'file', path: './state' }, pins: PINS, refresh: '30s' },
    log: { level: 'debug' },
  });
  served.reload();
  await served.logged('configuration reloaded');
  const { cert, key } = createCertified(['registry.example.com']);
  writeFileSync(join(folder, 'a.crt'), cert);
  writeFileSync(join(folder, 'a.key'), key);
  const certified = { cert: './a.crt', key: './a.key' };
  const connect = { certificates: [{ hosts: ['registry.example.com'], ...certified }] };
  configure({
    listen: { address: '127.0.0.1', port: 0, tls: { ...certified, clientCa: './a.crt' }, connect },
  });
  served.reload();
  await served.logged('configuration reloaded', 2);
  await served.stop();
  const warned = served.lines.filter(({ msg }) => msg.includes('restart to apply it'));
  expect(warned.map(({ level, key }) => `${level} ${key}`)).toEqual([
    'warn listen.address',
    'warn admin.port',
    'warn log.level',
    'warn trust.state.kind',
    'warn listen.tls',
    'warn listen.tls.clientCa',
    'warn listen.connect',
  ]);
});

test('a configuration that is gone is one sentence in the log, and so is an empty one', async () => {
  configure();
  const served = await serve();
  rmSync(file);
  served.reload();
  await served.logged('configuration not reloaded; the last good one stays in force');
  writeFileSync(file, '');
  served.reload();
  const lines = await served.logged('configuration not reloaded; the last good one stays in force', 2);
  expect(lines.map(({ detail }) => detail)).toEqual([
    `${file}: there is no such configuration file; put it back and send SIGHUP again`,
    `${file}: the configuration is empty; put it back and send SIGHUP again`,
  ]);
});

test('every fault of a configuration is in the log of a reload', async () => {
  configure();
  const served = await serve();
  configure({ admin: { port: -1 }, log: { level: 'loud' } });
  served.reload();
  const [line] = await served.logged('configuration not reloaded; the last good one stays in force');
  expect(String(line?.['detail']).split('\n')).toEqual([
    expect.stringContaining('admin.port: must be a port, not -1'),
    expect.stringContaining('log.level: must be one of'),
  ]);
});

test('stopping comes before stopped', async () => {
  configure();
  const served = await serve();
  await served.stop();
  expect(served.lines.map(({ msg }) => msg).slice(-2)).toEqual([
    'stopping: running pulls may finish',
    'stopped',
  ]);
});
