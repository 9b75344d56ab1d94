/** Where a token may be asked for: which realms count, and what a refusal tells the operator to write. */
import { describe, expect, test } from '@jest/globals';
import {
  judgeRealm,
  nextStep,
  type RealmOptions,
  tokenServerOf,
} from '../../../proxy/upstream/account/realm.ts';
import { UpstreamError } from '../../../proxy/upstream/errors.ts';
import { parseChallenges } from '../../../proxy/wire/challenge.ts';

const KEY = 'registries[].tokenServer';

type Asked = Partial<Omit<RealmOptions, 'baseUrl'>> & { readonly at?: string };

function judge(realm: string | undefined, { at = 'https://reg.example', ...more }: Asked = {}) {
  const header = realm === undefined ? 'Bearer service="s"' : `Bearer realm="${realm}"`;
  const [challenge] = parseChallenges(header);
  if (challenge === undefined) throw new Error('the test wrote no challenge');
  const baseUrl = new URL(at);
  try {
    const { url, isNamed } = judgeRealm(
      { upstream: 'reg', baseUrl, tokenServer: undefined, hasAccount: false, key: KEY, ...more },
      challenge,
    );
    return { url: url.href, isNamed };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return `${error.kind}: ${error.message}`;
  }
}

const ADDRESS = (host: string) =>
  `bad_answer: reg: the token realm is the address ${host}; if it is the token server of reg, write ${KEY}: ${host}`;
const NOT_OURS = (host: string) =>
  `bad_answer: reg: the token realm ${host} is not the host our account may be shown to; if it is the token server of reg, write ${KEY}: ${host}`;

describe('what is no realm at all', () => {
  test.each([
    [undefined, 'the Bearer challenge names no usable realm'],
    ['', 'the Bearer challenge names no usable realm'],
    ['/token', 'the Bearer challenge names no usable realm'],
    ['//reg.example/token', 'the Bearer challenge names no usable realm'],
    ['ftp://reg.example/', 'the token realm is neither http nor https'],
    ['file:///etc/passwd', 'the token realm is neither http nor https'],
    ['https://u@reg.example/', 'the token realm carries a user name'],
    ['https://:p@reg.example/', 'the token realm carries a user name'],
    ['http://reg.example/token', 'the token realm on reg.example is not https although the upstream is'],
  ])('%s', (realm, why) => {
    expect(judge(realm)).toBe(`bad_answer: reg: ${why}`);
  });
});

describe('anonymously', () => {
  test.each(['https://auth.example/t', 'https://auth.example:8443/t', 'https://deep.auth.example/t'])(
    '%s may be asked where it is at a public address',
    (realm) => {
      expect(judge(realm)).toEqual({ url: realm, isNamed: false });
    },
  );

  test('an upstream without TLS may name a realm of either kind', () => {
    const at = 'http://reg.example';
    expect(judge('http://auth.example/t', { at })).toEqual({ url: 'http://auth.example/t', isNamed: false });
    expect(judge('https://auth.example/t', { at })).toEqual({
      url: 'https://auth.example/t',
      isNamed: false,
    });
  });

  test.each([
    ['https://127.0.0.1/t', '127.0.0.1'],
    ['https://2130706433:99/t', '127.0.0.1:99'],
    ['https://8.8.8.8/t', '8.8.8.8'],
    ['https://[::1]/t', '[::1]'],
    ['https://localhost/t', 'localhost'],
  ])('%s is an address that the operator did not name', (realm, host) => {
    expect(judge(realm)).toBe(ADDRESS(host));
  });

  test('the upstream itself is named: the same scheme, host and port', () => {
    expect(judge('https://reg.example/t')).toEqual({ url: 'https://reg.example/t', isNamed: true });
    expect(judge('https://127.0.0.1/t', { at: 'https://127.0.0.1' })).toMatchObject({ isNamed: true });
    expect(judge('https://reg.example:8443/t')).toMatchObject({ isNamed: false });
    expect(judge('http://127.0.0.1:81/t', { at: 'http://127.0.0.1' })).toBe(ADDRESS('127.0.0.1:81'));
  });

  test('tokenServer is named, beside the upstream', () => {
    const named = { tokenServer: '127.0.0.1:5001' };
    expect(judge('https://127.0.0.1:5001/t', named)).toMatchObject({ isNamed: true });
    expect(judge('https://reg.example/t', named)).toMatchObject({ isNamed: true });
    expect(judge('https://127.0.0.1:5002/t', named)).toBe(ADDRESS('127.0.0.1:5002'));
  });
});

describe('with an account', () => {
  const account = { hasAccount: true };

  test('the upstream itself is asked when no token server is known', () => {
    expect(judge('https://reg.example/t', account)).toMatchObject({ isNamed: true });
  });

  test.each([
    'https://auth.example/t',
    'https://reg.example:8443/t',
    'https://example/t',
    'https://127.0.0.1/t',
  ])('%s is not shown it', (realm) => {
    expect(judge(realm, account)).toBe(NOT_OURS(new URL(realm).host));
  });

  test('tokenServer alone is shown it, and the upstream no longer', () => {
    const named = { ...account, tokenServer: 'auth.example' };
    expect(judge('https://auth.example/t', named)).toMatchObject({ isNamed: true });
    expect(judge('https://reg.example/t', named)).toBe(NOT_OURS('reg.example'));
    expect(judge('https://auth.example:8443/t', named)).toBe(NOT_OURS('auth.example:8443'));
  });

  test("a port that is the scheme's own may be written or left out", () => {
    expect(judge('https://auth.example/t', { ...account, tokenServer: 'auth.example:443' })).toMatchObject({
      isNamed: true,
    });
    expect(
      judge('http://auth.example/t', {
        ...account,
        tokenServer: 'auth.example:80',
        at: 'http://reg.example',
      }),
    ).toMatchObject({ isNamed: true });
  });

  test('a tokenServer that is no authority names nothing', () => {
    expect(judge('https://auth.example/t', { ...account, tokenServer: 'a b' })).toBe(
      NOT_OURS('auth.example'),
    );
  });
});

describe('token servers that need not be configured', () => {
  test.each([
    ['https://registry-1.docker.io', 'auth.docker.io'],
    ['https://index.docker.io', 'auth.docker.io'],
    ['https://registry.hub.docker.com', 'auth.docker.io'],
    ['https://registry.gitlab.com', 'gitlab.com'],
  ])('%s has %s', (at, host) => {
    expect(tokenServerOf(new URL(at), undefined)).toBe(host);
    expect(judge(`https://${host}/t`, { at, hasAccount: true })).toMatchObject({ isNamed: true });
    expect(judge(`https://evil.${host}/t`, { at, hasAccount: true })).toBe(NOT_OURS(`evil.${host}`));
  });

  test.each([
    'http://registry-1.docker.io',
    'https://registry-1.docker.io:8443',
    'https://x.registry.gitlab.com',
  ])('%s has none', (at) => {
    expect(tokenServerOf(new URL(at), undefined)).toBeUndefined();
  });

  test('what is configured counts instead', () => {
    const at = 'https://registry-1.docker.io';
    expect(tokenServerOf(new URL(at), 'auth.example')).toBe('auth.example');
    expect(judge('https://auth.docker.io/t', { at, hasAccount: true, tokenServer: 'auth.example' })).toBe(
      NOT_OURS('auth.docker.io'),
    );
  });
});

test('the next step names the key of the configuration', () => {
  expect(nextStep({ upstream: 'reg', key: KEY }, new URL('https://auth.example:1/x?y'))).toBe(
    `if it is the token server of reg, write ${KEY}: auth.example:1`,
  );
});
