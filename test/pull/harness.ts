/** The proxy in front of a scripted upstream, with trust data a test writes down as a table of signed tags. */
import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import { createApp } from '../../proxy/app.ts';
import { createAccessCache } from '../../proxy/cache/access-cache.ts';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';
import { createTrustFileCache } from '../../proxy/cache/trust-files.ts';
import { createForwarder } from '../../proxy/forward/forwarder.ts';
import type { Room } from '../../proxy/forward/room.ts';
import type { Digest } from '../../proxy/names/reference.ts';
import { createRegistryTable } from '../../proxy/names/registry-table.ts';
import type { Canary, Rule, TrustOutcome } from '../../proxy/policy/types.ts';
import type { PullConfig, PullDeps, TrustFile } from '../../proxy/pull/types.ts';
import { createPull } from '../../proxy/pull.ts';
import { createImageConfigs, type HeldImageConfig } from '../../proxy/registry/image-configs.ts';
import { createSignedManifests } from '../../proxy/registry/signed-manifests.ts';
import { createServer, type ServerOptions } from '../../proxy/server.ts';
import type { DecisionRecord } from '../../proxy/telemetry/decisions.ts';
import type { TrustedTarget, VerifiedTrust } from '../../proxy/trust-client/types.ts';
import type { BodyRoom } from '../../proxy/upstream/body-room.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { ClientAuth, HttpClient } from '../../proxy/upstream/types.ts';
import type { SignedManifest } from '../../proxy/wire/types.ts';
import { type Handler, type ScriptedUpstream, startUpstream } from '../upstream/upstream.ts';

export const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';
export const BASIC: ClientAuth = { kind: 'basic', username: 'robot', password: () => 's3cret' };

export type Signed = { readonly digest: Digest; readonly length: number };

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A small manifest; `label` makes it different from others. */
export function manifest(label: string): {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly length: number;
} {
  const config = {
    mediaType: 'application/vnd.docker.container.image.v1+json',
    size: 2,
    digest: sha256('{}'),
  };
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [], label }),
  );
  return { bytes, digest: sha256(bytes), length: bytes.length };
}

export function rule(overrides: Partial<Rule> = {}): Rule {
  return { name: 'all', match: '**', mode: 'enforce', signers: undefined, tagList: 'signed', ...overrides };
}

export const CANARY = { registry: 'docker.io', repository: 'team/canary', tag: 'never' } as const;

const EXPIRES = new Date('2030-01-01T00:00:00Z');

/** Verified trust in which exactly these tags are signed. */
export function verified(gun: string, tags: Readonly<Record<string, Signed>>): TrustOutcome {
  const targets = new Map(Object.entries(tags));
  const trust: VerifiedTrust = {
    gun: gun as VerifiedTrust['gun'],
    roles: [],
    expires: EXPIRES,
    firstToExpire: 'timestamp',
    target: (name): TrustedTarget | undefined => {
      const signed = targets.get(name);
      return signed && { ...signed, name, role: 'targets', signers: [], expires: EXPIRES };
    },
    tags: () => [...targets.keys()].sort(),
    tagsNear: () => [...targets.keys()].sort(),
  };
  return { kind: 'verified', trust, path: 'cache' };
}

export type ProxyOptions = {
  readonly handler?: Handler;
  /** Another upstream than the scripted one. */
  readonly upstreamUrl?: string;
  readonly auth?: ClientAuth;
  readonly tokenServer?: string;
  readonly rules?: readonly Rule[];
  readonly unmatched?: 'deny' | 'pass';
  readonly canary?: Canary;
  /** Signed tags, whatever the repository. */
  readonly signed?: Readonly<Record<string, Signed>>;
  readonly trustFor?: PullDeps['trustFor'];
  readonly record?: PullDeps['record'];
  readonly idleTimeoutMs?: number;
  readonly deadlineMs?: number;
  readonly trustServer?: HttpClient;
  readonly trustFiles?: PullDeps['trustFiles'];
  /** By which a right to read ages, in milliseconds. */
  readonly monotonic?: () => number;
  /** Remembers nothing from one request to the next. */
  readonly freshCaches?: boolean;
  /** For what waits for clients. */
  readonly room?: Room;
  /** For answers that are read as a whole; the process's own when absent. */
  readonly bodies?: BodyRoom;
  /** How the pull port listens. */
  readonly server?: Omit<ServerOptions, 'newRequestId'>;
  readonly address?: string;
};

export type RunningProxy = {
  readonly port: number;
  readonly upstream: ScriptedUpstream;
  readonly records: DecisionRecord[];
  readonly errors: unknown[];
  readonly answered: { readonly route: string; readonly code: number }[];
  /** How many connections the pull port has now. */
  connections(): Promise<number>;
  close(graceMs?: number): Promise<void>;
};

