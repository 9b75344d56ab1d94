/** The unsigned feed of changes: believed only as a hint, and only in the form it should have (§1.1). */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import type { HttpClient } from '../../proxy/registry/http-client.ts';
import { fetchNewestChanges } from '../../proxy/trust-client/changefeed.ts';

const asked: string[] = [];

function answer(status: number, body: string): HttpClient {
  const get = async (path: string) => {
    asked.push(path);
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
  expect(asked.at(-1)).toBe('/v2/_trust/changefeed?change_id=-1&records=-5');
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
  [200, '{"records":[{"ID":"12"}]}'],
])('%s %s is no feed', async (status, body) => {
  expect(await fetchFrom(answer(status, body))).toBeUndefined();
});
