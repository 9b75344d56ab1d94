/** A balancer, a gateway or a login page answers in Notary's place: an outage, and never Notary's word. */
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createMemoryState } from '../../proxy/cache/state/memory-state.ts';
import { createTrustCache, type TrustCache } from '../../proxy/cache/trust-cache.ts';
import { NotaryServer } from '../../proxy/demo/notary/notary-server.ts';
import type { Fault } from '../../proxy/demo/simulated-server.ts';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import type { MetadataFile } from '../../proxy/trust-client/types.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import * as faults from '../simulators/faults.ts';
import { createWorld, FIRST_USE, fileOf, GUN, type World } from '../trust-client/kit.ts';

const envelope = (...codes: readonly string[]) =>
  JSON.stringify({ errors: codes.map((code) => ({ code, message: 'x', detail: null })) });

/** What Notary itself says of a file it does not have. */
const ABSENT: Readonly<Record<string, string>> = {
  'its envelope': envelope('METADATA_NOT_FOUND'),
  'its envelope, spaced': ` ${JSON.stringify(JSON.parse(envelope('METADATA_NOT_FOUND')), undefined, 2)}\n`,
  'the other name': envelope('NOT_FOUND'),
};

/** What others say, most of it seen in the field. */
const FOREIGN: Readonly<Record<string, string>> = {
  nothing: '',
  'a space': ' ',
  text: 'default backend - 404',
  page: '<html><body><h1>404 Not Found</h1></body></html>',
  'login page': '<!doctype html><title>Sign in</title>',
  null: 'null',
  number: '404',
  string: '"METADATA_NOT_FOUND"',
  array: '[]',
  'array of codes': '[{"code":"METADATA_NOT_FOUND"}]',
  'cut envelope': envelope('METADATA_NOT_FOUND').slice(0, -1),
  'envelope and a page': `${envelope('METADATA_NOT_FOUND')}<html>`,
  'page and an envelope': `<pre>${envelope('METADATA_NOT_FOUND')}</pre>`,
};

/** JSON objects: as an answer of 404 they are foreign too, as an answer of 200 they are for verification. */
const OBJECTS: Readonly<Record<string, string>> = {
  object: '{}',
  'gateway object': '{"message":"no Route matched with those values"}',
  'no errors': '{"errors":[]}',
  'errors by name': '{"errors":{"0":{"code":"METADATA_NOT_FOUND"}}}',
  'a code alone': '{"code":"METADATA_NOT_FOUND"}',
  'another code': envelope('NAME_UNKNOWN'),
  'a registry: unauthorized': envelope('UNAUTHORIZED'),
  'two codes': envelope('METADATA_NOT_FOUND', 'UNAVAILABLE'),
  'code in lower case': envelope('metadata_not_found'),
  'code inherited': '{"errors":[{"__proto__":{"code":"METADATA_NOT_FOUND"}}]}',
  'code as a list': '{"errors":[{"code":["METADATA_NOT_FOUND"]}]}',
  metadata: '{"signed":{},"signatures":[]}',
  'long envelope': envelope('METADATA_NOT_FOUND').padEnd(20_000),
};

const TYPES = [undefined, 'application/json; charset=utf-8', 'text/html', 'text/plain'];
const FILES: readonly MetadataFile[] = [
  { role: 'root' },
  { role: 'timestamp' },
  { role: 'root', version: 2 },
  { role: 'snapshot', sha256: 'ab'.repeat(32) },
  { role: 'targets/releases', sha256: 'ab'.repeat(32) },
];

function serverOf(status: number, type: string | undefined, body: string): HttpClient {
  const headers = new Map(type === undefined ? [] : [['content-type', [type]]]);
  const get = async () => ({ status, headers, body: Readable.from([Buffer.from(body)]) });
  return { get, baseUrl: new URL('https://notary.example.com') } as unknown as HttpClient;
}

/** `absent`, `bytes`, or the fault of the refusal. */
async function meaningOf(client: HttpClient, file: MetadataFile): Promise<string> {
  const limits = { maxBytes: 1024 * 1024, signal: new AbortController().signal };
  try {
    const bytes = await createNotarySource(client).fetch(GUN, file, limits);
    return bytes === undefined ? 'absent' : 'bytes';
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return error.isOutage ? error.code : `no outage: ${error.code}`;
  }
}

