/** What of a registry's answers about a manifest goes on, and what a caller is told in place of the rest. */
import { describe, expect, test } from '@jest/globals';
import { MANIFEST_ACCEPT } from '../../proxy/content/media-type.ts';
import {
  fetchManifest,
  fetchSignedManifest,
  fetchTag,
  MAX_MANIFEST_BYTES,
} from '../../proxy/registry/manifest.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import { MANIFEST_TYPE, manifest, sha256 } from '../pull/harness.ts';
import { type Scripted, type ScriptedClient, scriptedClient } from '../upstream/scripted-client.ts';

const ONE = manifest('one');
const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1+json';
const YES: Scripted = { status: 200, headers: { 'content-type': MANIFEST_TYPE }, body: ONE.bytes };
const WHO = { authorization: 'Bearer a', signal: new AbortController().signal };

const signed = (client: ScriptedClient, length = ONE.length) =>
  fetchSignedManifest(client, 'team/app', { digest: ONE.digest, length }, WHO);
const byDigest = (client: ScriptedClient, isKnown = false, accept: string | undefined = 'a/b') =>
  fetchManifest(client, 'team/app', { digest: ONE.digest, accept, isKnown }, WHO);
const byTag = (client: ScriptedClient, method = 'GET', accept: string | undefined = 'a/b') =>
  fetchTag(client, 'team/app', { tag: 'v1', method, accept }, WHO);
const WAYS = [
  ['a signed tag', (client: ScriptedClient) => signed(client)],
  ['a digest', (client: ScriptedClient) => byDigest(client)],
  ['a tag no rule judges', (client: ScriptedClient) => byTag(client)],
] as const;

const always = (answer: Scripted, auth?: 'basic' | 'anonymous') =>
  scriptedClient(() => answer, auth === undefined ? {} : { auth });

describe('what is asked', () => {
  const common = { scope: 'repository:team/app:pull', ...WHO };

  test('for a signed tag is its digest, under our own types', async () => {
    const client = always(YES);
    expect(await signed(client)).toMatchObject({ kind: 'manifest', manifest: { digest: ONE.digest } });
    expect(client.asked).toStrictEqual([
      {
        method: 'GET',
        path: `/v2/team/app/manifests/${ONE.digest}`,
        headers: { accept: MANIFEST_ACCEPT },
        ...common,
      },
    ]);
  });

  test('for a digest is that, under the client’s own types', async () => {
    const client = always(YES);
    await byDigest(client);
    await fetchManifest(client, 'team/app', { digest: ONE.digest, accept: undefined, isKnown: true });
    expect(client.asked).toStrictEqual([
      {
        method: 'GET',
        path: `/v2/team/app/manifests/${ONE.digest}`,
        headers: { accept: 'a/b' },
        ...common,
      },
      {
        method: 'GET',
        path: `/v2/team/app/manifests/${ONE.digest}`,
        headers: { 'if-none-match': `"${ONE.digest}"` },
        scope: common.scope,
        authorization: undefined,
      },
    ]);
  });

  test('for a tag no rule judges is the tag, and HEAD stays HEAD', async () => {
    const headers = { ...YES.headers, 'docker-content-digest': ONE.digest, 'content-length': '7' };
    const client = always({ ...YES, headers });
    expect(await byTag(client, 'GET')).toMatchObject({ kind: 'manifest' });
    expect(await byTag(client, 'HEAD')).toEqual({
      kind: 'announced',
      digest: ONE.digest,
      mediaType: MANIFEST_TYPE,
      length: '7',
    });
    await fetchTag(client, 'team/app', { tag: 'v1', method: 'GET', accept: undefined });
    const path = '/v2/team/app/manifests/v1';
    expect(client.asked).toStrictEqual([
      { method: 'GET', path, headers: { accept: 'a/b' }, ...common },
      { method: 'HEAD', path, headers: { accept: 'a/b' }, ...common },
      { method: 'GET', path, headers: {}, scope: common.scope, authorization: undefined },
    ]);
  });
});

describe('HEAD of a tag no rule judges', () => {
  const FULL = {
    'content-type': MANIFEST_TYPE,
    'docker-content-digest': ONE.digest,
    'content-length': String(ONE.length),
  };
  const answered = async (headers: Readonly<Record<string, string>>, status = 200) => {
    const client = scriptedClient(({ method }) => (method === 'HEAD' ? { status, headers } : YES));
    return (await byTag(client, 'HEAD')).kind;
  };

  test.each([
    ['all there is to say', {}, 'announced'],
    ['schema 1', { 'content-type': `${SCHEMA_1}; q=1` }, 'announced'],
    ['a length of 8 digits', { 'content-length': '12345678' }, 'announced'],
    ['no digest', { 'docker-content-digest': undefined }, 'manifest'],
    ['a digest that is none', { 'docker-content-digest': 'sha256:x' }, 'manifest'],
    ['no type', { 'content-type': undefined }, 'manifest'],
    ['a type of no manifest', { 'content-type': 'text/html' }, 'manifest'],
    ['no length', { 'content-length': undefined }, 'manifest'],
    ['a length of nothing', { 'content-length': '0' }, 'manifest'],
    ['a length of 9 digits', { 'content-length': '123456789' }, 'manifest'],
    ['two lengths', { 'content-length': '7, 7' }, 'manifest'],
    ['a negative length', { 'content-length': '-7' }, 'manifest'],
    ['a length with a unit', { 'content-length': '7x' }, 'manifest'],
  ])('that says %s', async (_name, more, kind) => {
    const headers = Object.entries({ ...FULL, ...more }).filter((one) => one[1] !== undefined);
    expect(await answered(Object.fromEntries(headers) as Record<string, string>)).toBe(kind);
  });

  test('that is no 200 says nothing', async () => {
    for (const status of [201, 404, 500]) expect(await answered(FULL, status)).toBe('manifest');
  });
});

