/** `tags/list` shows what a pull would get. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  BASIC,
  errorOf,
  manifest,
  type ProxyOptions,
  type RunningProxy,
  rule,
  startProxy,
} from './harness.ts';

const SIGNED = manifest('s');
const signed = Object.fromEntries(['1.0', '1.1', '1.2', '2.0', 'gone'].map((tag) => [tag, SIGNED]));
const PATH = '/v2/library/app/tags/list';

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, signed, ...options });
  running.push(proxy);
  return proxy;
}

function listing(tags: unknown): Handler {
  return (_req, res) => res.end(JSON.stringify({ name: 'library/app', tags }));
}

/** Pages of two names, linked by `next` from each page's number to the header. */
function paged(next: (page: number) => string | undefined): Handler {
  const tags = ['2.0', 'unsigned', '1.1', '1.0', '1.2', 'x'];
  return (req, res) => {
    const page = Number(new URL(`http://h${req.url}`).searchParams.get('page') ?? 0);
    const link = next(page);
    if (link !== undefined) res.setHeader('link', link);
    res.end(JSON.stringify({ tags: tags.slice(page * 2, page * 2 + 2) }));
  };
}

async function names(port: number, path = PATH): Promise<unknown> {
  return JSON.parse((await ask(port, path)).body.toString()).tags;
}

describe('only signed tags that the registry has are listed', () => {
  test('sorted, without doubles, and without what is no tag', async () => {
    const { port, upstream } = await start(listing(['2.0', 'unsigned', '1.1', '1.1', '1.0', 7, '../x']));
    expect(await names(port)).toEqual(['1.0', '1.1', '2.0']);
    expect(upstream.received.map(({ url }) => url)).toEqual([`${PATH}?n=1000`]);
    const head = await ask(port, PATH, { method: 'HEAD' });
    expect([head.status, head.headers['content-length']]).toEqual([
      200,
      (await ask(port, PATH)).headers['content-length'],
    ]);
  });

  test('all pages are read, and followed only on the same list of the same registry', async () => {
    const { port } = await start(
      paged((page) => (page < 2 ? `<${PATH}?page=${page + 1}>; rel="next"` : undefined)),
    );
    expect(await names(port)).toEqual(['1.0', '1.1', '1.2', '2.0']);
    for (const target of [
      'http://evil.example/v2/library/app/tags/list?page=1',
      '/v2/library/other/tags/list?page=1',
      '/v2/_catalog?page=1',
      `${PATH}?page=1#x`,
      '//evil.example/?page=1',
    ]) {
      const other = await start(paged(() => `<${target}>; rel="next"`));
      expect(await names(other.port)).toEqual(['2.0']);
      expect(other.upstream.received).toHaveLength(1);
    }
  });

  test('an absolute link to the registry itself is followed', async () => {
    const proxy = await start(() => undefined);
    proxy.upstream.answer(
      paged((page) => (page < 2 ? `<${proxy.upstream.url}${PATH}?page=${page + 1}>; rel="next"` : undefined)),
    );
    expect(await names(proxy.port)).toEqual(['1.0', '1.1', '1.2', '2.0']);
  });

  test('pages that never end are an error', async () => {
    const { port } = await start(paged(() => `<${PATH}?page=1>; rel="next"`));
    expect((await ask(port, PATH)).status).toBe(502);
  });

  test('n and last are ours, and so is the link to the next page', async () => {
    const { port } = await start(listing(['1.0', '1.1', '1.2', '2.0']));
    const first = await ask(port, `${PATH}?n=2`);
    expect(first.headers['link']).toBe(`<${PATH}?last=1.1&n=2>; rel="next"`);
    const second = await ask(port, `${PATH}?last=1.1&n=2`);
    expect([JSON.parse(second.body.toString()).tags, second.headers['link']]).toEqual([
      ['1.2', '2.0'],
      undefined,
    ]);
    expect(await names(port, `${PATH}?n=0`)).toEqual([]);
    expect(await names(port, `${PATH}?last=`)).toEqual(['1.0', '1.1', '1.2', '2.0']);
    const prefixed = await ask(port, `/hub${PATH}?n=1`);
    expect(prefixed.headers['link']).toBe(`</hub${PATH}?last=1.0&n=1>; rel="next"`);
    const mirrored = await ask(port, `${PATH}?n=1&ns=docker.io`);
    expect(mirrored.headers['link']).toBe(`<${PATH}?last=1.0&n=1&ns=docker.io>; rel="next"`);
  });

  test('a repository without any is an empty list', async () => {
    const { port } = await start(listing(null));
    expect(await names(port)).toEqual([]);
  });

  test('tags that lack a required signer are not there', async () => {
    const { port } = await start(listing(['1.0']), {
      rules: [rule({ signers: { names: ['qa'], count: 1 } })],
    });
    expect(await names(port)).toEqual([]);
  });
});

