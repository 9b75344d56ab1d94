/** Who is given a manifest from memory, who is asked about first, and what is remembered of an answer. */
import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createAccessCache } from '../../proxy/cache/access-cache.ts';
import { createManifestCache } from '../../proxy/cache/manifest-cache.ts';
import type { Confirmed } from '../../proxy/content/confirmed.ts';
import { MANIFEST_ACCEPT } from '../../proxy/content/media-type.ts';
import {
  type Asking,
  createSignedManifests,
  type ManifestStore,
  type SignedManifests,
} from '../../proxy/registry/signed-manifests.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import { MANIFEST_TYPE, manifest } from '../pull/harness.ts';
import {
  type Asked,
  type Scripted,
  type ScriptedClient,
  scriptedClient,
} from '../upstream/scripted-client.ts';

const ONE = manifest('one');
const TARGET = { digest: ONE.digest, length: ONE.length };
const YES: Scripted = {
  status: 200,
  headers: { 'content-type': MANIFEST_TYPE, 'docker-content-digest': ONE.digest },
  body: ONE.bytes,
};
const ALICE: Asking = { authorization: 'Bearer alice', client: '10.0.0.1' };
const BOB: Asking = { authorization: 'Bearer bob', client: '10.0.0.2' };

let held: string[];
let seen: string[];
let shared: number;
let manifests: SignedManifests;
const cache = () => createManifestCache<Confirmed>();
function create(deadlineMs?: number, store: ManifestStore = cache()): SignedManifests {
  return createSignedManifests({
    store: {
      get: (key) => store.get(key),
      set: (key, value) => store.set(key, value),
      hold: (key, value, holder) => {
        held.push(`${key.registry} ${key.repository} ${key.digest === value.digest} ${holder}`);
        store.hold(key, value, holder);
      },
    },
    access: createAccessCache(),
    onCache: (result) => seen.push(result),
    onShared: () => {
      shared += 1;
    },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
}
beforeEach(() => {
  held = [];
  seen = [];
  shared = 0;
  manifests = create();
});

const fetch = (client: ScriptedClient, who = ALICE, target = TARGET) =>
  manifests.fetch(client, 'team/app', target, who);
const always = (answer: Scripted = YES, auth: 'passthrough' | 'basic' = 'passthrough') =>
  scriptedClient(() => answer, { auth });
const methods = (client: ScriptedClient) => client.asked.map(({ method }) => method);
const KEPT = { kind: 'manifest', manifest: { digest: ONE.digest } };

describe('a signed manifest', () => {
  test('is fetched for the caller, and held for the client that asked', async () => {
    const client = always();
    expect(await fetch(client)).toMatchObject(KEPT);
    expect(client.asked).toMatchObject([
      { method: 'GET', authorization: 'Bearer alice', signal: expect.any(AbortSignal) },
    ]);
    expect([held, seen]).toEqual([['reg team/app true 10.0.0.1'], ['miss']]);
  });

  test('comes from memory for who was let in, and is held again', async () => {
    const client = always();
    await fetch(client);
    expect(await fetch(client, { authorization: 'Bearer alice' })).toMatchObject(KEPT);
    expect([methods(client), seen, held[1]]).toEqual([['GET'], ['miss', 'hit'], 'reg team/app true ']);
  });

  test('comes from memory for somebody else after one question, which names it', async () => {
    const client = always();
    await fetch(client);
    expect(await fetch(client, BOB)).toMatchObject(KEPT);
    expect(client.asked[1]).toMatchObject({
      method: 'HEAD',
      path: `/v2/team/app/manifests/${ONE.digest}`,
      headers: { accept: MANIFEST_ACCEPT },
      scope: 'repository:team/app:pull',
      authorization: 'Bearer bob',
    });
    await fetch(client, BOB);
    expect(methods(client)).toEqual(['GET', 'HEAD']);
  });

  test.each<[string, Scripted]>([
    ['a no', { status: 403, headers: YES.headers ?? {} }],
    ['another success', { status: 204, headers: YES.headers ?? {} }],
    ['a yes without the digest', { status: 200, headers: { 'content-type': MANIFEST_TYPE } }],
    ['a yes without headers', { status: 200 }],
    [
      'a yes to another digest',
      { status: 200, headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } },
    ],
    [
      'a page that names the digest',
      { status: 200, headers: { 'docker-content-digest': ONE.digest, 'content-type': 'text/html' } },
    ],
  ])('is not given from memory after %s', async (_name, head) => {
    const client = scriptedClient(({ method, authorization }: Asked) =>
      authorization === 'Bearer alice' ? YES : method === 'HEAD' ? head : { status: 401 },
    );
    await fetch(client);
    expect(await fetch(client, BOB)).toMatchObject({ kind: 'relayed', response: { status: 401 } });
    expect(methods(client)).toEqual(['GET', 'HEAD', 'GET']);
  });

  test('is not given from memory when the question fails', async () => {
    const client = scriptedClient(({ method, authorization }: Asked) => {
      if (authorization === 'Bearer alice') return YES;
      throw method === 'HEAD' ? new RangeError('ours') : new UpstreamError('unreachable', 'x');
    });
    await fetch(client);
    expect(await fetch(client, BOB)).toMatchObject({ reason: 'registry_unreachable' });
  });

  test('is given to all from memory where our own account reads', async () => {
    const client = always(YES, 'basic');
    await fetch(client);
    expect(await fetch(client, BOB)).toMatchObject(KEPT);
    expect(methods(client)).toEqual(['GET']);
  });

  test('of another length is never the one in memory', async () => {
    const client = always();
    await fetch(client);
    expect(await fetch(client, ALICE, { ...TARGET, length: ONE.length + 1 })).toMatchObject({
      reason: 'digest_mismatch',
    });
    expect(methods(client)).toEqual(['GET', 'GET']);
  });

  test('of another repository is another one', async () => {
    const client = always();
    await fetch(client);
    await manifests.fetch(client, 'team/other', TARGET, ALICE);
    expect(methods(client)).toEqual(['GET', 'GET']);
  });

  test('that could not be had is neither kept nor held', async () => {
    const client = always({ status: 404 });
    await fetch(client);
    await fetch(client);
    expect([methods(client), held, manifests.recall(client, 'team/app', ONE.digest, ALICE)]).toEqual([
      ['GET', 'GET'],
      [],
      undefined,
    ]);
  });

  test('is not asked for when no time is left', async () => {
    manifests = create(0);
    const client = always();
    expect(await fetch(client)).toEqual({
      kind: 'failed',
      reason: 'deadline_exceeded',
      what: 'the registry did not answer in time',
    });
    expect(client.asked).toEqual([]);
  });

  test('has what the question for the right to read left of its time', async () => {
    const now = jest.spyOn(performance, 'now');
    const client = scriptedClient(({ method }: Asked) => {
      if (method === 'HEAD') now.mockReturnValue(performance.now() + 15_000);
      return { ...YES, status: method === 'HEAD' ? 403 : 200 };
    });
    try {
      await fetch(client);
      expect(await fetch(client, BOB)).toMatchObject({ reason: 'deadline_exceeded' });
    } finally {
      now.mockRestore();
    }
    expect(methods(client)).toEqual(['GET', 'HEAD']);
  });
});

describe('who asks at the same time', () => {
  test('with the same credentials, or through our own account, shares one question', async () => {
    for (const [client, second] of [
      [always(), { ...BOB, authorization: 'Bearer alice' }],
      [always(YES, 'basic'), BOB],
    ] as const) {
      manifests = create();
      await Promise.all([fetch(client), fetch(client, second)]);
      expect(client.asked).toHaveLength(1);
    }
    expect(shared).toBe(2);
  });

  test('with other credentials, for another repository, digest or length, does not', async () => {
    const client = always();
    const two = manifest('two');
    await Promise.all([
      fetch(client),
      fetch(client, BOB),
      fetch(client, ALICE, { ...TARGET, length: 1 }),
      fetch(client, ALICE, { digest: two.digest, length: two.length }),
      manifests.fetch(client, 'team/other', TARGET, ALICE),
    ]);
    expect([client.asked.length, shared]).toEqual([5, 0]);
  });

  test('by digest shares a question with the same types and the same "I have it"', async () => {
    const client = always();
    const question = { digest: ONE.digest, accept: undefined, isKnown: false };
    const ask = (more: object = {}) =>
      manifests.fetchByDigest(client, 'team/app', { ...question, ...more }, ALICE);
    await Promise.all([
      ask(),
      ask(),
      ask({ accept: 'a/b' }),
      ask({ accept: 'c/d' }),
      ask({ isKnown: true }),
      fetch(client),
    ]);
    expect([client.asked.length, shared]).toEqual([5, 1]);
  });
});

describe('by digest', () => {
  const question = { digest: ONE.digest, accept: 'a/b', isKnown: false };

  test('a manifest is asked for as the client does, kept, and its reader remembered', async () => {
    const client = always();
    expect(await manifests.fetchByDigest(client, 'team/app', question, ALICE)).toMatchObject(KEPT);
    expect(client.asked).toMatchObject([{ headers: { accept: 'a/b' }, authorization: 'Bearer alice' }]);
    expect(await fetch(client)).toMatchObject(KEPT);
    expect(methods(client)).toEqual(['GET']);
  });

  test('is recalled for who was let in, and for all where our own account reads', async () => {
    const recall = (client: ScriptedClient, who = ALICE) =>
      manifests.recall(client, 'team/app', ONE.digest, who)?.digest;
    const client = always();
    await fetch(client);
    seen.length = 0;
    expect([recall(client), recall(client, BOB), recall(always(YES, 'basic'), BOB)]).toEqual([
      ONE.digest,
      undefined,
      ONE.digest,
    ]);
    expect(seen).toEqual(['hit', 'miss', 'hit']);
    expect(manifests.recall(client, 'team/other', ONE.digest, ALICE)).toBeUndefined();
  });

  test('what our own account reads lets no caller in', async () => {
    await fetch(always(YES, 'basic'));
    expect(manifests.recall(always(), 'team/app', ONE.digest, ALICE)).toBeUndefined();
  });
});

describe('a tag no rule judges', () => {
  const question = { tag: 'v1', method: 'GET', accept: undefined };

  test('is asked for each time, and nothing of it is kept', async () => {
    const client = always();
    expect(await manifests.fetchByTag(client, 'team/app', question, ALICE)).toMatchObject(KEPT);
    await manifests.fetchByTag(client, 'team/app', question, ALICE);
    expect(client.asked).toMatchObject([
      { authorization: 'Bearer alice', signal: expect.any(AbortSignal) },
      { authorization: 'Bearer alice' },
    ]);
    expect(manifests.recall(client, 'team/app', ONE.digest, ALICE)).toBeUndefined();
  });

  test('that comes too late is late, and one that fails has failed', async () => {
    manifests = create(5);
    const hanging = scriptedClient(() => YES);
    const client = {
      ...hanging,
      get: (_path: string, { signal }: { signal: AbortSignal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new UpstreamError('timeout', 'x')));
        }),
    } as unknown as ScriptedClient;
    expect(await manifests.fetchByTag(client, 'team/app', question, ALICE)).toMatchObject({
      reason: 'deadline_exceeded',
    });
    manifests = create();
    expect(await manifests.fetchByTag(always({ status: 500 }), 'team/app', question, ALICE)).toMatchObject({
      reason: 'registry_unreachable',
    });
  });
});
