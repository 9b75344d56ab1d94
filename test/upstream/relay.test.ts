/** An upstream's refusal on its way to the caller: what of it goes on. */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';
import { toRelayed } from '../../proxy/upstream/relay.ts';
import type { UpstreamResponse } from '../../proxy/upstream/types.ts';

function refusal(status: number, headers: Record<string, string[]>, body: string | Readable = '{}') {
  const stream = typeof body === 'string' ? Readable.from(body === '' ? [] : [Buffer.from(body)]) : body;
  return { status, headers: new Map(Object.entries(headers)), body: stream } satisfies UpstreamResponse;
}

const OWNER = { upstream: 'reg', bodies: new BodyRoom() };
const OURS = { 'Docker-Distribution-Api-Version': 'registry/2.0', 'Cache-Control': 'no-store' };

test('goes on with the headers that mean something to a client, line by line', async () => {
  const relayed = await toRelayed(
    OWNER,
    refusal(429, {
      'www-authenticate': ['Bearer realm="a"', 'Basic realm="b"'],
      'ratelimit-limit': ['100'],
      'ratelimit-remaining': ['0'],
      'content-type': ['application/json'],
      'retry-after': ['7'],
      'content-length': ['999'],
      'cache-control': ['public'],
      'set-cookie': ['c'],
      'docker-distribution-api-version': ['evil'],
    }),
  );
  expect({ ...relayed, headers: Object.fromEntries(relayed.headers) }).toStrictEqual({
    status: 429,
    reasonPhrase: undefined,
    headers: {
      ...OURS,
      'WWW-Authenticate': ['Bearer realm="a"', 'Basic realm="b"'],
      'RateLimit-Limit': ['100'],
      'RateLimit-Remaining': ['0'],
      'Content-Type': ['application/json'],
      'Retry-After': '7',
      'Content-Length': '2',
    },
    body: Buffer.from('{}'),
  });
});

test.each<[string, Record<string, string[]>, string]>([
  ['without one', {}, ''],
  ['with one that is too long', {}, 'x'.repeat(64 * 1024 + 1)],
  ['with a compressed one', { 'content-encoding': ['gzip'] }, 'zipped'],
])('goes on without a body, and without the type of one: %s', async (_name, more, body) => {
  const answer = refusal(404, { 'content-type': ['text/plain'], ...more }, body);
  const relayed = await toRelayed(OWNER, answer);
  expect([Object.fromEntries(relayed.headers), relayed.body?.length]).toStrictEqual([
    { ...OURS, 'Content-Length': '0' },
    0,
  ]);
  expect(answer.body.destroyed).toBe(true);
});

test('goes on with 64 KiB, and without a body that breaks off', async () => {
  const [whole, broken] = [
    await toRelayed(OWNER, refusal(400, {}, 'x'.repeat(64 * 1024))),
    await toRelayed(
      OWNER,
      refusal(
        400,
        {},
        new Readable({
          read() {
            this.destroy(new Error('cut'));
          },
        }),
      ),
    ),
  ];
  expect([whole.body?.length, broken.body?.length]).toEqual([64 * 1024, 0]);
});

test('is no other answer', async () => {
  for (const status of [200, 304, 399])
    await expect(toRelayed(OWNER, refusal(status, {}))).rejects.toThrow(RangeError);
});
