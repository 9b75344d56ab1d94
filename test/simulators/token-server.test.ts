import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bearerAccess, parseBasic, toBasic } from '../../proxy/demo/access.ts';
import { RegistryServer } from '../../proxy/demo/registry.ts';
import { json, send } from '../demo/http.ts';
import { TokenServer } from './token-server.ts';

let now = new Date('2026-11-21T10:00:00Z');
const users = {
  alice: { password: 'a:b', repositories: { 'team/app': ['pull', 'push'] } },
  root: { password: 'r', repositories: { '*': ['pull'] } },
};
const tokens = new TokenServer({ users, clock: () => now });
beforeAll(() => tokens.start());
afterAll(() => tokens.stop());

async function ask(
  query: string,
  authorization?: string,
): Promise<{ status: number; token: string; body: unknown }> {
  const headers = authorization === undefined ? {} : { Authorization: authorization };
  const reply = await send(`${tokens.realm}?${query}`, { headers });
  const body = json(reply) as { token?: string };
  return { status: reply.status, token: body.token ?? '', body };
}

const alice = toBasic('alice', 'a:b');

describe('tokens', () => {
  test('grant what the user may do of what was asked', async () => {
    const scope = 'scope=repository:team/app:pull,push,delete&scope=repository:team/other:pull';
    const { token, body } = await ask(`service=registry&account=alice&${scope}`, alice);
    expect(body).toMatchObject({ expires_in: 300, issued_at: now.toISOString(), access_token: token });
    expect(tokens.allows(token, 'team/app', 'pull')).toBe(true);
    expect(tokens.allows(token, 'team/app', 'push', 'registry')).toBe(true);
    expect(tokens.allows(token, 'team/app', 'delete')).toBe(false);
    expect(tokens.allows(token, 'team/other', 'pull')).toBe(false);
    expect(tokens.allows(token, 'team/app', 'pull', 'notary')).toBe(false);
    expect(tokens.knows(token)).toBe(true);
  });

  test('several scopes may stand in one parameter, and a name may carry a port', async () => {
    const { token } = await ask(
      `service=s&scope=repository:a:pull%20repository:localhost:5000/b:pull`,
      toBasic('root', 'r'),
    );
    expect(tokens.allows(token, 'a', 'pull')).toBe(true);
    expect(tokens.allows(token, 'localhost:5000/b', 'pull')).toBe(true);
  });

  test('expire, and can all be revoked', async () => {
    const query = 'service=s&scope=repository:team/app:pull';
    const { token } = await ask(query, alice);
    now = new Date(now.getTime() + 300_000);
    expect(tokens.knows(token)).toBe(false);
    const later = await ask(query, alice);
    tokens.revokeAll();
    expect(tokens.allows(later.token, 'team/app', 'pull')).toBe(false);
  });

  test('are refused to strangers and to wrong passwords', async () => {
    expect((await ask('service=s')).status).toBe(401);
    expect((await ask('service=s', toBasic('alice', 'a'))).status).toBe(401);
    expect((await ask('service=s', toBasic('bob', 'a:b'))).status).toBe(401);
    expect((await ask('service=s', 'Basic ???')).status).toBe(401);
  });

  test('are not had by POST, nor elsewhere', async () => {
    expect((await send(tokens.realm, { method: 'POST' })).status).toBe(405);
    expect((await send(`${tokens.url}/other`)).status).toBe(404);
  });
});

test('Basic credentials: the password may hold colons', () => {
  expect(parseBasic(alice)).toEqual({ username: 'alice', password: 'a:b' });
  expect(parseBasic('Basic YWxpY2U=')).toBeUndefined();
  expect(parseBasic('Bearer x')).toBeUndefined();
});

test('a registry behind tokens: challenge, right repository, wrong repository', async () => {
  const registry = new RegistryServer({ access: bearerAccess(tokens, 'registry.demo') });
  const base = await registry.start();
  registry.pushImage('team/app', '1');
  registry.pushImage('team/other', '1');
  const ping = await send(`${base}/v2/`);
  expect([ping.status, ping.headers['www-authenticate']]).toEqual([
    401,
    `Bearer realm="${tokens.realm}",service="registry.demo"`,
  ]);
  const { token } = await ask('service=registry.demo&scope=repository:team/app:pull', alice);
  const headers = { Authorization: `Bearer ${token}` };
  expect((await send(`${base}/v2/`, { headers })).status).toBe(200);
  expect((await send(`${base}/v2/team/app/manifests/1`, { headers })).status).toBe(200);
  const other = await send(`${base}/v2/team/other/manifests/1`, { headers });
  expect(other.headers['www-authenticate']).toContain(
    'scope="repository:team/other:pull",error="insufficient_scope"',
  );
  await registry.stop();
});
