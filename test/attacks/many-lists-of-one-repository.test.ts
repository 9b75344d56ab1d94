/**
 * One client asks for the tags of a large repository a thousand times at once, each time for another page: each of these
 * lists is walked by itself, and holds what it has seen while it waits for the rest.
 */
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { fetchTags } from '../../proxy/registry/tags.ts';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';
import type { HttpClient } from '../../proxy/upstream/types.ts';
import { eventually } from '../listen/kit.ts';

const MIB = 1024 * 1024;
const PAGES = 20;
const LISTS = 100;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const pages = Array.from({ length: PAGES }, (_, page) => {
  const tags = Array.from({ length: 1_000 }, (_name, at) => `release-2026.11.${100_000 + page * 1_000 + at}`);
  return Buffer.from(JSON.stringify({ name: 'team/app', tags }));
});

/** 20,000 names, and a last page that is slow. */
function largeRepository() {
  const waiting: ((answer: unknown) => void)[] = [];
  const lastPage = { status: 200, headers: new Map(), body: () => Readable.from(['{"tags":[]}']) };
  const get = async (path: string) => {
    const page = Number(/last=(\d+)/.exec(path)?.[1] ?? 0);
    const bytes = pages[page];
    if (bytes === undefined) return await new Promise((resolve) => waiting.push(resolve));
    const link = `</v2/team/app/tags/list?n=1000&last=${page + 1}>; rel="next"`;
    const headers = new Map([
      ['content-length', [String(bytes.length)]],
      ['link', [link]],
    ]);
    return { status: 200, headers, body: Readable.from([bytes]) };
  };
  const client = {
    upstream: 'docker.io',
    auth: 'anonymous',
    bodies: new BodyRoom(),
    baseUrl: new URL('http://registry.example/'),
    get,
  } as unknown as HttpClient;
  return {
    client,
    waiting,
    finish: () => {
      for (const resolve of waiting.splice(0)) resolve({ ...lastPage, body: lastPage.body() });
    },
  };
}

test('what they hold together is bounded, and another client’s list is served', async () => {
  const { client, waiting, finish } = largeRepository();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  let refused = 0;
  const list = (address: string, n: number) =>
    fetchTags(client, { repository: 'team/app', n, last: undefined }, () => true, { client: address });
  const lists = Array.from({ length: LISTS }, async (_, index) => {
    const result = await list('10.0.0.1', 100_000 + index);
    if (result.kind === 'failed') refused += 1;
    return result;
  });
  await eventually(() => waiting.length + refused === LISTS);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * MIB);
  const other = list('10.0.0.2', 200_000);
  const rest = waiting.length;
  await eventually(() => waiting.length === rest + 1);
  finish();
  expect(await other).toMatchObject({ kind: 'tags', isCut: false });
  const results = await Promise.all(lists);
  expect(results.filter(({ kind }) => kind === 'tags').length).toBeGreaterThan(10);
  for (const result of results)
    if (result.kind !== 'tags') expect(result).toMatchObject({ reason: 'deadline_exceeded' });
  expect(await Promise.all([list('10.0.0.1', 10)])).toMatchObject([{ kind: 'tags', isCut: true }]);
}, 120_000);
