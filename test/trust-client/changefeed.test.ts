/** The unsigned feed of changes: believed only as a hint, and only in the form it should have (§1.1). */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import type { HttpClient } from '../../proxy/registry/http-client.ts';
import { fetchNewestChanges } from '../../proxy/trust-client/changefeed.ts';

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
  return fetchNewestChanges(client, 5, AbortSignal.timeout(5000));
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
  await fetchNewestChanges(answer(404, ''), 5, signal);
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

test.each([
  [404, '{}'],
  [401, '{}'],
  [200, ''],
  [200, '<html></html>'],
  [200, '{"records":{}}'],
  [200, '{"records":[null]}'],
  [200, '{"records":[{"ID":12,"GUN":"x"}]}'],
  [200, '{"records":[{"ID":"twelve","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"12x","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"-12","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"1234567890123456","GUN":"x"}]}'],
  [200, '{"records":[{"ID":"12"}]}'],
  [200, '{"records":[5]}'],
])('%s %s is no feed', async (status, body) => {
  expect(await fetchFrom(answer(status, body))).toBeUndefined();
});
