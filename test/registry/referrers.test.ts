/** Referrers where the registry has no such route: who gets the index that stands in for it, and what is in it. */
import { describe, expect, test } from '@jest/globals';
import { MANIFEST_ACCEPT, OCI_INDEX } from '../../proxy/content/media-type.ts';
import type { Digest } from '../../proxy/names/reference.ts';
import {
  fetchTaggedReferrers,
  isRouteUnknown,
  type ReferrersRoute,
  referrersPath,
  refuseSubject,
  toReferrersIndex,
  toReferrersLink,
} from '../../proxy/registry/referrers.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import type { Response } from '../../proxy/wire/types.ts';
import { MANIFEST_TYPE, manifest, sha256 } from '../pull/harness.ts';
import { type Scripted, scriptedClient } from '../upstream/scripted-client.ts';

const ONE = manifest('one');
const SUBJECT = { repository: 'team/app', digest: ONE.digest };
const PATH = `/v2/team/app/manifests/${ONE.digest}`;
const WHO = { authorization: 'Bearer a' };
const REFUSAL = { status: 404, reasonPhrase: undefined, headers: new Map(), body: Buffer.of() } as Response;

const route = (more: Partial<ReferrersRoute> = {}) =>
  ({ ...SUBJECT, path: '/v2/docker.io/team/app/referrers/x', ...more }) as ReferrersRoute;

test('the registry is asked for what the client asked for', () => {
  const path = `/v2/team/app/referrers/${ONE.digest}`;
  expect(referrersPath(route())).toBe(path);
  expect(referrersPath(route({ artifactType: 'a/b+c' }))).toBe(`${path}?artifactType=a%2Fb%2Bc`);
  expect(referrersPath(route({ artifactType: 'a/b', page: 'p=2' }))).toBe(`${path}?p=2`);
});

test('a link leads back to us, and to no page we would not take', () => {
  const link = (query: string, more: Partial<ReferrersRoute> = {}) => toReferrersLink(route(more), query);
  expect(link('p=2')).toBe('</v2/docker.io/team/app/referrers/x?page=cD0y>; rel="next"');
  expect(link('p=2', { ns: 'q:1' })).toBe(
    '</v2/docker.io/team/app/referrers/x?page=cD0y&ns=q%3A1>; rel="next"',
  );
  expect(link('p="2"')).toBeUndefined();
});

test.each([
  [404, 'text/plain', true],
  [404, undefined, true],
  [404, 'application/problem', true],
  [404, 'application/jsonx', true],
  [404, 'text/application/json', true],
  [404, 'application/json', false],
  [404, 'Application/Vnd.x+JSON; charset=utf-8', false],
  [400, 'text/plain', false],
  [200, undefined, false],
])('a registry that answers %i as %s does not know the route: %s', (status, contentType, isUnknown) => {
  const headers = new Map(contentType === undefined ? [] : [['Content-Type', contentType]]);
  expect(isRouteUnknown({ ...REFUSAL, status, headers })).toBe(isUnknown);
});

describe('the index', () => {
  const listed = [{ artifactType: 'a/b' }, { artifactType: 'c/d' }, {}, null, 'artifactType', 5];
  const read = ({ body }: Response) => JSON.parse(String(body)) as unknown;

  test('lists all there is', () => {
    const response = toReferrersIndex(listed, undefined);
    expect(read(response)).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: listed });
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      200,
      {
        'Content-Type': OCI_INDEX,
        'Content-Length': String(response.body?.length),
        'Docker-Distribution-Api-Version': 'registry/2.0',
      },
    ]);
  });

  test('lists one artifact type, and says so', () => {
    const response = toReferrersIndex(listed, 'a/b');
    expect(read(response)).toMatchObject({ manifests: [{ artifactType: 'a/b' }] });
    expect(response.headers.get('OCI-Filters-Applied')).toBe('artifactType');
  });
});

