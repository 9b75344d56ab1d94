/** A registry's "yes" is believed for 60 s from the question on: not longer for being used, nor for being late. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Handler } from '../upstream/upstream.ts';
import { ask, MANIFEST_TYPE, manifest, type RunningProxy, startProxy } from './harness.ts';

const ONE = manifest('one');
const REPOSITORY = '/v2/library/app';
const alice = { authorization: 'Bearer alice' };

let time: number;
const running: RunningProxy[] = [];
beforeEach(() => {
  time = 0;
});
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(handler: Handler): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, signed: { '1': ONE }, monotonic: () => time });
  running.push(proxy);
  return proxy;
}

const serve: Handler = (_req, res) =>
  res.writeHead(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': ONE.digest }).end(ONE.bytes);
const refuse: Handler = (_req, res) => res.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
const late: Handler = (req, res) => {
  time += 50_000;
  serve(req, res);
};

const PATHS = [
  ['a tag', `${REPOSITORY}/manifests/1`],
  ['a digest', `${REPOSITORY}/manifests/${ONE.digest}`],
] as const;

test.each(PATHS)('%s whose answer was late', async (_name, path) => {
  const { port, upstream } = await start(late);
  const status = async () => (await ask(port, path, { headers: alice })).status;
  expect(await status()).toBe(200);
  upstream.answer(refuse);
  time = 59_999;
  expect(await status()).toBe(200);
  time = 60_000;
  expect(await status()).toBe(401);
});

test.each(PATHS)('%s whose right was confirmed by a late HEAD', async (_name, path) => {
  const { port, upstream } = await start(serve);
  await ask(port, `${REPOSITORY}/manifests/1`);
  upstream.answer(late);
  const status = async () => (await ask(port, path, { headers: alice })).status;
  expect(await status()).toBe(200);
  upstream.answer(refuse);
  time = 59_999;
  expect(await status()).toBe(200);
  time = 60_000;
  expect(await status()).toBe(401);
});

test.each(PATHS)('%s that is pulled all the time', async (_name, path) => {
  const { port, upstream } = await start(serve);
  const status = async () => (await ask(port, path, { headers: alice })).status;
  for (; time < 60_000; time += 7_500) {
    expect(await status()).toBe(200);
    upstream.answer(refuse);
  }
  expect([await status(), upstream.received.filter(({ method }) => method === 'GET').length]).toEqual([
    401, 2,
  ]);
});
