/** Questions that are cheap to ask of a large honest repository must not be dear to answer. Work is counted, not timed. */
import { afterEach, expect, test } from '@jest/globals';
import type { PullDeps } from '../../proxy/pull/types.ts';
import type { VerifiedTrust } from '../../proxy/trust-client/types.ts';
import { ask, errorOf, manifest, type RunningProxy, startProxy, verified } from '../pull/harness.ts';
import type { Handler } from '../upstream/upstream.ts';

const TAGS = Array.from({ length: 20_000 }, (_, at) => `v${String(at).padStart(5, '0')}`);
/** Enough to see pieces. */
const FEW = TAGS.slice(0, 3000);
const SIGNED = manifest('s');
const PATH = '/v2/library/app/tags/list';

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

/** What was asked of the trust data, and the most of it without the loop having turned. */
type Work = { asked: number; looks: number; near: number; inOneTurn: number };

/** Every tag is signed but those `isSigned` refuses. */
async function start(handler: Handler, isSigned = (_tag: string) => true, lookMs = 0) {
  const work: Work = { asked: 0, looks: 0, near: 0, inOneTurn: 0 };
  const signed = Object.fromEntries(TAGS.filter(isSigned).map((tag) => [tag, SIGNED]));
  let thisTurn = 0;
  const outcome = verified('docker.io/library/app', signed);
  if (outcome.kind !== 'verified') throw new Error('unreachable');
  const { trust } = outcome;
  const counted: VerifiedTrust = {
    ...trust,
    target(tag, now) {
      work.looks += 1;
      if (thisTurn === 0) setImmediate(() => (thisTurn = 0));
      thisTurn += 1;
      work.inOneTurn = Math.max(work.inOneTurn, thisTurn);
      // About as dear as with hundreds of delegations, in milliseconds.
      for (const until = performance.now() + lookMs; performance.now() < until; );
      return trust.target(tag, now);
    },
    tags(now) {
      work.looks += TAGS.length;
      return trust.tags(now);
    },
    tagsNear(tag, now, each) {
      work.near += 1;
      return trust.tagsNear(tag, now, each).slice(0, 2 * each);
    },
  };
  const shared = { ...outcome, trust: counted };
  const trustFor: PullDeps['trustFor'] = async () => {
    work.asked += 1;
    return shared;
  };
  const proxy = await startProxy({ handler, trustFor });
  running.push(proxy);
  return { ...proxy, work };
}

/** As distribution pages: sorted, `n` at most, after `last`. */
const paged: Handler = (req, res) => {
  const query = new URL(`http://h${req.url}`).searchParams;
  const from = TAGS.filter((tag) => tag > (query.get('last') ?? ''));
  const page = from.slice(0, Number(query.get('n')));
  if (page.length < from.length) res.setHeader('link', `<${PATH}?last=${page.at(-1)}&n=1000>; rel="next"`);
  res.end(JSON.stringify({ tags: page }));
};

const whole =
  (tags: readonly string[]): Handler =>
  (_req, res) =>
    res.end(JSON.stringify({ tags }));

async function list(port: number, query: string) {
  const reply = await ask(port, `${PATH}${query}`);
  return { tags: JSON.parse(reply.body.toString()).tags, link: reply.headers['link']?.toString() };
}

test('one tag of 20,000 is one page of the registry', async () => {
  const { port, upstream, work } = await start(paged);
  expect(await list(port, '?n=1')).toEqual({
    tags: ['v00000'],
    link: `<${PATH}?last=v00000&n=1>; rel="next"`,
  });
  expect(upstream.received).toHaveLength(1);
  expect(work.looks).toBeLessThanOrEqual(1000);
});

test('the last tag of 20,000 is two pages', async () => {
  const { port, upstream, work } = await start(paged);
  expect(await list(port, '?n=1&last=v19998')).toEqual({ tags: ['v19999'], link: undefined });
  expect(upstream.received.map(({ url }) => url)).toEqual([`${PATH}?n=1000`, `${PATH}?n=1000&last=v19998`]);
  expect(work.looks).toBeLessThanOrEqual(1000);
});

