/** What streams by and is kept: a whole answer that is short enough, and no other. */

import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { keep, toRefusal } from '../../proxy/forward/bodies.ts';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';

const OWNER = { upstream: 'reg', bodies: new BodyRoom() };

/** What is kept of an answer in these pieces. */
async function kept(pieces: readonly string[], { maxBytes = 4, complete = true } = {}) {
  const answer = Object.assign(new PassThrough(), {
    complete,
    headers: { 'content-type': 'a/b' },
    headersDistinct: { 'content-type': ['a/b'] },
  });
  const whole: unknown[] = [];
  keep(answer as unknown as IncomingMessage, 'reg', {
    maxBytes,
    onWhole: ({ bytes, contentType }) => whole.push([Buffer.from(bytes).toString(), contentType]),
  });
  for (const piece of pieces) answer.write(piece);
  answer.end();
  await new Promise((resolve) => answer.once('close', resolve));
  return whole;
}

test('a whole answer is kept once, with its type', async () => {
  expect([await kept(['ab', 'cd']), await kept([])]).toEqual([[['abcd', 'a/b']], [['', 'a/b']]]);
});

test('one byte more, or one that was cut, is kept not at all', async () => {
  expect([
    await kept(['ab', 'cde']),
    await kept(['abcde', '']),
    await kept(['ab'], { complete: false }),
  ]).toEqual([[], [], []]);
});

test('a refusal is read as a whole, with its headers line by line', async () => {
  const refusal = (more: object) =>
    toRefusal(Object.assign(Readable.from([Buffer.from('no')]), more) as unknown as IncomingMessage, OWNER);
  const headersDistinct = { 'www-authenticate': ['Basic realm="a"', 'Bearer realm="b"'], warning: undefined };
  const found = await refusal({ statusCode: 401, headersDistinct });
  expect([found.status, found.headers.get('WWW-Authenticate'), String(found.body)]).toEqual([
    401,
    ['Basic realm="a"', 'Bearer realm="b"'],
    'no',
  ]);
  expect((await refusal({ headersDistinct: {} })).status).toBe(502);
});
