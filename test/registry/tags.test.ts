/** A registry's tag list, page by page: where a walk ends, and what is no list. */
import { describe, expect, test } from '@jest/globals';
import { fetchTags, type TagsWanted, toLink, toTagList } from '../../proxy/registry/tags.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import { type Scripted, type ScriptedClient, scriptedClient } from '../upstream/scripted-client.ts';

const PATH = '/v2/team/app/tags/list';
const WHO = { authorization: 'Bearer a' };

type Answer = { readonly auth?: 'passthrough' | 'basic' | 'anonymous' };

const listOf = (tags: unknown, next?: string): Scripted => ({
  status: 200,
  headers: next === undefined ? {} : { link: `<${PATH}?${next}>; rel="next"` },
  body: JSON.stringify({ name: 'team/app', tags }),
});
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `t${String(from + at).padStart(6, '0')}`);

/** A registry whose pages are found by their query. */
const paged = (pages: Readonly<Record<string, Scripted>>) =>
  scriptedClient(({ path }) => pages[path.slice(PATH.length + 1)] ?? { status: 500 });
const queriesOf = (client: ScriptedClient) => client.asked.map(({ path }) => path.slice(PATH.length + 1));

const walk = (client: ScriptedClient, wanted: Partial<TagsWanted> = {}, isShown = (_tag: string) => true) =>
  fetchTags(client, { repository: 'team/app', n: undefined, last: undefined, ...wanted }, isShown, WHO);
const answered = (answer: Scripted, { auth = 'passthrough' }: Answer = {}) =>
  walk(scriptedClient(() => answer, { auth }));

test('each page is asked for as JSON, for the caller, with its right to pull', async () => {
  const client = paged({ 'n=1000': listOf(['a']) });
  expect(await walk(client)).toEqual({ kind: 'tags', tags: ['a'], isCut: false });
  expect(client.asked).toEqual([
    {
      method: 'GET',
      path: `${PATH}?n=1000`,
      headers: { accept: 'application/json' },
      scope: 'repository:team/app:pull',
      ...WHO,
    },
  ]);
});

test('names that are no tags, or not shown, are left out', async () => {
  const client = paged({ 'n=1000': listOf(['b', 'a', '.c', 5, null, 'd', ['e']]) });
  expect(await walk(client, {}, (tag) => tag !== 'd')).toMatchObject({ tags: ['a', 'b'] });
});

describe('what is no list', () => {
  test.each(['x', 'null', '5', '"tags"', '[]', '{}', '{"tags":{}}', '{"tags":"a"}'])(
    '%.30s',
    async (body) => {
      expect(await answered({ status: 200, body })).toEqual({
        kind: 'failed',
        reason: 'registry_unreachable',
        what: 'the registry sent something that is not a tag list',
        retryAfter: undefined,
      });
    },
  );

  test('a repository without tags has a list that is null', async () => {
    expect(await answered(listOf(null))).toEqual({ kind: 'tags', tags: [], isCut: false });
  });
});

describe('a registry that answers', () => {
  test.each([404, 429])('%i says it to everybody', async (status) => {
    for (const auth of ['passthrough', 'basic'] as const)
      expect(await answered({ status }, { auth })).toMatchObject({ kind: 'relayed', response: { status } });
  });

  test.each([401, 403])('%i says it to the caller, and nobody what our account may not', async (status) => {
    expect(await answered({ status })).toMatchObject({ kind: 'relayed', response: { status } });
    expect(await answered({ status }, { auth: 'basic' })).toMatchObject({
      kind: 'failed',
      what: `the registry answered ${status}`,
    });
  });

  test.each([201, 307, 400, 500])('%i gave no list', async (status) => {
    const client = scriptedClient(() => ({ status, headers: { 'retry-after': '7' }, body: 'x' }));
    expect(await walk(client)).toEqual({
      kind: 'failed',
      reason: 'registry_unreachable',
      what: `the registry answered ${status}`,
      retryAfter: '7',
    });
    expect(client.answered[0]?.destroyed).toBe(true);
  });

  test('nothing, is told apart from a fault of our own', async () => {
    const failing = (error: Error) =>
      walk(
        scriptedClient(() => {
          throw error;
        }),
      );
    expect(await failing(new UpstreamError('unreachable', 'x', { retryAfter: '9' }))).toEqual({
      kind: 'failed',
      reason: 'registry_unreachable',
      what: 'the registry did not give an answer (unreachable)',
      retryAfter: '9',
    });
    await expect(failing(new RangeError('ours'))).rejects.toThrow('ours');
  });

  test('something else on a later page, gave none at all', async () => {
    expect(await walk(paged({ 'n=1000': listOf(['a'], 'p=2') }))).toMatchObject({ kind: 'failed' });
  });
});

