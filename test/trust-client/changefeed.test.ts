/**
 * The unsigned feed of changes: believed only as a hint, and only in the form it should have (notary-semantics.md §1.1).
 */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { fetchChanges } from '../../proxy/trust-client/changefeed.ts';
import { UpstreamError } from '../../proxy/upstream/errors.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';

type Asked = { readonly path: string; readonly options: object };
const asked: Asked[] = [];

function answer(status: number, body: string): HttpClient {
  const get = async (path: string, options: object) => {
    asked.push({ path, options });
    return { status, headers: new Map(), body: Readable.from([Buffer.from(body)]) };
  };
  return { get } as unknown as HttpClient;
}

function fetchFrom(client: HttpClient) {
  return fetchChanges(client, { most: 5 }, AbortSignal.timeout(5000));
}

test('the newest changes, from the newest backwards', async () => {
  const records = [
    { ID: '12', CreatedAt: 'x', GUN: 'docker.io/library/alpine', Version: 5, Category: 'update' },
    { ID: '13', GUN: 'docker.io/library/debian' },
  ];
  expect(await fetchFrom(answer(200, JSON.stringify({ count: 2, records })))).toEqual([
    { id: 12, gun: 'docker.io/library/alpine' },
    { id: 13, gun: 'docker.io/library/debian' },
  ]);
  expect(asked.at(-1)?.path).toBe('/v2/_trust/changefeed?change_id=-1&records=-5');
});

test('it is asked for with the right to the whole catalogue, and given up with the caller', async () => {
  const signal = AbortSignal.timeout(5000);
  await fetchChanges(answer(401, ''), { most: 5 }, signal);
  expect(asked.at(-1)?.options).toEqual({ scope: 'registry:catalog:*', signal });
});

test('an ID of fifteen digits is a number that can be compared', async () => {
  const records = [{ ID: '999999999999999', GUN: 'x' }];
  expect(await fetchFrom(answer(200, JSON.stringify({ records })))).toEqual([
    { id: 999999999999999, gun: 'x' },
  ]);
});

test('no records is an empty feed', async () => {
  expect(await fetchFrom(answer(200, '{"count":0}'))).toEqual([]);
});

test('a later page is asked for by the first ID of the one before', async () => {
  await fetchChanges(answer(200, '{}'), { most: 5, before: 77 }, AbortSignal.timeout(5000));
  expect(asked.at(-1)?.path).toBe('/v2/_trust/changefeed?change_id=77&records=-5');
});

test('a name no repository can have is passed over', async () => {
  const records = [
    { ID: '1', GUN: 'x'.repeat(10_000) },
    { ID: '2', GUN: '__proto__' },
  ];
  expect(await fetchFrom(answer(200, JSON.stringify({ records })))).toEqual([{ id: 2, gun: '__proto__' }]);
});

test.each([
  [404, '{"errors":[{"code":"METADATA_NOT_FOUND"}]}'],
  [401, '{}'],
  [403, ''],
  [200, '{"records":[{"ID":"twelve","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"-12","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"1234567890123456","GUN":"x"}]}'],
])('%s %s: there is no feed for us', async (status, body) => {
  expect(await fetchFrom(answer(status, body))).toBeUndefined();
});

test.each([
  [404, ''],
  [404, '{}'],
  [404, '<html>default backend - 404</html>'],
  [302, ''],
  [429, ''],
  [500, ''],
  [503, ''],
  [503, '{"errors":[{"code":"METADATA_NOT_FOUND"}]}'],
  [200, 'null'],
  [200, '5'],
  [200, '"records"'],
  [200, ''],
  [200, '<html></html>'],
  [200, '[]'],
  [200, ' '.repeat(2 * 1024 * 1024)],
  [200, '{"records":{}}'],
  [200, '{"records":[null]}'],
  [200, '{"records":[{"ID":12,"GUN":"x"}]}'],
  [200, '{"records":[{"ID":"12"}]}'],
  [200, '{"records":[5]}'],
])('%s %.40s says nothing: it is asked again', async (status, body) => {
  await expect(fetchFrom(answer(status, body))).rejects.toMatchObject({ name: 'UpstreamError' });
});

test('a name of 512 characters is one of ours at most, of 513 it is passed over', async () => {
  const records = [512, 513].map((length, id) => ({ ID: String(id), GUN: 'x'.repeat(length) }));
  expect(await fetchFrom(answer(200, JSON.stringify({ records })))).toEqual([
    { id: 0, gun: 'x'.repeat(512) },
  ]);
});

test('a page of a mebibyte is read, one byte more is too large', async () => {
  const page = (bytes: number) => answer(200, '{}'.padEnd(bytes));
  expect(await fetchFrom(page(1024 * 1024))).toEqual([]);
  await expect(fetchFrom(page(1024 * 1024 + 1))).rejects.toMatchObject({ kind: 'too_large' });
});

test.each([
  [503, '', 503],
  [404, '{}', 404],
  [200, '{"records":{}}', undefined],
  [200, '[]', undefined],
])('%s %s is a bad answer of that status', async (given, body, status) => {
  await expect(fetchFrom(answer(given, body))).rejects.toMatchObject({ kind: 'bad_answer', status });
});

test('an account that is denied has no feed, and a server that is away may have one', async () => {
  const failing = (kind: 'denied' | 'unreachable') =>
    ({ get: () => Promise.reject(new UpstreamError(kind, 'failed')) }) as unknown as HttpClient;
  expect(await fetchFrom(failing('denied'))).toBeUndefined();
  await expect(fetchFrom(failing('unreachable'))).rejects.toMatchObject({ kind: 'unreachable' });
});

test('a body that is not read is let go', async () => {
  const bodies: Readable[] = [];
  const http = answer(503, 'busy');
  const get: HttpClient['get'] = async (path, options) => {
    const response = await http.get(path, options);
    bodies.push(response.body);
    return response;
  };
  await expect(fetchFrom({ ...http, get })).rejects.toMatchObject({ status: 503 });
  expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true]);
});