test('every status with every body, for every kind of file', async () => {
  const wrong: string[] = [];
  let rows = 0;
  const bodies = Object.entries({ ...ABSENT, ...FOREIGN, ...OBJECTS });
  for (let status = 200; status <= 599; status += 1) {
    for (const [what, body] of bodies) {
      const isObject = what in ABSENT || what in OBJECTS;
      const isMeant = { 200: isObject ? 'bytes' : undefined, 404: what in ABSENT ? 'absent' : undefined };
      const expected = isMeant[status as 200 | 404] ?? 'trust_unreachable';
      for (const type of TYPES) {
        for (const file of FILES) {
          rows += 1;
          const meaning = await meaningOf(serverOf(status, type, body), file);
          if (meaning !== expected) wrong.push(`${status} ${type} ${what} ${file.role}: ${meaning}`);
        }
      }
    }
  }
  expect(wrong.slice(0, 20)).toEqual([]);
  expect(rows).toBe(400 * bodies.length * TYPES.length * FILES.length);
}, 60_000);

describe('over a connection, for a repository that was verified', () => {
  let world: World;
  let server: NotaryServer;
  let client: HttpClient;
  let cache: TrustCache;

  const startCache = (state = createMemoryState()) =>
    createTrustCache({
      sourceFor: () => createNotarySource(client),
      pinFor: () => FIRST_USE,
      state,
      refreshMs: 60_000,
      timeoutMs: 5_000,
      now: () => world.now,
    });

  beforeEach(async () => {
    world = createWorld();
    server = new NotaryServer({ repositories: [world.repository] });
    const baseUrl = await server.start();
    const auth = { kind: 'anonymous' } as const;
    client = createHttpClient({ upstream: 'trust', kind: 'notary', baseUrl, auth, bodyIdleTimeoutMs: 200 });
    cache = startCache();
  });

  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  const page = (status: number, body = '<html>maintenance</html>'): Fault => {
    const bytes = Buffer.from(body);
    const headers = { 'Content-Type': 'text/html', 'Content-Length': String(bytes.length) };
    return () => ({ status, headers, body: bytes });
  };
  const half: Fault = (answer, { request, response }) => {
    // Without a length, so that only the text shows that it was cut.
    response.writeHead(200, { Connection: 'close' });
    response.write(answer.body.subarray(0, answer.body.length / 2));
    response.end(() => request.socket.end());
    return undefined;
  };
  const FAULTS: readonly (readonly [string, Fault])[] = [
    ['404 text/html', page(404)],
    ['404 with nothing', page(404, '')],
    ['404 with another JSON', page(404, '{"error":"not found"}')],
    ['404 that never ends', faults.inOrder(faults.status(404), faults.endlessBody())],
    ['404 that stops in its body', faults.inOrder(faults.status(404), faults.stallInBody(1))],
    ['200 text/html', page(200)],
    ['200 with nothing', page(200, '')],
    ['200 cut without a length', half],
    ['200 cut with a length', faults.cutInBody(10)],
    ['200 that never ends', faults.endlessBody()],
    ['503', page(503)],
  ];

  test.each(FAULTS)('%s: it goes on being served', async (_what, fault) => {
    expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified', path: 'cold' });
    server.fault('.json', fault);
    world.now = new Date(world.now.getTime() + 60_000);
    expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified', path: 'stale' });
  });

  test.each(FAULTS)('%s to any one file: never a word about the tag', async (_what, fault) => {
    for (const file of ['/root.json', '/timestamp.json', '/snapshot.', '/targets.']) {
      server.clearFaults();
      server.fault(file, fault);
      const outcome = await startCache().trustFor('docker.io', GUN);
      expect([file, outcome]).toMatchObject([
        file,
        { kind: 'failed', error: { code: 'trust_unreachable', fault: 'unreachable' } },
      ]);
    }
  });

  test.each(FAULTS)('%s is no proof that there is no newer root', async (_what, fault) => {
    const state = createMemoryState();
    expect(await startCache(state).trustFor('docker.io', GUN)).toMatchObject({ kind: 'verified' });
    server.fault('/2.root.json', fault);
    expect(await startCache(state).trustFor('docker.io', GUN)).toMatchObject({ path: 'stale' });
  });

  test('what Notary itself says still counts: the repository was taken away', async () => {
    await cache.trustFor('docker.io', GUN);
    server.remove(GUN);
    world.now = new Date(world.now.getTime() + 60_000);
    expect(await cache.trustFor('docker.io', GUN)).toMatchObject({ error: { code: 'no_trust_data' } });
  });

  test('metadata that somebody changed is a forgery, not an outage, by name and by hash', async () => {
    const forged = Buffer.from(fileOf(world, 'timestamp').toString().replace('"version":1', '"version":9'));
    for (const [file, bytes] of [
      ['/timestamp.json', forged],
      ['/snapshot.', Buffer.from('{"signed":{},"signatures":[]}')],
    ] as const) {
      server.clearFaults();
      server.fault(file, faults.otherBody(bytes));
      const outcome = await startCache().trustFor('docker.io', GUN);
      expect([file, outcome]).toMatchObject([file, { error: { code: 'metadata_invalid' } }]);
    }
  });
});