test('a client that follows the links gets every tag once, signed ones only', async () => {
  const { port } = await start(paged, (tag) => tag.endsWith('7'));
  const got: string[] = [];
  for (let query: string | undefined = '?n=300'; query !== undefined; ) {
    const { tags, link }: { tags: string[]; link: string | undefined } = await list(port, query);
    got.push(...tags);
    query = link?.match(/\?[^>]*/)?.[0];
  }
  expect(got).toEqual(TAGS.filter((tag) => tag.endsWith('7')));
});

test.each<[string, (query: URLSearchParams) => readonly string[] | undefined]>([
  ['forgets last', () => TAGS.slice(0, 1000)],
  ['refuses last', () => undefined],
  ['takes last for a place in an order of its own', () => ['v19999', 'v00001']],
])('a registry that %s: every page is read, and nothing is missing', async (_name, jump) => {
  const { port } = await start((req, res) => {
    const query = new URL(`http://h${req.url}`).searchParams;
    const page = Number(query.get('page') ?? 0);
    const tags = query.has('last') ? jump(query) : TAGS.slice(page * 1000, page * 1000 + 1000);
    if (tags === undefined) return void res.writeHead(400).end();
    if (page < 19) res.setHeader('link', `<${PATH}?page=${page + 1}>; rel="next"`);
    res.end(JSON.stringify({ tags }));
  });
  expect((await list(port, '?n=2&last=v15000')).tags).toEqual(['v15001', 'v15002']);
});

test('a registry that does not sort: the first in order may stand on the last page', async () => {
  const newestFirst = [...TAGS].reverse();
  const { port, upstream } = await start((req, res) => {
    const page = Number(new URL(`http://h${req.url}`).searchParams.get('page') ?? 0);
    if (page < 19) res.setHeader('link', `<${PATH}?page=${page + 1}>; rel="next"`);
    res.end(JSON.stringify({ tags: newestFirst.slice(page * 1000, page * 1000 + 1000) }));
  });
  expect((await list(port, '?n=2')).tags).toEqual(['v00000', 'v00001']);
  expect(upstream.received).toHaveLength(20);
});

test('a whole list is judged in pieces between which the loop turns', async () => {
  const { port, work } = await start(whole(FEW), () => true, 0.03);
  expect((await list(port, '')).tags).toEqual(FEW);
  expect(work.looks).toBe(FEW.length);
  expect(work.inOneTurn).toBeLessThan(500);
});

test('four lists at once have one piece in a turn together', async () => {
  const { port, work } = await start(whole(FEW), () => true, 0.03);
  await Promise.all([1, 2, 3, 4].map((n) => list(port, `?n=${20_000 + n}`)));
  expect(work.looks).toBe(4 * FEW.length);
  expect(work.inOneTurn).toBeLessThan(500);
});

test('callers with the same credentials share one walk, others have their own', async () => {
  const held: (() => void)[] = [];
  const { port, upstream, work } = await start((_req, res) => {
    held.push(() => res.end(JSON.stringify({ tags: TAGS.slice(0, 3) })));
  });
  const as = (authorization: string) => ask(port, PATH, { headers: { authorization } });
  const asked = [as('Bearer a'), as('Bearer a'), as('Bearer a'), as('Bearer b')];
  while (work.asked < 4 || held.length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (const release of held) release();
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses).toEqual([200, 200, 200, 200]);
  expect(upstream.received.map(({ headers }) => headers.authorization).sort()).toEqual([
    'Bearer a',
    'Bearer b',
  ]);
});

test('a refused tag looks itself up, and its neighbours only where names are told', async () => {
  const { port, work } = await start(paged);
  const reply = await ask(port, '/v2/library/app/manifests/nope');
  expect(errorOf(reply).detail['reason']).toBe('unsigned_tag');
  expect(work).toMatchObject({ looks: 1, near: 0 });
});
