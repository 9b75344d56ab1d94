/** How the challenges of an upstream are met: whom the proxy's own account is shown to, and what is remembered. */
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { createOwnAccount, type OwnAccountOptions } from '../../../proxy/upstream/account/own-account.ts';
import type { UpstreamResponse } from '../../../proxy/upstream/types.ts';
import type { Challenge } from '../../../proxy/wire/challenge.ts';

const SCOPE = 'repository:team/app:pull';
const ACCOUNT = { username: 'robot', password: () => 's3cret' };
const BASIC = `Basic ${Buffer.from('robot:s3cret').toString('base64')}`;

let time: number;
let asked: { readonly challenge: Challenge; readonly scope: string }[];
let kept: Map<string, string>;

beforeEach(() => {
  time = 1_000;
  asked = [];
  kept = new Map();
});

function accountOf(more: Partial<OwnAccountOptions> = {}) {
  return createOwnAccount({
    upstream: 'reg',
    baseUrl: new URL('https://reg.example:8443'),
    tokenServer: undefined,
    key: 'registries[].tokenServer',
    credentials: ACCOUNT,
    tokens: {
      cached: (scope) => kept.get(scope),
      fetch: async (challenge, scope) => {
        asked.push({ challenge, scope });
        return 'fetched';
      },
      forget: (scope) => void kept.delete(scope),
    },
    now: () => time,
    ...more,
  });
}

/** An answer, and whether its body was read to the end or thrown away. */
function answer(status: number, challenge?: string): UpstreamResponse & { readonly body: Readable } {
  const body = Readable.from([Buffer.from('body')]);
  const headers = new Map(challenge === undefined ? [] : [['www-authenticate', [challenge]]]);
  return { status, headers, body } as UpstreamResponse & { readonly body: Readable };
}

describe('a challenge', () => {
  test.each([200, 400, 403, 407, 404])('is none with status %s', async (status) => {
    const response = answer(status, 'Basic realm="r", Bearer realm="https://reg.example:8443/t"');
    expect(await accountOf().meet(response, { scope: SCOPE })).toBeUndefined();
    expect([response.body.destroyed, asked]).toEqual([false, []]);
  });

  test('for Bearer is met with a token for our own scope', async () => {
    const response = answer(401, 'Bearer realm="https://reg.example:8443/t",scope="repository:other:push"');
    expect(await accountOf().meet(response, { scope: SCOPE })).toBe('Bearer fetched');
    expect(asked).toMatchObject([{ scope: SCOPE, challenge: { scheme: 'bearer' } }]);
    expect(response.body.destroyed || response.body.readableEnded).toBe(true);
  });

  test('for Bearer without a scope asks for none', async () => {
    await accountOf().meet(answer(401, 'Bearer realm="https://reg.example:8443/t"'), {});
    expect(asked).toMatchObject([{ scope: '' }]);
  });

  test('for either is met with a token, so that the password goes to one host', async () => {
    const account = accountOf();
    const both = answer(401, 'Basic realm="r", Bearer realm="https://reg.example:8443/t"');
    expect(await account.meet(both, { scope: SCOPE })).toBe('Bearer fetched');
    expect(account.known(SCOPE)).toBeUndefined();
  });

  test('for Basic is met with the account, from then on unasked', async () => {
    const account = accountOf();
    expect(account.known(SCOPE)).toBeUndefined();
    const response = answer(401, 'Basic realm="r"');
    expect(await account.meet(response, { scope: SCOPE })).toBe(BASIC);
    expect(response.body.destroyed || response.body.readableEnded).toBe(true);
    expect([account.known(SCOPE), account.known('another')]).toEqual([BASIC, BASIC]);
  });

  test.each([undefined, '', 'Digest realm="r"', 'Negotiate'])('%p stands as it is', async (challenge) => {
    const response = answer(401, challenge);
    expect(await accountOf().meet(response, { scope: SCOPE })).toBeUndefined();
    expect(response.body.destroyed).toBe(false);
  });

  test('for Basic stands as it is without an account', async () => {
    const account = accountOf({ credentials: undefined });
    const response = answer(401, 'Basic realm="r"');
    expect(await account.meet(response, { scope: SCOPE })).toBeUndefined();
    expect([response.body.destroyed, account.known(SCOPE)]).toEqual([false, undefined]);
  });

  test('for Bearer is met without an account too', async () => {
    const account = accountOf({ credentials: undefined });
    expect(await account.meet(answer(401, 'Bearer realm="https://x/t"'), { scope: SCOPE })).toBe(
      'Bearer fetched',
    );
  });
});

describe('an account that is for a token server', () => {
  test.each(['auth.example', 'reg.example', 'reg.example:443'])(
    '%s is not shown to the upstream',
    async (named) => {
      const account = accountOf({ tokenServer: named });
      await expect(account.meet(answer(401, 'Basic realm="r"'), { scope: SCOPE })).rejects.toMatchObject({
        kind: 'denied',
        status: 401,
        message: `reg: asks for our account itself, which may be shown to ${named} alone; to show it to the upstream, write registries[].tokenServer: reg.example:8443`,
      });
      expect(account.known(SCOPE)).toBeUndefined();
    },
  );

  test.each([
    ['https://reg.example:8443', 'reg.example:8443'],
    ['https://reg.example', 'reg.example'],
    ['https://reg.example', 'reg.example:443'],
    ['http://reg.example', 'reg.example:80'],
  ])('is shown to the upstream when that is the one named: %s as %s', async (upstream, tokenServer) => {
    const account = accountOf({ baseUrl: new URL(upstream), tokenServer });
    expect(await account.meet(answer(401, 'Basic realm="r"'), { scope: SCOPE })).toBe(BASIC);
  });

  test('of Docker Hub is not shown to its registry', async () => {
    const account = accountOf({ baseUrl: new URL('https://registry-1.docker.io') });
    await expect(account.meet(answer(401, 'Basic realm="r"'), { scope: SCOPE })).rejects.toThrow(
      'auth.docker.io alone',
    );
  });
});

describe('what is remembered', () => {
  test('a token is sent without being asked, before the account', async () => {
    const account = accountOf();
    await account.meet(answer(401, 'Basic realm="r"'), { scope: SCOPE });
    kept.set(SCOPE, 'kept');
    expect([account.known(SCOPE), account.known('another')]).toEqual(['Bearer kept', BASIC]);
    account.forget(SCOPE);
    expect(account.known(SCOPE)).toBe(BASIC);
  });

  test('that a scope wants no credentials, for 60 s', () => {
    const account = accountOf();
    expect(account.isOpen(SCOPE)).toBe(false);
    account.rememberOpen(SCOPE);
    time += 59_999;
    expect([account.isOpen(SCOPE), account.isOpen('another')]).toEqual([true, false]);
    time += 1;
    expect(account.isOpen(SCOPE)).toBe(false);
  });

  test('until it is forgotten', () => {
    const account = accountOf();
    account.rememberOpen(SCOPE);
    account.forget(SCOPE);
    expect(account.isOpen(SCOPE)).toBe(false);
  });

  test('of 4,096 scopes; the one that was remembered longest ago goes', () => {
    const account = accountOf();
    for (let at = 0; at < 4096; at += 1) account.rememberOpen(`scope ${at}`);
    account.rememberOpen('scope 0');
    expect([account.isOpen('scope 0'), account.isOpen('scope 1')]).toEqual([true, true]);
    account.rememberOpen('one more');
    expect([account.isOpen('scope 0'), account.isOpen('scope 1'), account.isOpen('scope 2')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