describe('a list is bounded', () => {
  const WITHOUT_END = { kind: 'failed', what: 'the registry sent a list without end' };

  const pages = (count: number) => {
    let at = 0;
    return scriptedClient(() => {
      at += 1;
      return listOf([`t${at}`], at < count ? `p=${at}` : undefined);
    });
  };

  test('in pages: 500 are read', async () => {
    expect(await walk(pages(500))).toMatchObject({ kind: 'tags' });
  });

  test('in pages: 501 are too many', async () => {
    expect(await walk(pages(501))).toMatchObject(WITHOUT_END);
  });

  test('in pages: none is read twice', async () => {
    expect(await walk(paged({ 'n=1000': listOf(['a'], 'n=1000') }))).toMatchObject(WITHOUT_END);
  });
});

describe('a client that asks for the names after one', () => {
  const FIRST = listOf(numbered(0, 100), 'p=2');
  const LAST = 't000500';
  const JUMP = `n=1000&last=${LAST}`;

  test('gets them from a jump, where the registry sorts', async () => {
    const client = paged({ 'n=1000': FIRST, [JUMP]: listOf(numbered(501, 503)) });
    expect(await walk(client, { n: 5, last: LAST })).toEqual({
      kind: 'tags',
      tags: ['t000501', 't000502'],
      isCut: false,
    });
    expect(queriesOf(client)).toEqual(['n=1000', JUMP]);
  });

  test('and goes on from there, no further than it needs', async () => {
    const client = paged({
      'n=1000': FIRST,
      [JUMP]: listOf(numbered(501, 503), 'p=9'),
      'p=9': listOf(numbered(503, 700), 'p=10'),
    });
    expect(await walk(client, { n: 3, last: LAST })).toEqual({
      kind: 'tags',
      tags: ['t000501', 't000502', 't000503'],
      isCut: true,
    });
    expect(queriesOf(client)).toEqual(['n=1000', JUMP, 'p=9']);
  });

  test.each([
    ['does not know the name', listOf(numbered(0, 5))],
    ['sends the name itself again', listOf([LAST, 't000501'])],
    ['fails', { status: 500 }],
  ])('walks every page, where the registry %s', async (_name, jump) => {
    const client = paged({ 'n=1000': FIRST, [JUMP]: jump, 'p=2': listOf(numbered(499, 503)) });
    expect(await walk(client, { n: 5, last: LAST })).toMatchObject({ tags: ['t000501', 't000502'] });
    expect(queriesOf(client)).toEqual(['n=1000', JUMP, 'p=2']);
  });

  test.each<[string, Partial<TagsWanted>, Scripted]>([
    ['no number', { last: LAST }, FIRST],
    ['no name', { n: 5 }, FIRST],
    ['a name that is on the first page', { n: 5, last: 't000050' }, FIRST],
    ['a registry that was not seen to sort', { n: 5, last: LAST }, listOf(numbered(0, 99), 'p=2')],
    ['a registry that does not sort', { n: 5, last: LAST }, listOf(numbered(0, 100).reverse(), 'p=2')],
  ])('never jumps with %s', async (_name, wanted, first) => {
    const client = paged({ 'n=1000': first, 'p=2': listOf(['z']) });
    expect(await walk(client, wanted)).toMatchObject({ kind: 'tags' });
    expect(queriesOf(client).filter((query) => query.includes('last'))).toEqual([]);
  });

  test('never jumps where one page is all', async () => {
    const client = paged({ 'n=1000': listOf(numbered(0, 100)) });
    expect(await walk(client, { n: 5, last: LAST })).toMatchObject({ tags: [] });
    expect(queriesOf(client)).toEqual(['n=1000']);
  });
});

describe('what the client gets', () => {
  const route = {
    kind: 'tags',
    repository: 'team/app',
    path: '/v2/docker.io/team/app/tags/list',
    n: 2,
    last: undefined,
    ns: undefined,
  } as unknown as Parameters<typeof toTagList>[1];

  test('is JSON, and a link where there are more', () => {
    const { status, headers, body } = toTagList({ tags: ['a', 'c', 'b'], isCut: true }, route);
    expect([status, String(body), Object.fromEntries(headers)]).toEqual([
      200,
      '{"name":"team/app","tags":["a","c","b"]}',
      {
        'Content-Type': 'application/json',
        'Content-Length': '40',
        'Docker-Distribution-Api-Version': 'registry/2.0',
        Link: '</v2/docker.io/team/app/tags/list?last=b&n=2>; rel="next"',
      },
    ]);
  });

  test('has no link where there are none, or no name to go on from', () => {
    expect(toTagList({ tags: ['a'], isCut: false }, route).headers.has('Link')).toBe(false);
    expect(toTagList({ tags: [], isCut: true }, route).headers.has('Link')).toBe(false);
  });

  test('has a link of what was asked for', () => {
    expect(toLink(route, 'x', undefined)).toBe('</v2/docker.io/team/app/tags/list?last=x>; rel="next"');
    expect(toLink({ ...route, ns: 'quay.io:443' }, 'x', 7)).toBe(
      '</v2/docker.io/team/app/tags/list?last=x&n=7&ns=quay.io%3A443>; rel="next"',
    );
  });
});
