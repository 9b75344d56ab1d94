import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { basicAccess, bearerAccess, toBasic } from '../../../proxy/demo/access.ts';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../../proxy/demo/notary/notary-server.ts';
import { createTlsIdentity } from '../../simulators/tls-identity.ts';
import { TokenServer } from '../../simulators/token-server.ts';
import { json, send } from '../http.ts';

const GUN = 'docker.io/library/alpine';
const DIGEST = `sha256:${'ab'.repeat(32)}` as const;
const identity = createTlsIdentity();
const repository = new SimulatedRepository(GUN);
const server = new NotaryServer({ repositories: [repository], tls: identity });
let base: string;

const get = (path: string, method = 'GET') => send(`${base}${path}`, { method, ca: identity.ca });
const sha256 = (bytes: Uint8Array | undefined) =>
  createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');

beforeAll(async () => {
  repository.addDelegation('releases');
  repository.signAs('releases', '3.20', DIGEST, 1862);
  repository.publish();
  repository.rotateKey('root');
  await server.start();
  base = `https://localhost:${server.host.split(':')[1]}`;
});
afterAll(() => server.stop());
beforeEach(() => server.clearFaults());

test('the current file, over TLS with our own authority, exact bytes', async () => {
  for (const role of ['root', 'timestamp', 'snapshot', 'targets', 'targets/releases']) {
    const reply = await get(`/v2/${GUN}/_trust/tuf/${role}.json`);
    expect(reply.status).toBe(200);
    expect(reply.body.equals(repository.files.get(role) ?? new Uint8Array())).toBe(true);
    expect(reply.headers['cache-control']).toBe('public, max-age=300, s-maxage=300, must-revalidate');
  }
});

test('by hash: a suffix, in any case; by version: a prefix', async () => {
  const hash = sha256(repository.files.get('targets/releases'));
  for (const hex of [hash, hash.toUpperCase()]) {
    const reply = await get(`/v2/${GUN}/_trust/tuf/targets/releases.${hex}.json`);
    expect(sha256(reply.body)).toBe(hash);
    expect(reply.headers['cache-control']).toBe('public, max-age=2592000, s-maxage=2592000');
  }
  expect(
    (await get(`/v2/${GUN}/_trust/tuf/1.root.json`)).body.equals(
      repository.files.get('1.root') ?? Buffer.of(),
    ),
  ).toBe(true);
  expect(
    (await get(`/v2/${GUN}/_trust/tuf/2.root.json`)).body.equals(repository.files.get('root') ?? Buffer.of()),
  ).toBe(true);
});

test.each([
  ['an unknown repository', '/v2/docker.io/library/other/_trust/tuf/root.json', 'GET'],
  ['an unknown version', `/v2/${GUN}/_trust/tuf/3.root.json`, 'GET'],
  ['an unknown hash', `/v2/${GUN}/_trust/tuf/snapshot.${'0'.repeat(64)}.json`, 'GET'],
  ['an unknown role', `/v2/${GUN}/_trust/tuf/other.json`, 'GET'],
  ['HEAD', `/v2/${GUN}/_trust/tuf/root.json`, 'HEAD'],
  ['another path', '/v1/', 'GET'],
])('%s is 404 METADATA_NOT_FOUND', async (_name, path, method) => {
  const reply = await get(path, method);
  expect(reply.status).toBe(404);
  expect(reply.headers['content-type']).toBe('application/json; charset=utf-8');
  if (method === 'GET') expect(json(reply)).toMatchObject({ errors: [{ code: 'METADATA_NOT_FOUND' }] });
});

test('ping and health', async () => {
  expect(json(await get('/v2/'))).toEqual({});
  expect((await get('/_notary_server/health')).status).toBe(200);
});

test('a repository taken away is gone', async () => {
  const gun = 'docker.io/library/short';
  const short = new SimulatedRepository(gun);
  short.publish();
  server.add(short);
  expect((await get(`/v2/${gun}/_trust/tuf/root.json`)).status).toBe(200);
  server.remove(gun);
  expect((await get(`/v2/${gun}/_trust/tuf/root.json`)).status).toBe(404);
});

test('the certificate is refused by who does not know the authority', async () => {
  await expect(send(`${base}/v2/`)).rejects.toThrow(/certificate/);
});

test('Basic: 401 with a challenge until the password is right', async () => {
  const guarded = new NotaryServer({ repositories: [repository], access: basicAccess({ alice: 'secret' }) });
  const url = `${await guarded.start()}/v2/${GUN}/_trust/tuf/root.json`;
  const refused = await send(url);
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([
    401,
    'Basic realm="Pullwarden demo"',
  ]);
  expect((await send(url, { headers: { Authorization: toBasic('alice', 'wrong') } })).status).toBe(401);
  expect((await send(url, { headers: { Authorization: toBasic('alice', 'secret') } })).status).toBe(200);
  await guarded.stop();
});

test('Bearer: the challenge of the request itself leads to a token that works (notary-semantics.md §1.4)', async () => {
  const tokens = new TokenServer({ anonymous: { 'docker.io/library/*': ['pull'] } });
  await tokens.start();
  const guarded = new NotaryServer({
    repositories: [repository],
    access: bearerAccess(tokens, 'notary.demo'),
  });
  const url = `${await guarded.start()}/v2/${GUN}/_trust/tuf/root.json`;
  const refused = await send(url);
  const scope = `repository:${GUN}:pull`;
  expect(refused.headers['www-authenticate']).toBe(
    `Bearer realm="${tokens.realm}",service="notary.demo",scope="${scope}"`,
  );
  expect(json(refused)).toMatchObject({ errors: [{ code: 'UNAUTHORIZED' }] });
  const issued = json(await send(`${tokens.realm}?service=notary.demo&scope=${encodeURIComponent(scope)}`));
  const { token } = issued as { token: string };
  expect((await send(url, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200);
  const stale = await send(url, { headers: { Authorization: 'Bearer stale' } });
  expect(stale.headers['www-authenticate']).toContain('error="invalid_token"');
  await Promise.all([guarded.stop(), tokens.stop()]);
});