describe('what is not a list', () => {
  test('the registry’s 401 and 404 go on; our own account’s 401 is 502', async () => {
    const refuse =
      (status: number): Handler =>
      (_req, res) =>
        res.writeHead(status, { 'www-authenticate': 'Bearer realm="r"' }).end('{"errors":[]}');
    const passthrough = await start(refuse(401));
    expect(await ask(passthrough.port, PATH)).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="r"' },
    });
    expect((await ask((await start(refuse(404))).port, PATH)).status).toBe(404);
    expect((await ask((await start(refuse(401), { auth: BASIC })).port, PATH)).status).toBe(502);
  });

  test.each<[string, Handler]>([
    ['no JSON', (_req, res) => res.end('<html>')],
    ['no tags', (_req, res) => res.end('{"name":"x"}')],
    ['tags that are no list', listing({ a: 1 })],
    ['a redirect', (_req, res) => res.writeHead(302, { location: '/' }).end()],
    ['20 MiB', (_req, res) => res.end(Buffer.alloc(20 * 1024 * 1024, 'x'))],
  ])('%s is 502', async (_name, handler) => {
    const { port, records } = await start(handler);
    const reply = await ask(port, PATH);
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'registry_unreachable']);
    expect(records.map(({ reason }) => reason)).toEqual(['registry_unreachable']);
  });

  test('a repository whose trust data fails is refused with that reason', async () => {
    const error = new TrustError('no_trust_data', 'absent', 'x');
    const { port, upstream } = await start(listing([]), {
      trustFor: async () => ({ kind: 'failed', error, path: 'cold' }),
    });
    expect(errorOf(await ask(port, PATH)).detail['reason']).toBe('no_trust_data');
    expect(upstream.received).toEqual([]);
  });
});

describe('the registry’s whole list', () => {
  test.each([
    ['off', { rules: [rule({ mode: 'off' })] }],
    ['audit', { rules: [rule({ mode: 'audit' })] }],
    ['tagList: all', { rules: [rule({ tagList: 'all' })] }],
    ['an open default', { rules: [], unmatched: 'pass' }],
  ] as const)('passes under %s, with its paging led back here', async (_name, options) => {
    const { port, upstream } = await start((_req, res) => {
      res.setHeader('link', `<${PATH}?last=b&n=2>; rel="next"`);
      res.end('{"tags":["a","b"]}');
    }, options);
    const reply = await ask(port, `/v2/docker.io/library/app/tags/list?n=2&last=A`);
    expect(reply.headers['link']).toBe('</v2/docker.io/library/app/tags/list?last=b&n=2>; rel="next"');
    expect(upstream.received[0]?.url).toBe(`${PATH}?n=2&last=A`);
  });

  test('a link elsewhere does not go on', async () => {
    const { port } = await start(
      (_req, res) => res.writeHead(200, { link: '<http://evil.example/x?last=b>; rel="next"' }).end('{}'),
      { rules: [rule({ mode: 'off' })] },
    );
    expect((await ask(port, PATH)).headers['link']).toBeUndefined();
  });
});
