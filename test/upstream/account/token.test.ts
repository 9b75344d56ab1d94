/** Tokens for an upstream: what a token server is asked, which answers hold one, and how long it is used. */
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Realm } from '../../../proxy/upstream/account/realm.ts';
import {
  authorizationOf,
  basicAuthorization,
  createTokenSource,
  type TokenOptions,
} from '../../../proxy/upstream/account/token.ts';
import { BodyRoom } from '../../../proxy/upstream/body-room.ts';
import { UpstreamError } from '../../../proxy/upstream/errors.ts';
import { parseChallenges } from '../../../proxy/wire/challenge.ts';

const SCOPE = 'repository:team/app:pull';
const ACCOUNT = { username: 'röbot', password: () => 's3cret' };
const BASIC = `Basic ${Buffer.from('röbot:s3cret').toString('base64')}`;

type Answer = {
  readonly statusCode?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** What the body ends with. */
  readonly failure?: Error;
};
type Asked = { readonly origin: string; readonly path: string; readonly headers: object };

let time: number;
let asked: (Asked & { readonly isNamed: boolean })[];
let observed: string[];
let dumped: number;
let answer: () => Answer | Promise<Answer>;
beforeEach(() => {
  time = 1_000_000;
  asked = [];
  observed = [];
  dumped = 0;
  answer = () => ({ body: '{"token":"t"}' });
});

function* pieces(body: string, failure: Error | undefined): Generator<Buffer> {
  if (body !== '') yield Buffer.from(body);
  if (failure !== undefined) throw failure;
}

function sourceOf(more: Partial<TokenOptions> = {}) {
  const dispatcherFor = ({ isNamed }: Realm) => ({
    request: async ({ origin, path, headers }: Asked) => {
      asked.push({ origin, path, headers, isNamed });
      const { statusCode = 200, headers: given = {}, body = '', failure } = await answer();
      const stream = Object.assign(Readable.from(pieces(body, failure)), {
        dump: async ({ limit }: { limit: number }) => {
          dumped += limit;
        },
      });
      return { statusCode, headers: given, body: stream };
    },
  });
  return createTokenSource({
    upstream: 'reg',
    baseUrl: new URL('https://reg.example'),
    tokenServer: undefined,
    key: 'registries[].tokenServer',
    accountKey: 'auth of this registry',
    credentials: undefined,
    dispatcherFor: dispatcherFor as unknown as TokenOptions['dispatcherFor'],
    maxBytes: 64 * 1024,
    timeoutMs: 1000,
    now: () => time,
    bodies: new BodyRoom(),
    observe: (outcome, seconds) => {
      observed.push(outcome === 'ok' ? 'ok' : outcome.kind);
      if (!(seconds >= 0 && seconds < 5)) observed.push(`in ${seconds} s`);
    },
    ...more,
  });
}

const challenge = (parameters = 'realm="https://reg.example/token"') => {
  const [found] = parseChallenges(`Bearer ${parameters}`);
  if (found === undefined) throw new Error('the test wrote no challenge');
  return found;
};
const fetchFrom = (more: Partial<TokenOptions> = {}, scope = SCOPE, parameters?: string) =>
  sourceOf(more).fetch(challenge(parameters), scope);
const ask = async (body: string) => {
  answer = () => ({ body });
  return await fetchFrom();
};

