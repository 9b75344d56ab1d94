/** Which headers of what streams by go on in either direction, and which answers go on at all. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { passageOf, toRequestHeaders, writeHeaders } from '../../proxy/forward/headers.ts';
import type { Forward, ForwardKind } from '../../proxy/forward/types.ts';
import type { Digest } from '../../proxy/names/reference.ts';
import type { ClientAuth, HttpClient } from '../../proxy/upstream/types.ts';

const DIGEST = `sha256:${'a'.repeat(64)}` as Digest;
const OTHER = `sha256:${'b'.repeat(64)}`;
const OTHER_512 = `sha512:${'b'.repeat(128)}`;
const KINDS: readonly ForwardKind[] = ['blob', 'referrers', 'tags', 'trust'];

type Of = { readonly kind?: ForwardKind; readonly auth?: ClientAuth['kind']; readonly digest?: Digest };

function forwardOf({ kind = 'blob', auth = 'passthrough', digest }: Of, more: Partial<Forward> = {}) {
  const client = { auth, baseUrl: new URL('https://registry.test:8443/base') } as HttpClient;
  return { kind, client, ...(digest === undefined ? {} : { digest }), ...more } as Forward;
}

const requestOf = (headers: Record<string, string>) => ({ headers }) as unknown as IncomingMessage;

/** An answer of an upstream at a public address; a list is a header on several lines. */
function answerOf(
  status: number | undefined,
  headers: Record<string, string | string[]> = {},
  remoteAddress = '93.184.216.34',
): IncomingMessage {
  const entries = Object.entries(headers);
  return {
    statusCode: status,
    headers: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])),
    headersDistinct: Object.fromEntries(entries.map(([name, value]) => [name, [value].flat()])),
    socket: { remoteAddress },
  } as unknown as IncomingMessage;
}

describe('towards the upstream', () => {
  const SENT = {
    accept: 'a/b',
    'user-agent': 'u',
    'if-range': '"x"',
    cookie: 'c',
    authorization: 'Basic client',
    'x-forwarded-for': '1.2.3.4',
    'accept-encoding': 'gzip',
    host: 'proxy.test',
    connection: 'upgrade',
    'if-none-match': '"x"',
  };

  test.each<[ForwardKind, object]>([
    ['blob', { accept: 'a/b', 'user-agent': 'u', 'if-range': '"x"' }],
    ['referrers', { accept: 'a/b', 'user-agent': 'u' }],
    ['tags', { accept: 'a/b', 'user-agent': 'u' }],
    ['trust', { 'user-agent': 'u' }],
  ])('of a request for %s go what it needs, and our own', (kind, expected) => {
    const own = { host: 'registry.test:8443', 'accept-encoding': 'identity' };
    expect(toRequestHeaders(requestOf(SENT), forwardOf({ kind }), undefined)).toStrictEqual({
      ...own,
      ...expected,
    });
    expect(toRequestHeaders(requestOf({}), forwardOf({ kind }), 'Bearer t')).toStrictEqual({
      ...own,
      authorization: 'Bearer t',
    });
  });

  test('goes one range, of a blob', () => {
    const rangeOf = (kind: ForwardKind, range: string) =>
      toRequestHeaders(requestOf({ range }), forwardOf({ kind }), undefined).range;
    expect(KINDS.map((kind) => rangeOf(kind, 'bytes=1-2'))).toEqual([
      'bytes=1-2',
      undefined,
      undefined,
      undefined,
    ]);
    expect(rangeOf('blob', 'bytes=1-2,4-5')).toBeUndefined();
  });

  test('goes If-None-Match of the very digest, alone', () => {
    const matchOf = (value: string, digest?: Digest) =>
      toRequestHeaders(requestOf({ 'if-none-match': value }), forwardOf(digest ? { digest } : {}), undefined)[
        'if-none-match'
      ];
    expect([matchOf(`"x", "${DIGEST}"`, DIGEST), matchOf('*', DIGEST), matchOf(`"${DIGEST}"`)]).toEqual([
      `"${DIGEST}"`,
      undefined,
      undefined,
    ]);
  });
});