export const TABLE = createRegistryTable(
  [
    {
      name: 'docker.io',
      aliases: ['index.docker.io', 'registry-1.docker.io'],
      hosts: ['hub.proxy.test'],
      prefix: '/hub',
    },
    { name: 'quay.io', aliases: [], hosts: ['quay.proxy.test', 'quay.proxy.test:5050'] },
    { name: 'quay.io:8443', aliases: [], hosts: [] },
  ],
  'docker.io',
);

/** Registries: docker.io (default) and quay.io with an alias, a host name and a name with a port; one upstream. */
export async function startProxy(options: ProxyOptions = {}): Promise<RunningProxy> {
  const upstream = await startUpstream(options.handler ?? ((_req, res) => res.writeHead(404).end()));
  const names = ['docker.io', 'quay.io', 'quay.io:8443'];
  const auth = options.auth ?? { kind: 'passthrough' };
  const clients = names.map((name) =>
    createHttpClient({
      upstream: name,
      kind: 'registry',
      baseUrl: options.upstreamUrl ?? upstream.url,
      auth,
      ...(options.tokenServer === undefined ? {} : { tokenServer: options.tokenServer }),
      ...(options.bodies === undefined ? {} : { bodies: options.bodies }),
    }),
  );
  const config: PullConfig = {
    table: TABLE,
    policy: {
      unmatched: options.unmatched ?? 'deny',
      rules: options.rules ?? [rule()],
      canary: options.canary ?? CANARY,
    },
    registries: new Map(clients.map((client) => [client.upstream, client])),
    trustServers: new Map(options.trustServer === undefined ? [] : [['docker.io', options.trustServer]]),
    trustRefreshMs: 60_000,
  };
  const records: DecisionRecord[] = [];
  const errors: unknown[] = [];
  const answered: { route: string; code: number }[] = [];
  const access = createAccessCache(options.monotonic === undefined ? {} : { now: options.monotonic });
  const cacheBytes = options.freshCaches === true ? 1 : undefined;
  const reserve = options.freshCaches === true ? { maxBytes: 1 } : {};
  const pull = createPull({
    config: () => config,
    trustFor: options.trustFor ?? (async (_registry, gun) => verified(gun, options.signed ?? {})),
    manifests: createSignedManifests({
      store: createManifestCache<SignedManifest>(cacheBytes, { reserve }),
      access,
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    }),
    trustFiles: options.trustFiles ?? createTrustFileCache<TrustFile>(),
    imageConfigs: createImageConfigs(createManifestCache<HeldImageConfig>(cacheBytes, { reserve })),
    isGranted: access.isGranted,
    record: options.record ?? ((entry) => records.push(entry)),
    now: () => new Date('2026-11-21T00:00:00Z'),
    monotonic: () => performance.now(),
    onInternalError: (error) => errors.push(error),
  });
  const forwarder = createForwarder({
    idleTimeoutMs: options.idleTimeoutMs ?? 5000,
    ...(options.room === undefined ? {} : { room: options.room }),
  });
  let counter = 0;
  const newRequestId = (): string => `req-${counter++}`;
  const app = createApp({
    pull,
    forwarder,
    metrics: {
      requestStarted: () => () => undefined,
      requestAnswered: ({ route, code }) => answered.push({ route, code }),
    },
    newRequestId,
    onError: (error) => errors.push(error),
  });
  const server = createServer(app.callback(), { ...options.server, newRequestId });
  const port = await server.listen(0, options.address ?? '127.0.0.1');
  return {
    port,
    upstream,
    records,
    errors,
    answered,
    connections: () =>
      new Promise((resolve, reject) => {
        server.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    async close(graceMs = 0) {
      await server.close(graceMs);
      forwarder.close();
      await upstream.close();
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

export type Reply = {
  readonly status: number;
  readonly phrase: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** One request over a connection of its own; rejects when the answer is cut off. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          phrase: res.statusMessage ?? '',
          headers: res.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.on('error', reject);
    request.end();
  });
}

export function errorOf(reply: { readonly body: Buffer }): {
  code: string;
  message: string;
  detail: Record<string, unknown>;
} {
  return JSON.parse(reply.body.toString()).errors[0];
}

/**
 * Sends bytes exactly as they are, and gives back everything that came before the connection ended.
 *
 * @param step so many bytes in each packet; all at once when absent.
 */
export function sendRaw(port: number, bytes: string | Buffer, step?: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.setTimeout(3000, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    // After its answer the server may close while bytes are still on their way to it.
    socket.on('error', (error) => (chunks.length === 0 ? reject(error) : undefined));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    if (step === undefined) socket.write(bytes);
    else drip(socket, Buffer.from(bytes), step);
  });
}

/**
 * One packet for each turn of the loop, so that the receiver sees them one by one, until it answers: a newer Node refuses
 * some targets at their first wrong byte, and a write to a closed connection would lose the answer.
 */
function drip(socket: Socket, bytes: Buffer, step: number): void {
  socket.setNoDelay(true);
  const send = (at: number): void => {
    if (at >= bytes.length || socket.destroyed || socket.bytesRead > 0) return;
    socket.write(bytes.subarray(at, at + step));
    setImmediate(send, at + step);
  };
  send(0);
}