describe('a token server is asked', () => {
  const pathOf = async (parameters: string, more: Partial<TokenOptions> = {}, scope = SCOPE) => {
    await fetchFrom(more, scope, parameters);
    return asked.at(-1)?.path;
  };

  test('at its realm, for our own scope', async () => {
    expect(await fetchFrom()).toBe('t');
    expect(asked).toEqual([
      {
        origin: 'https://reg.example',
        path: '/token?scope=repository%3Ateam%2Fapp%3Apull',
        headers: { accept: 'application/json', 'accept-encoding': 'identity' },
        isNamed: true,
      },
    ]);
    expect(observed).toEqual(['ok']);
  });

  test('with the service it named, and never with its scope', async () => {
    const realm = 'realm="https://reg.example/t?a=1&scope=evil&service=old"';
    expect(await pathOf(`${realm},service="s",scope="evil"`)).toBe(
      '/t?a=1&service=s&scope=repository%3Ateam%2Fapp%3Apull',
    );
    expect(await pathOf(`${realm},scope="evil"`, {}, '')).toBe('/t?a=1&service=old');
    expect(await pathOf('realm="https://reg.example/t"', {}, '')).toBe('/t');
  });

  test('with our account, where there is one', async () => {
    const path = await pathOf('realm="https://reg.example/t"', { credentials: ACCOUNT }, '');
    expect([path, asked[0]?.headers]).toEqual([
      '/t?account=r%C3%B6bot',
      { accept: 'application/json', 'accept-encoding': 'identity', authorization: BASIC },
    ]);
  });

  test('elsewhere at a public address, and with an account nowhere else', async () => {
    const elsewhere = 'realm="https://auth.example/t"';
    expect(await fetchFrom({}, SCOPE, elsewhere)).toBe('t');
    expect(asked[0]?.isNamed).toBe(false);
    await expect(fetchFrom({ credentials: ACCOUNT }, SCOPE, elsewhere)).rejects.toMatchObject({
      kind: 'bad_answer',
    });
    expect([asked.length, observed]).toEqual([1, ['ok', 'bad_answer']]);
  });

  test('once by all who want the same scope at the same time', async () => {
    const source = sourceOf();
    const both = await Promise.all([source.fetch(challenge(), 'a'), source.fetch(challenge(), 'a')]);
    await source.fetch(challenge(), 'b');
    await source.fetch(challenge(), 'a');
    expect([both, asked.length]).toEqual([['t', 't'], 3]);
  });
});

describe('an answer', () => {
  test.each([
    ['{"token":"t"}', 't'],
    ['{"access_token":"a"}', 'a'],
    ['{"token":"t","access_token":"a"}', 't'],
    [`{"token":"${'x'.repeat(8192)}"}`, 'x'.repeat(8192)],
  ])('%.40s holds one', async (body, token) => {
    expect(await ask(body)).toBe(token);
  });

  test.each([
    '{}',
    'null',
    '5',
    '"token"',
    '[]',
    '{"token":""}',
    '{"token":5}',
    '{"token":["t"]}',
    '{"token":"a b"}',
    '{"token":" t"}',
    '{"token":"t "}',
    '{"token":"t\\r\\nx"}',
    '{"token":"ä"}',
    '{"__proto__":{"token":"t"}}',
    `{"token":"${'x'.repeat(8193)}"}`,
  ])('%.40s holds none', async (body) => {
    await expect(ask(body)).rejects.toMatchObject({
      kind: 'bad_answer',
      message: "reg: the token server's answer holds no token",
    });
    expect(observed).toEqual(['bad_answer']);
  });

  test('that is no JSON is not quoted', async () => {
    const failure = await ask('secret').catch((error: unknown) => error);
    expect(failure).toMatchObject({
      kind: 'bad_answer',
      message: "reg: the token server's answer is not JSON",
    });
    expect(failure).not.toHaveProperty('cause');
  });

  test('in an encoding nobody asked for is none', async () => {
    answer = () => ({ headers: { 'content-encoding': 'gzip' }, body: '{"token":"t"}' });
    await expect(fetchFrom()).rejects.toMatchObject({ kind: 'bad_answer' });
    answer = () => ({ headers: { 'content-encoding': 'identity' }, body: '{"token":"t"}' });
    expect(await fetchFrom()).toBe('t');
  });

  test('that is too long is none', async () => {
    answer = () => ({ body: '{"token":"t"}' });
    await expect(fetchFrom({ maxBytes: 12 })).rejects.toMatchObject({
      kind: 'too_large',
      message: 'reg (token server): the answer is longer than 12 bytes',
      about: { server: 'reg (token server)' },
    });
    expect(await fetchFrom({ maxBytes: 13 })).toBe('t');
  });

  test.each([
    [201, 'bad_answer'],
    [307, 'bad_answer'],
    [401, 'denied'],
    [403, 'denied'],
    [404, 'bad_answer'],
    [503, 'bad_answer'],
  ])('%i is %s', async (statusCode, kind) => {
    answer = () => ({ statusCode, headers: { 'Retry-After': '7' }, body: '{"token":"t"}' });
    await expect(fetchFrom()).rejects.toMatchObject({ kind, status: statusCode, retryAfter: '7' });
    expect([observed, dumped]).toEqual([[kind], 64 * 1024]);
  });
});

