/**
 * Registries that send all of a large body but its last byte. Each request is within its own limit, and 64 run beside
 * each other for every upstream: what they hold together has one bound, and one upstream's bodies keep no other waiting.
 */
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createAccessCache } from '../../proxy/cache/access-cache.ts';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';
import type { Confirmed } from '../../proxy/content/confirmed.ts';
import { createSignedManifests } from '../../proxy/registry/signed-manifests.ts';
import { BODY_ROOM } from '../../proxy/upstream/body-room.ts';
import { createHttpClient } from '../../proxy/upstream/http-client.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { eventually } from '../listen/kit.ts';
import { MANIFEST_TYPE, sha256 } from '../pull/harness.ts';

const MIB = 1024 * 1024;
const BOUND = 32 * MIB;
/** One buffer for all, so that the attack costs the test nothing. */
const CHUNK = Buffer.alloc(64 * 1024, 'x');

let held = 0;
const clients: HttpClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  // A flight that everybody left ends in a moment.
  await eventually(() => held === 0 && BODY_ROOM.bytes === 0);
});

/** All but the last byte, as it is asked for. What was read counts as held until the body is over. */
function endless(length: number): Readable {
  let sent = 0;
  return new Readable({
    highWaterMark: 1,
    read() {
      const chunk = CHUNK.subarray(0, Math.min(CHUNK.length, length - 1 - sent));
      if (chunk.length === 0) return;
      sent += chunk.length;
      held += chunk.length;
      this.push(chunk);
    },
    destroy(error, done) {
      held -= sent;
      done(error);
    },
  });
}

type Said = { readonly length?: number };

/** An upstream that answers everything with such a body. */
function hostile(upstream: string, { length }: Said = { length: 4 * MIB }): HttpClient {
  const client = createHttpClient({
    upstream,
    kind: 'registry',
    baseUrl: 'http://127.0.0.1:9',
    auth: { kind: 'anonymous' },
  });
  clients.push(client);
  const headers = new Map([['content-type', [MANIFEST_TYPE]]]);
  if (length !== undefined) headers.set('content-length', [String(length)]);
  return Object.assign(client, {
    get: async () => ({
      status: 200,
      headers,
      body: endless(length ?? 4 * MIB).on('error', () => undefined),
    }),
  });
}

const HONEST = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: {}, layers: [] }),
);
function honest(upstream: string): HttpClient {
  return Object.assign(hostile(upstream), {
    get: async () => ({
      status: 200,
      headers: new Map([
        ['content-type', [MANIFEST_TYPE]],
        ['content-length', [String(HONEST.length)]],
      ]),
      body: Readable.from([HONEST]),
    }),
  });
}

function manifests(deadlineMs: number) {
  return createSignedManifests({
    store: createManifestCache<Confirmed>(),
    access: createAccessCache(),
    deadlineMs,
  });
}

/** 64 requests for different digests. */
function flood(fetching: ReturnType<typeof manifests>, client: HttpClient, gone?: AbortController[]) {
  return Array.from({ length: 64 }, (_, index) => {
    const question = { digest: sha256(Buffer.from(`${index}`)), accept: undefined, isKnown: false };
    const leaving = new AbortController();
    gone?.push(leaving);
    return fetching.fetchByDigest(client, 'team/app', question, { signal: leaving.signal });
  });
}

/** Waits until nothing more is read. */
async function settled(): Promise<void> {
  let last = -1;
  await eventually(() => {
    const isStill = last === held && held > 0;
    last = held;
    return isStill;
  });
}

describe.each<readonly [string, Said]>([
  ['that say how long they are', { length: 4 * MIB }],
  ['that do not say it', {}],
])('bodies %s', (_what, said) => {
  test('of several upstreams together are bounded, and refused in time', async () => {
    const fetching = manifests(1500);
    const results = ['a.example', 'b.example', 'c.example'].flatMap((name) =>
      flood(fetching, hostile(name, said)),
    );
    await settled();
    // Each read is a chunk ahead of its count at most, and its stream another one.
    expect(held).toBeLessThanOrEqual(BOUND + 2 * results.length * CHUNK.length);
    for (const result of await Promise.all(results))
      expect(result).toMatchObject({ kind: 'failed', reason: 'deadline_exceeded' });
  });

  test('of one upstream keep no other waiting', async () => {
    // Much longer than this test may take: the others are still waiting when this one is served.
    const fetching = manifests(600_000);
    const gone: AbortController[] = [];
    const results = flood(fetching, hostile('a.example', said), gone);
    await settled();
    const question = { digest: sha256(HONEST), accept: undefined, isKnown: false };
    const served = await fetching.fetchByDigest(honest('b.example'), 'team/app', question, {});
    expect(served).toMatchObject({ kind: 'manifest' });
    for (const client of gone) client.abort();
    await Promise.all(results);
  });
});