describe('an answer', () => {
  const verdict = (answer: IncomingMessage, of: Of = {}, asked: Record<string, string> = {}): string => {
    const result = passageOf(answer, forwardOf(of), requestOf(asked));
    return result.kind === 'passes' ? 'passes' : `${result.kind} ${result.reason}: ${result.what}`;
  };
  const BAD = 'failed registry_unreachable: the upstream';

  test.each([
    [200, 'passes'],
    [400, 'passes'],
    [404, 'passes'],
    [499, 'passes'],
    [undefined, `${BAD} answered 0`],
    [201, `${BAD} answered 201`],
    [206, `${BAD} answered 206`],
    [299, `${BAD} answered 299`],
    [300, `${BAD} answered 300, a redirect`],
    [304, `${BAD} answered 304, a redirect`],
    [399, `${BAD} answered 399, a redirect`],
    [500, `${BAD} answered 500`],
    [503, `${BAD} answered 503`],
  ])('%s of any kind', (status, expected) => {
    for (const kind of KINDS) expect(verdict(answerOf(status), { kind })).toBe(expected);
  });

  test.each([401, 403])('%i is the caller’s, or that of our own account', (status) => {
    expect(verdict(answerOf(status))).toBe('passes');
    for (const auth of ['basic', 'anonymous'] as const)
      expect(verdict(answerOf(status), { auth })).toBe(`${BAD} refused our account (${status})`);
    expect(verdict(answerOf(404), { auth: 'basic' })).toBe('passes');
  });

  test('of 500 and above brings the upstream’s Retry-After', () => {
    const result = passageOf(answerOf(500, { 'retry-after': '7' }), forwardOf({}), requestOf({}));
    expect(result).toMatchObject({ kind: 'failed', retryAfter: '7' });
    expect(passageOf(answerOf(500), forwardOf({}), requestOf({}))).toMatchObject({ retryAfter: undefined });
  });

  test('in an encoding nobody asked for is none', () => {
    const encoded = (status: number, encoding: string) =>
      verdict(answerOf(status, { 'content-encoding': encoding }));
    expect(encoded(200, 'Identity')).toBe('passes');
    for (const status of [200, 404]) expect(encoded(status, 'gzip')).toBe(`${BAD} sent a compressed answer`);
  });

  test('that is a page of HTML is none, except as a blob', () => {
    const page = answerOf(200, { 'content-type': 'text/html; charset=utf-8' });
    expect(KINDS.map((kind) => verdict(page, { kind }))).toEqual([
      'passes',
      ...Array(3).fill(`${BAD} sent a page of HTML`),
    ]);
  });

  test.each([
    [DIGEST, true],
    [OTHER_512, true],
    [OTHER, false],
    ['sha512:short', false],
    ['evil', false],
  ])('that announces %s', (announced, passes) => {
    const answer = answerOf(200, { 'docker-content-digest': announced });
    expect(verdict(answer, { digest: DIGEST })).toBe(
      passes ? 'passes' : 'failed digest_mismatch: the registry announced another digest than was asked for',
    );
    expect(verdict(answer)).toBe('passes');
  });

  test('that announces nothing is compared by the client', () => {
    expect(verdict(answerOf(200), { digest: DIGEST })).toBe('passes');
  });

  test('206 is the part that was asked for', () => {
    const answer = answerOf(206, { 'content-range': 'bytes 0-1/10' });
    expect(verdict(answer, {}, { range: 'bytes=0-1' })).toBe('passes');
    expect(verdict(answer, {}, { range: 'bytes=1-2' })).toBe(`${BAD} answered 206`);
    expect(verdict(answer, { kind: 'tags' }, { range: 'bytes=0-1' })).toBe(`${BAD} answered 206`);
  });

  test('304 is for who named the digest', () => {
    const asked = { 'if-none-match': `"${DIGEST}"` };
    expect(verdict(answerOf(304), { digest: DIGEST }, asked)).toBe('passes');
    expect(verdict(answerOf(304), {}, asked)).toBe(`${BAD} answered 304, a redirect`);
    expect(verdict(answerOf(304), { digest: DIGEST }, { 'if-none-match': '*' })).toBe(
      `${BAD} answered 304, a redirect`,
    );
    expect(verdict(answerOf(304), { kind: 'trust', digest: DIGEST }, asked)).toBe(
      `${BAD} answered 304, a redirect`,
    );
  });

  test('a redirect leads a blob to a place for blobs', () => {
    const to = (location: string, peer?: string, status = 307) =>
      verdict(answerOf(status, { location }, peer)) === 'passes';
    expect([to('https://cdn.test/x'), to('https://registry.test/x'), to('http://10.0.0.5/')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(to('http://10.0.0.5/', '10.1.2.3')).toBe(true);
    expect(to('https://cdn.test/x', undefined, 300)).toBe(false);
    expect(verdict(answerOf(307, { location: 'https://cdn.test/x' }), { kind: 'referrers' })).toBe(
      `${BAD} answered 307, a redirect`,
    );
  });
});

describe('towards the client', () => {
  /** What a client gets in the end; `vary` is there before, as the application has it. */
  function written(answer: IncomingMessage, of: Of = {}, more: Partial<Forward> = {}) {
    const headers = new Map<string, unknown>([['vary', 'Authorization']]);
    const res = {
      setHeader: (name: string, value: unknown) => headers.set(name, value),
      removeHeader: (name: string) => headers.delete(name),
    };
    writeHeaders(answer, res as unknown as ServerResponse, forwardOf(of, more));
    return Object.fromEntries(headers);
  }
  const ALWAYS = { vary: 'Authorization', 'docker-distribution-api-version': 'registry/2.0' };

  test('go the headers that mean something to it', () => {
    const passed = {
      'accept-ranges': 'bytes',
      'content-length': '1',
      'content-type': 'a/b',
      'docker-ratelimit-source': 's',
      etag: '"e"',
      'last-modified': 'm',
      'oci-filters-applied': 'artifactType',
      'ratelimit-limit': '1',
      'ratelimit-remaining': '1',
      warning: '299 - "w"',
    };
    const dropped = {
      'set-cookie': 'c',
      connection: 'close',
      'content-range': 'bytes 0-1/2',
      location: 'https://evil.test/',
      link: '</x>; rel="next"',
      'www-authenticate': 'Basic realm="r"',
      'cache-control': 'public',
      'docker-content-digest': OTHER,
    };
    expect(written(answerOf(200, { ...passed, ...dropped }), { digest: DIGEST })).toStrictEqual({
      ...ALWAYS,
      ...passed,
    });
    expect(written(answerOf(200))).toStrictEqual(ALWAYS);
  });

  test('goes the digest that was asked for', () => {
    const announced = { 'docker-content-digest': DIGEST };
    expect(written(answerOf(200, announced), { digest: DIGEST })).toStrictEqual({ ...ALWAYS, ...announced });
    expect(written(answerOf(200, announced))).toStrictEqual(ALWAYS);
  });

  test('goes Retry-After as far as it can be read', () => {
    expect(written(answerOf(429, { 'retry-after': '7' }))['retry-after']).toBe('7');
    expect(written(answerOf(429, { 'retry-after': 'soon' }))['retry-after']).toBeUndefined();
    expect(written(answerOf(429, { 'retry-after': ['7', '7'] }))['retry-after']).toBeUndefined();
  });

  test.each([
    [200, false],
    [206, true],
    [404, false],
    [416, true],
  ])('Content-Range with %i: %s', (status, goes) => {
    const found = written(answerOf(status, { 'content-range': 'bytes 0-1/2' }));
    expect(found['content-range']).toBe(goes ? 'bytes 0-1/2' : undefined);
    expect('content-range' in written(answerOf(status))).toBe(false);
  });

  test.each([
    [200, false],
    [307, true],
    [404, false],
  ])('Location with %i: %s', (status, goes) => {
    const found = written(answerOf(status, { location: 'https://cdn.test/' }));
    expect(found['location']).toBe(goes ? 'https://cdn.test/' : undefined);
    expect('location' in written(answerOf(status))).toBe(false);
  });

  test('challenges go line by line, with 401 alone', () => {
    const lines = ['Bearer realm="a"', 'Basic realm="b"'];
    const answer = (status: number) => written(answerOf(status, { 'www-authenticate': lines }));
    expect([answer(401)['www-authenticate'], answer(403)['www-authenticate']]).toEqual([lines, undefined]);
    expect('www-authenticate' in written(answerOf(401))).toBe(false);
  });

  test('a link goes as one that leads back to us, or not at all', () => {
    const link = { link: '</next>; rel="next"' };
    const toLink = (text: string) => (text === link.link ? '</ours>' : undefined);
    expect(written(answerOf(200, link), {}, { toLink })['link']).toBe('</ours>');
    expect('link' in written(answerOf(200, { link: 'x' }), {}, { toLink })).toBe(false);
    const asked: string[] = [];
    written(answerOf(200), {}, { toLink: (text) => void asked.push(text) as undefined });
    expect(asked).toEqual([]);
  });

  test('refusals and redirects may not be kept', () => {
    const kept = (status: number) => written(answerOf(status))['cache-control'];
    expect([200, 206, 300, 304, 307, 404].map(kept)).toEqual([
      undefined,
      undefined,
      'no-store',
      undefined,
      'no-store',
      'no-store',
    ]);
  });

  test('what a trust server gives to everybody may be kept as it says', () => {
    const answer = (status = 200) => answerOf(status, { 'cache-control': 'public, max-age=60' });
    const open = { kind: 'trust', auth: 'anonymous' } as const;
    expect(written(answer(), open)).toStrictEqual({
      'docker-distribution-api-version': 'registry/2.0',
      'cache-control': 'public, max-age=60',
    });
    expect(written(answerOf(200), open)).toStrictEqual(ALWAYS);
    expect(written(answer(404), open)).toStrictEqual({ ...ALWAYS, 'cache-control': 'no-store' });
    for (const of of [
      { kind: 'trust', auth: 'basic' },
      { kind: 'trust', auth: 'passthrough' },
      { kind: 'blob', auth: 'anonymous' },
    ] as const)
      expect(written(answer(), of)).toStrictEqual(ALWAYS);
  });
});