describe('a token server that cannot be reached', () => {
  const cut = () => Promise.reject(Object.assign(new Error('cut'), { code: 'ECONNREFUSED' }));

  test('and that nobody named may be a private one', async () => {
    answer = cut;
    await expect(fetchFrom({}, SCOPE, 'realm="https://auth.example/t"')).rejects.toMatchObject({
      kind: 'unreachable',
      message:
        'reg: the token realm auth.example cannot be reached at a public address; if it is the token server of reg, write registries[].tokenServer: auth.example',
      cause: expect.any(UpstreamError),
    });
  });

  test('and that was named is just that', async () => {
    answer = cut;
    await expect(fetchFrom()).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringMatching(/^reg \(token server\): .*ECONNREFUSED/),
    });
  });

  test('for another reason is just that', async () => {
    answer = () => ({ statusCode: 500 });
    await expect(fetchFrom({}, SCOPE, 'realm="https://auth.example/t"')).rejects.toMatchObject({
      kind: 'bad_answer',
      message: 'reg: the token server auth.example answered 500',
    });
  });
});

describe('a token server whose answer breaks off', () => {
  const cut = () => Object.assign(new Error('cut'), { code: 'ECONNRESET' });

  test.each([
    ['that was named', undefined],
    ['that nobody named, and that was reached all the same', 'realm="https://auth.example/t"'],
  ])('%s is named in what went wrong', async (_which, challenge) => {
    answer = () => ({ failure: cut() });
    await expect(fetchFrom({}, SCOPE, challenge)).rejects.toMatchObject({
      kind: 'unreachable',
      code: 'ECONNRESET',
      message: 'reg (token server): the connection was cut (ECONNRESET)',
      about: { server: 'reg (token server)' },
    });
    expect(observed).toEqual(['unreachable']);
  });

  test('for want of room here is at no fault', async () => {
    const bodies = new BodyRoom({ maxBytes: { more: 1 } });
    await expect(fetchFrom({ bodies })).rejects.toMatchObject({ kind: 'no_room', about: undefined });
  });
});

describe('a token is used', () => {
  /** For how many seconds it is given back. */
  const usedFor = async (lifetime: string) => {
    const source = sourceOf();
    answer = () => ({ body: `{"token":"t"${lifetime}}` });
    await source.fetch(challenge(), SCOPE);
    const began = time;
    let [low, high] = [0, 100_000];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      time = began + middle * 1000;
      if (source.cached(SCOPE) === undefined) high = middle;
      else low = middle;
    }
    return high;
  };

  test.each([
    ['', 50],
    [',"expires_in":300', 290],
    [',"expires_in":5', 50],
    [',"expires_in":-1', 50],
    [',"expires_in":"300"', 50],
    [',"expires_in":null', 50],
    [',"expires_in":1e999', 50],
    [',"expires_in":999999', 86_390],
  ])('with %s for %i s', async (lifetime, seconds) => {
    expect(await usedFor(lifetime)).toBe(seconds);
  });

  test('for its scope, until it is forgotten', async () => {
    const source = sourceOf();
    expect(source.cached('a')).toBeUndefined();
    await source.fetch(challenge(), 'a');
    expect([source.cached('a'), source.cached('b')]).toEqual(['t', undefined]);
    source.forget('b');
    expect(source.cached('a')).toBe('t');
    source.forget('a');
    expect(source.cached('a')).toBeUndefined();
  });

  test('by as many scopes as fit into 4 Mi characters; the oldest goes first', async () => {
    const source = sourceOf();
    // Each entry costs 1 Mi: the scope, a token of one character, and 128 more.
    const scopeOf = (name: string) => name.padStart(1024 * 1024 - 1 - 128, '0');
    const fetch = (name: string) => source.fetch(challenge(), scopeOf(name));
    const cached = () => ['a', 'b', 'c', 'd', 'e'].filter((name) => source.cached(scopeOf(name)));
    for (const name of ['a', 'b', 'c', 'd', 'd']) await fetch(name);
    expect(cached()).toEqual(['a', 'b', 'c', 'd']);
    source.forget(scopeOf('c'));
    await fetch('e');
    expect(cached()).toEqual(['a', 'b', 'd', 'e']);
    await fetch('c');
    expect(cached()).toEqual(['b', 'c', 'd', 'e']);
    await source.fetch(challenge(), 'small');
    expect(cached()).toEqual(['c', 'd', 'e']);
  });
});

describe('our account', () => {
  test('is shown as Basic', () => {
    expect([authorizationOf(ACCOUNT), authorizationOf(undefined)]).toEqual([{ authorization: BASIC }, {}]);
  });

  test('whose password cannot be read opens nothing', () => {
    const password = () => {
      throw new Error('ENOENT');
    };
    expect(() => basicAuthorization({ username: 'u', password })).toThrow(
      expect.objectContaining({ kind: 'denied' }),
    );
  });
});
