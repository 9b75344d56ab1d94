/** What is asked of a Notary server, and what becomes of a status, without a server (notary-semantics.md §1.1, §1.3). */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import { createNotarySource } from '../../proxy/trust-client/notary-source.ts';
import type { FetchLimits, MetadataFile } from '../../proxy/trust-client/types.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { GUN, refusal } from './kit.ts';

type Asked = { readonly path: string; readonly scope: string; readonly headers: object };

function serverOf(status: number, body = '') {
  const asked: Asked[] = [];
  const bodies: Readable[] = [];
  const get = async (path: string, { scope, headers }: Asked) => {
    asked.push({ path, scope, headers });
    const stream = Readable.from([Buffer.from(body)]);
    bodies.push(stream);
    return { status, headers: new Map(), body: stream };
  };
  return {
    client: { get, baseUrl: new URL('https://notary.example.com') } as unknown as HttpClient,
    asked,
    bodies,
  };
}

function fetchFrom(client: HttpClient, file: MetadataFile, limits: Partial<FetchLimits> = {}) {
  const signal = new AbortController().signal;
  return createNotarySource(client).fetch(GUN, file, { maxBytes: 10, signal, ...limits });
}

test.each<[MetadataFile, string]>([
  [{ role: 'timestamp' }, 'timestamp.json'],
  [{ role: 'root' }, 'root.json'],
  [{ role: 'root', version: 3 }, '3.root.json'],
  [{ role: 'snapshot', sha256: 'ab' }, 'snapshot.ab.json'],
  [{ role: 'targets/qa', sha256: 'ab' }, 'targets/qa.ab.json'],
])('%j is %s', async (file, name) => {
  const { client, asked } = serverOf(200, '{}');
  expect(Buffer.from((await fetchFrom(client, file)) ?? []).toString()).toBe('{}');
  expect(asked).toEqual([
    { path: `/v2/${GUN}/_trust/tuf/${name}`, scope: `repository:${GUN}:pull`, headers: {} },
  ]);
});

test('caches are passed only where it is asked for', async () => {
  for (const [limits, headers] of [
    [{ revalidate: true }, { 'cache-control': 'no-cache' }],
    [{ revalidate: false }, {}],
    [{}, {}],
  ] as const) {
    const { client, asked } = serverOf(404, '{"errors":[{"code":"METADATA_NOT_FOUND"}]}');
    await fetchFrom(client, { role: 'timestamp' }, limits);
    expect(asked[0]?.headers).toEqual(headers);
  }
});

describe('a body that nobody reads is let go', () => {
  test.each([404, 500])('of a %s', async (status) => {
    const { client, bodies } = serverOf(status, 'x');
    await fetchFrom(client, { role: 'timestamp' }).catch(() => undefined);
    expect(bodies[0]?.destroyed).toBe(true);
  });
});

test.each([
  [401, true],
  [403, true],
  [400, false],
  [429, false],
  [500, false],
])('%s: the account is the thing to look at: %s', async (status, isHinted) => {
  const error = await refusal(
    fetchFrom(serverOf(status).client, { role: 'snapshot' }),
    'trust_unreachable',
    'unreachable',
  );
  expect(error.role).toBe('snapshot');
  expect(error.message.includes('trust.auth')).toBe(isHinted);
});

describe('what the client could not do', () => {
  const failing = (error: unknown) =>
    ({
      get: () => Promise.reject(error),
      baseUrl: new URL('https://notary.example.com'),
    }) as unknown as HttpClient;

  test.each([
    ['unreachable', 'trust_unreachable', 'unreachable'],
    ['denied', 'trust_unreachable', 'unreachable'],
    ['too_large', 'trust_unreachable', 'unreachable'],
  ] as const)('%s is %s', async (kind, code, fault) => {
    const cause = new UpstreamError(kind, 'x');
    const error = await refusal(fetchFrom(failing(cause), { role: 'targets' }), code, fault);
    expect(error).toMatchObject({ role: 'targets', cause });
  });

  test('a mistake of our own stays what it is', async () => {
    const mistake = new TypeError('x');
    const error = await fetchFrom(failing(mistake), { role: 'targets' }).catch((reason: unknown) => reason);
    expect(error).toBe(mistake);
    expect(error).not.toBeInstanceOf(TrustError);
  });
});

describe('what an operator reads of an outage', () => {
  const told = async (status: number, body: string, file: MetadataFile = { role: 'timestamp' }) => {
    const { client } = serverOf(status, body);
    const baseUrl = new URL('https://notary.example.com:4443/below//');
    const error = await refusal(
      createNotarySource({ ...client, baseUrl }).fetch(GUN, file, {
        maxBytes: 100,
        signal: new AbortController().signal,
      }),
      'trust_unreachable',
      'unreachable',
    );
    const start = `trust data of ${GUN} cannot be read from https://notary.example.com:4443/below: `;
    expect(error.message).toMatch(new RegExp(`^${start.replaceAll('.', '[.]')}`));
    return error.message.slice(start.length);
  };
  const CHECK_ADDRESS = 'check trust.server of this registry and what stands before it';

  test('when a page is sent for a file', async () => {
    const page = '<html>';
    expect(await told(200, page)).toBe(
      `what answered 200 for timestamp.json sent ${page.length} bytes that are not metadata; ${CHECK_ADDRESS}`,
    );
  });

  test('when something else has answered that there is no file', async () => {
    expect(await told(404, 'nothing here')).toBe(
      `a 404 came that is not in the words of a Notary server; ${CHECK_ADDRESS}`,
    );
  });

  test.each([
    [301, CHECK_ADDRESS],
    [401, 'check trust.auth of this registry in the configuration'],
    [429, 'it limits how often it is asked; raise that limit, or trust.refresh'],
    [503, 'see its log and what stands before it'],
  ])('when it answers %i', async (status, next) => {
    expect(await told(status, '')).toBe(`it answered ${status}; ${next}`);
  });

  test('a file that is known by its hash is what it is, whatever its form', async () => {
    const text = 'no metadata';
    const sha256 = createHash('sha256').update(text).digest('hex');
    const { client } = serverOf(200, text);
    const bytes = await fetchFrom(client, { role: 'snapshot', sha256 }, { maxBytes: 100 });
    expect(Buffer.from(bytes ?? []).toString()).toBe(text);
    expect(await told(200, text, { role: 'snapshot', sha256: '0'.repeat(64) })).toMatch(/^what answered 200/);
  });
});
