import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Authority, createAuthority, type KeyPair } from './certificates.ts';
import { findFreePort, makeTempDir, onCleanUp, onFreePort, startService } from './process.ts';
import { programOf } from './programs.ts';

export interface NotaryServerOptions {
  /** The port clients use; a free one by default. */
  readonly port?: number;
  /**
   * Keys the server makes for timestamp and snapshot. The built-in signer makes ed25519 and ignores every wish;
   * ecdsa takes a separate notary-signer; rsa neither of them can (`CreateKey: unsupported algorithm: rsa`).
   */
  readonly serverKeys?: 'ed25519' | 'ecdsa';
}

export interface NotaryServer {
  /** `https://localhost:PORT` */
  readonly url: string;
  readonly port: number;
  /** The authority behind the server's certificate, PEM. */
  readonly caFile: string;
  log(): string;
  /** The exact bytes of one metadata file, for example `root.json`, `1.root.json`, `targets/releases.json`. */
  fetchFile(gun: string, file: string): Promise<{ readonly status: number; readonly body: Buffer }>;
  /** From now on connections to the port are refused and open ones are cut; the server keeps its memory. */
  suspend(): Promise<void>;
  /** Undoes `suspend`, on the same port. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts notary-server with memory storage behind TLS and a small forwarder that can play "server down". */
export async function startNotaryServer(options: NotaryServerOptions = {}): Promise<NotaryServer> {
  const folder = await makeTempDir('notary');
  const authority = await createAuthority(folder);
  const tls = await authority.issue('server', 'serverAuth');
  const ca = await readFile(authority.caFile);
  const trustService =
    options.serverKeys === 'ecdsa'
      ? await startSigner(folder, authority, tls)
      : { type: 'local', key_algorithm: 'ecdsa' };
  const [inner, service] = await onFreePort(async (port) => {
    const config = await writeServerConfig(folder, port, tls, trustService);
    const started = await startService({
      name: 'notary-server',
      command: programOf('notary-server'),
      args: ['-config', config],
      ready: async () => (await get(port, '/_notary_server/health', ca)).status === 200,
    });
    return [port, started] as const;
  });
  const door = await openDoor(options.port ?? (await findFreePort()), inner);
  return {
    url: `https://localhost:${door.port}`,
    port: door.port,
    caFile: authority.caFile,
    log: service.log,
    fetchFile: (gun, file) => get(inner, `/v2/${gun}/_trust/tuf/${file}`, ca),
    suspend: door.close,
    resume: door.open,
    stop: async () => {
      await door.close();
      await service.stop();
    },
  };
}

async function writeServerConfig(
  folder: string,
  port: number,
  tls: KeyPair,
  trustService: object,
): Promise<string> {
  const config = join(folder, `server-${port}.json`);
  const server = { http_addr: `127.0.0.1:${port}`, tls_key_file: tls.keyFile, tls_cert_file: tls.certFile };
  const settings = {
    server,
    trust_service: trustService,
    storage: { backend: 'memory' },
    logging: { level: 'info' },
  };
  await writeFile(config, JSON.stringify(settings));
  return config;
}

/** Starts notary-signer, which the server reaches over mutual TLS, and returns the server's settings for it. */
async function startSigner(folder: string, authority: Authority, tls: KeyPair): Promise<object> {
  const client = await authority.issue('client', 'clientAuth');
  const port = await onFreePort(async (free) => {
    const config = join(folder, `signer-${free}.json`);
    const server = {
      grpc_addr: `127.0.0.1:${free}`,
      tls_key_file: tls.keyFile,
      tls_cert_file: tls.certFile,
      client_ca_file: authority.caFile,
    };
    await writeFile(
      config,
      JSON.stringify({ server, storage: { backend: 'memory' }, logging: { level: 'info' } }),
    );
    await startService({
      name: 'notary-signer',
      command: programOf('notary-signer'),
      args: ['-config', config],
      ready: () => accepts(free),
    });
    return free;
  });
  return {
    type: 'remote',
    hostname: 'localhost',
    port: String(port),
    key_algorithm: 'ecdsa',
    tls_ca_file: authority.caFile,
    tls_client_cert: client.certFile,
    tls_client_key: client.keyFile,
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

function get(
  port: number,
  path: string,
  ca: Buffer,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const call = request({ host: 'localhost', port, path, ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    call.on('error', reject).end();
  });
}

interface Door {
  readonly port: number;
  open(): Promise<void>;
  close(): Promise<void>;
}

/** Forwards TCP from `port` to `target` while open; while closed the port refuses connections. */
async function openDoor(port: number, target: number): Promise<Door> {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): Socket =>
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));

  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (server !== undefined) return resolve();
      // Without noDelay every request waits for a delayed acknowledgement, 40 ms.
      server = createServer({ noDelay: true }, (near) => {
        const far = connect({ port: target, host: '127.0.0.1', noDelay: true });
        for (const socket of [near, far]) sockets.add(track(socket));
        near.pipe(far).pipe(near);
        // A server that ended refuses the far side; the near side must not wait for it.
        far.on('close', () => near.destroySoon());
      });
      server.on('error', reject).listen(port, '127.0.0.1', () => resolve());
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (server === undefined) return resolve();
      server.close(() => resolve());
      server = undefined;
      for (const socket of sockets) socket.destroy();
    });
  await open();
  onCleanUp(close);
  return { port, open, close };
}