describe.each(WAYS)('a registry that is asked for %s', (name, ask) => {
  const isSigned = name === 'a signed tag';

  test.each([400, 405, 499])('and answers %i', async (status) => {
    const client = always({ status, body: '{}' });
    expect(await ask(client)).toMatchObject(
      isSigned
        ? { kind: 'failed', reason: 'registry_unreachable', what: `the registry answered ${status}` }
        : { kind: 'relayed', response: { status } },
    );
  });

  test.each([401, 403])('and answers %i is the caller’s, and our account nobody’s', async (status) => {
    expect(await ask(always({ status }))).toMatchObject({ kind: 'relayed', response: { status } });
    for (const auth of ['basic', 'anonymous'] as const)
      expect(await ask(always({ status }, auth))).toMatchObject({
        kind: 'failed',
        what: `the registry answered ${status}`,
      });
  });

  test('and is asked too often says so, to our own account as well', async () => {
    const busy = { status: 429, headers: { 'retry-after': '7' } };
    for (const client of [always(busy), always(busy, 'basic')])
      expect(await ask(client)).toMatchObject({ kind: 'relayed', response: { status: 429 } });
  });

  test.each([201, 206, 300, 304, 307, 399, 500, 503])('and answers %i has not answered', async (status) => {
    const client = always({ status, headers: { 'retry-after': '7' }, body: 'x' });
    expect(await ask(client)).toEqual({
      kind: 'failed',
      reason: 'registry_unreachable',
      what: `the registry answered ${status}`,
      retryAfter: '7',
    });
    expect(client.answered[0]?.destroyed).toBe(true);
  });

  test('and gives other bytes, or none, is not believed', async () => {
    for (const body of ['{}', ''])
      expect(
        await ask(always({ ...YES, headers: { ...YES.headers, 'docker-content-digest': ONE.digest }, body })),
      ).toMatchObject({ kind: 'failed', reason: 'digest_mismatch' });
  });

  test('and announces another digest is not believed', async () => {
    const headers = { ...YES.headers, 'docker-content-digest': sha256('other') };
    expect(await ask(always({ ...YES, headers }))).toMatchObject({ reason: 'digest_mismatch' });
  });

  test('and cannot be reached', async () => {
    const client = scriptedClient(() => {
      throw new UpstreamError('timeout', 'x', { retryAfter: '9' });
    });
    expect(await ask(client)).toEqual({
      kind: 'failed',
      reason: 'registry_unreachable',
      what: 'the registry did not give an answer (timeout)',
      retryAfter: '9',
    });
  });

  test('and meets a fault of our own, which is not the registry’s', async () => {
    const client = scriptedClient(() => {
      throw new RangeError('ours');
    });
    await expect(ask(client)).rejects.toThrow('ours');
  });

  test('and sends more than it may', async () => {
    const what = isSigned
      ? 'the registry sent more bytes than were signed'
      : 'the registry sent more than 4194304 bytes';
    const body = Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20);
    expect(await ask(always({ ...YES, body }))).toMatchObject({
      kind: 'failed',
      reason: 'digest_mismatch',
      what,
    });
  });
});

test('a signed manifest that is not there is missing, whoever asked', async () => {
  for (const client of [always({ status: 404, body: 'x' }), always({ status: 404, body: 'x' }, 'basic')]) {
    expect(await signed(client)).toEqual({
      kind: 'failed',
      reason: 'signed_digest_missing',
      what: 'the registry does not have the signed manifest (any more)',
    });
    expect(client.answered[0]?.destroyed).toBe(true);
  }
  for (const [, ask] of WAYS.slice(1))
    expect(await ask(always({ status: 404 }, 'basic'))).toMatchObject({ kind: 'relayed' });
});

test('a signed length above 4 MiB is never asked for', async () => {
  const client = always(YES);
  expect(await signed(client, MAX_MANIFEST_BYTES + 1)).toEqual({
    kind: 'failed',
    reason: 'digest_mismatch',
    what: 'the signed manifest is 4194305 bytes long, more than 4194304',
  });
  expect(client.asked).toEqual([]);
  await signed(client, MAX_MANIFEST_BYTES);
  expect(client.asked).toHaveLength(1);
});

test('304 is an answer to who has the digest', async () => {
  const client = always({ status: 304 });
  expect(await byDigest(client, true)).toEqual({ kind: 'unmodified' });
  expect(client.answered[0]?.destroyed).toBe(true);
  expect(await byDigest(client, false)).toMatchObject({ reason: 'registry_unreachable' });
  expect(await byDigest(always(YES), true)).toMatchObject({ kind: 'manifest' });
});

test('the caller’s signal ends the reading', async () => {
  const gone = { ...WHO, signal: AbortSignal.abort() };
  const target = { digest: ONE.digest, length: ONE.length };
  for (const result of [
    await fetchSignedManifest(always(YES), 'a', target, gone),
    await fetchManifest(always(YES), 'a', { digest: ONE.digest, accept: undefined, isKnown: false }, gone),
    await fetchTag(always(YES), 'a', { tag: 'v1', method: 'GET', accept: undefined }, gone),
  ])
    expect(result).toMatchObject({ what: 'the registry did not give an answer (timeout)' });
});