describe('a caller', () => {
  const YES = { 'content-type': MANIFEST_TYPE };
  const NAMED = { ...YES, 'docker-content-digest': ONE.digest };
  /** What becomes of a caller: the index, the registry's refusal of the route, or a word of its own. */
  const fate = async (head: Scripted, get: Scripted = { status: 500 }) => {
    const client = scriptedClient(({ method }) => (method === 'HEAD' ? head : get));
    const found = await refuseSubject(client, SUBJECT, WHO, REFUSAL);
    const said = found === undefined ? 'index' : found === REFUSAL ? 'refusal' : found.status;
    return [said, client.asked.length];
  };

  test('is asked about with the subject itself', async () => {
    const client = scriptedClient(() => ({ status: 200, headers: YES, body: ONE.bytes }));
    expect(await refuseSubject(client, SUBJECT, WHO, REFUSAL)).toBeUndefined();
    const common = { path: PATH, scope: 'repository:team/app:pull', ...WHO };
    expect(client.asked).toEqual([
      { method: 'HEAD', headers: { accept: MANIFEST_ACCEPT }, ...common },
      { method: 'GET', headers: { accept: `${MANIFEST_ACCEPT}, */*` }, ...common },
    ]);
  });

  test.each<[string, Scripted, unknown, number]>([
    ['may read it', { status: 200, headers: NAMED }, 'index', 1],
    ['asks about what is not there', { status: 404 }, 'index', 1],
    ['is not let in', { status: 401 }, 401, 1],
    ['may not read it', { status: 403 }, 403, 1],
    ['asks too often', { status: 429 }, 429, 1],
    ['meets a page', { status: 404, headers: { 'content-type': 'text/html' } }, 'refusal', 1],
    [
      'meets a yes to another digest',
      { status: 200, headers: { ...YES, 'docker-content-digest': sha256('x') } },
      'refusal',
      1,
    ],
    ['meets another success', { status: 204, headers: NAMED }, 'refusal', 1],
    ['meets a redirect', { status: 307, headers: NAMED }, 'refusal', 1],
    ['meets a failure', { status: 500, headers: NAMED }, 'refusal', 1],
  ])('who %s', async (_name, head, said, asked) => {
    expect(await fate(head)).toEqual([said, asked]);
  });

  test.each<[string, Scripted, unknown]>([
    ['the bytes', { status: 200, headers: YES, body: ONE.bytes }, 'index'],
    ['other bytes', { status: 200, headers: YES, body: '{}' }, 'refusal'],
    ['a challenge', { status: 401 }, 401],
    ['a failure', { status: 500 }, 'refusal'],
  ])('who meets a yes without a digest, and then %s', async (_name, get, said) => {
    expect(await fate({ status: 200, headers: YES }, get)).toEqual([said, 2]);
  });

  test('whose question fails gets the refusal, and a fault of our own is none', async () => {
    const failing = (error: Error) =>
      refuseSubject(
        scriptedClient(() => {
          throw error;
        }),
        SUBJECT,
        WHO,
        REFUSAL,
      );
    expect(await failing(new UpstreamError('timeout', 'x'))).toBe(REFUSAL);
    await expect(failing(new RangeError('ours'))).rejects.toThrow('ours');
  });

  test('who is told no hears it with its challenge, and without a body', async () => {
    const headers = { 'www-authenticate': 'Bearer realm="r"', 'content-type': 'text/plain' };
    const client = scriptedClient(() => ({ status: 401, headers }));
    const found = await refuseSubject(client, SUBJECT, WHO, REFUSAL);
    expect([found?.headers.get('WWW-Authenticate'), found?.body?.length]).toEqual([['Bearer realm="r"'], 0]);
  });
});

describe('what a tag lists', () => {
  const INDEX = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ a: 1 }] });
  const YES: Scripted = { status: 200, headers: { 'content-type': OCI_INDEX }, body: INDEX };
  const listed = (answer: Scripted) =>
    fetchTaggedReferrers(
      scriptedClient(() => answer),
      SUBJECT,
      WHO,
    );

  test('is the index in it', async () => {
    const client = scriptedClient(() => YES);
    expect(await fetchTaggedReferrers(client, SUBJECT, WHO)).toEqual([{ a: 1 }]);
    expect(client.asked).toEqual([
      {
        method: 'GET',
        path: `/v2/team/app/manifests/${ONE.digest.replace(':', '-')}`,
        headers: { accept: OCI_INDEX },
        scope: 'repository:team/app:pull',
        ...WHO,
      },
    ]);
  });

  test('of a longer digest has its first 64 digits', async () => {
    const client = scriptedClient(() => YES);
    const digest = `sha512:${'0123456789abcdef'.repeat(8)}` as Digest;
    await fetchTaggedReferrers(client, { ...SUBJECT, digest }, WHO);
    expect(client.asked[0]?.path).toBe(`/v2/team/app/manifests/sha512-${'0123456789abcdef'.repeat(4)}`);
  });

  test.each<[string, Scripted]>([
    ['is not there', { ...YES, status: 404 }],
    ['comes with another status', { ...YES, status: 206 }],
    ['is an image', { status: 200, headers: { 'content-type': MANIFEST_TYPE }, body: ONE.bytes }],
    ['is no index', { ...YES, body: '{}' }],
    ['has another type', { ...YES, headers: { 'content-type': 'application/json' } }],
    ['is longer than a manifest', { ...YES, body: ' '.repeat(4 * 1024 * 1024 + 1) }],
  ])('is nothing where it %s', async (_name, answer) => {
    expect(await listed(answer)).toEqual([]);
  });

  test('is nothing where the registry fails, and a fault of our own is none', async () => {
    const failing = (error: Error) =>
      fetchTaggedReferrers(
        scriptedClient(() => {
          throw error;
        }),
        SUBJECT,
        WHO,
      );
    expect(await failing(new UpstreamError('timeout', 'x'))).toEqual([]);
    await expect(failing(new RangeError('ours'))).rejects.toThrow('ours');
  });
});
