/** Configurations of images: which manifests have one, when it can be had, and what is kept of it. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  createImageConfigs,
  type HeldImageConfig,
  type ImageConfigs,
} from '../../proxy/registry/image-configs.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import { sha256 } from '../pull/harness.ts';
import { type Scripted, type ScriptedClient, scriptedClient } from '../upstream/scripted-client.ts';

const CONFIG = Buffer.from('{"os":"linux"}');
const DIGEST = sha256(CONFIG);
const WHO = { authorization: 'Bearer a', client: '10.0.0.1' };
const MAX_BYTES = 2 * 1024 * 1024;

let kept: Map<string, HeldImageConfig>;
let held: [string, string][];
let configs: ImageConfigs;
beforeEach(() => {
  kept = new Map();
  held = [];
  const toText = (key: { registry: string; repository: string; digest: string }) =>
    `${key.registry} ${key.repository} ${key.digest}`;
  configs = createImageConfigs({
    get: (key) => kept.get(toText(key)),
    set: (key, config) => void kept.set(toText(key), config),
    hold: (key, { bytes }, holder) => void held.push([`${toText(key)} ${bytes.length}`, holder]),
  });
});

const KEY = `reg team/app ${DIGEST}`;
const always = (answer: Scripted, auth?: 'basic') =>
  scriptedClient(() => answer, { peer: '93.184.216.34', ...(auth && { auth }) });
const YES: Scripted = { status: 200, body: CONFIG };
const manifestOf = (config: unknown) => ({ bytes: Buffer.from(JSON.stringify({ config })) });
const image = (size: unknown = CONFIG.length, digest: unknown = DIGEST) => manifestOf({ digest, size });
const hold = (client: ScriptedClient, manifest: { readonly bytes: Buffer } = image(), caller: object = WHO) =>
  configs.hold(client, 'team/app', manifest, caller);

test('is asked for as a blob, with the caller’s right to pull, and kept for whom it was asked', async () => {
  const client = always(YES);
  expect(await hold(client)).toBeUndefined();
  expect(client.asked).toEqual([
    {
      method: 'GET',
      path: `/v2/team/app/blobs/${DIGEST}`,
      scope: 'repository:team/app:pull',
      authorization: 'Bearer a',
      signal: expect.any(AbortSignal),
    },
  ]);
  expect(configs.recall(client, 'team/app', DIGEST)).toEqual(CONFIG);
  expect(configs.recall(client, 'team/other', DIGEST)).toBeUndefined();
  expect(held).toEqual([[`${KEY} ${CONFIG.length}`, '10.0.0.1']]);
  await hold(client, image(), {});
  expect([client.asked.length, held[1]]).toEqual([1, [`${KEY} ${CONFIG.length}`, '']]);
});

describe('is not asked for of', () => {
  test.each<[string, { readonly bytes: Buffer }]>([
    ['an index', { bytes: Buffer.from('{"manifests":[]}') }],
    ['no JSON', { bytes: Buffer.from('{') }],
    ['null', { bytes: Buffer.from('null') }],
    ['a configuration that is null', manifestOf(null)],
    ['a configuration that is a text', manifestOf('x')],
    ['no digest', manifestOf({ size: 1 })],
    ['a digest that is none', image(1, 'sha256:x')],
    ['a digest that is a list of one', image(1, [DIGEST])],
    ['no size', manifestOf({ digest: DIGEST })],
    ['a size that is a text', image('14')],
    ['a negative size', image(-1)],
    [
      'more values than are read',
      { bytes: Buffer.from(`{"config":{"digest":"${DIGEST}","size":14},"x":[${'1,'.repeat(60_000)}1]}`) },
    ],
  ])('%s', async (_name, manifest) => {
    const client = always(YES);
    expect(await hold(client, manifest)).toBeUndefined();
    expect(client.asked).toEqual([]);
  });
});

describe('cannot be had', () => {
  test.each<[string, Scripted, string, string]>([
    [
      'where it is gone',
      { status: 404 },
      'signed_digest_missing',
      'the registry does not have its configuration (any more)',
    ],
    [
      'where the registry fails',
      { status: 500 },
      'registry_unreachable',
      'the registry answered 500 for its configuration',
    ],
    [
      'where it is another one',
      { status: 200, body: '{"os":"other"}' },
      'digest_mismatch',
      'the registry sent other bytes than its configuration',
    ],
    [
      'where it is longer',
      { status: 200, body: `${CONFIG} ` },
      'digest_mismatch',
      'the registry sent other bytes than its configuration',
    ],
    [
      'where it is much longer',
      { status: 200, body: `${CONFIG}  ` },
      'registry_unreachable',
      'its configuration cannot be had from the registry (too_large)',
    ],
    [
      'where a redirect leads to this machine',
      { status: 307, headers: { location: 'http://127.0.0.1/' } },
      'registry_unreachable',
      'the registry answered 307 for its configuration',
    ],
    [
      'where an answer of another kind names a place',
      { status: 201, headers: { location: 'https://cdn.test/' } },
      'registry_unreachable',
      'the registry answered 201 for its configuration',
    ],
  ])('%s', async (_name, answer, reason, what) => {
    expect(await hold(always(answer))).toMatchObject({ kind: 'failed', reason, what });
    expect([kept.size, held]).toEqual([0, []]);
  });

  test.each([401, 403])('where the caller hears %i, which of our account is nobody’s', async (status) => {
    expect(await hold(always({ status }))).toMatchObject({ kind: 'relayed', response: { status } });
    expect(await hold(always({ status }, 'basic'))).toMatchObject({
      kind: 'failed',
      reason: 'registry_unreachable',
    });
  });

  test('where the registry is asked too often', async () => {
    for (const client of [always({ status: 429 }), always({ status: 429 }, 'basic')])
      expect(await hold(client)).toMatchObject({ kind: 'relayed', response: { status: 429 } });
  });

  test('before the registry’s own Retry-After', async () => {
    expect(await hold(always({ status: 503, headers: { 'retry-after': '7' } }))).toMatchObject({
      retryAfter: '7',
    });
    const failing = (error: Error) =>
      hold(
        scriptedClient(() => {
          throw error;
        }),
      );
    expect(await failing(new UpstreamError('timeout', 'x', { retryAfter: '9' }))).toEqual({
      kind: 'failed',
      reason: 'registry_unreachable',
      what: 'its configuration cannot be had from the registry (timeout)',
      retryAfter: '9',
    });
    await expect(failing(new RangeError('ours'))).rejects.toThrow('ours');
  });

  test('once the caller has left', async () => {
    expect(await hold(always(YES), image(), { ...WHO, signal: AbortSignal.abort() })).toMatchObject({
      what: 'its configuration cannot be had from the registry (timeout)',
    });
  });
});

describe('can be had, and is not kept', () => {
  test.each<[string, Scripted]>([
    ['where the registry has blobs elsewhere', { status: 307, headers: { location: 'https://cdn.test/' } }],
    [
      'where a private registry has them beside it',
      { status: 302, headers: { location: 'https://registry.test/' } },
    ],
  ])('%s', async (_name, answer) => {
    const client = always(answer);
    expect(await hold(client)).toBeUndefined();
    expect([kept.size, held, client.answered[0]?.destroyed]).toEqual([0, [], true]);
  });

  test('where it is longer than 2 MiB, unless the answer is a page', async () => {
    const client = always(YES);
    expect(await hold(client, image(MAX_BYTES + 1))).toBeUndefined();
    expect([kept.size, client.answered[0]?.destroyed]).toEqual([0, true]);
    const page = always({ status: 200, headers: { 'content-type': 'text/html' } });
    expect(await hold(page, image(MAX_BYTES + 1))).toMatchObject({ reason: 'registry_unreachable' });
    await hold(always(YES), image(MAX_BYTES));
    expect(kept.size).toBe(1);
  });
});

test('one of no bytes is one', async () => {
  const empty = sha256('');
  expect(await hold(always({ status: 200 }), image(0, empty))).toBeUndefined();
  expect(kept.has(`reg team/app ${empty}`)).toBe(true);
});
