/** Referrers: the answer the specification asks for, also where the registry knows no such route. */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Handler } from '../upstream/upstream.ts';
import { ask, BASIC, manifest, type ProxyOptions, type RunningProxy, rule, startProxy } from './harness.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const { digest: SUBJECT, bytes } = manifest('subject');
const PATH = `/v2/library/app/referrers/${SUBJECT}`;
const MANIFEST = `/v2/library/app/manifests/${SUBJECT}`;
const TAG = `/v2/library/app/manifests/${SUBJECT.replace(':', '-')}`;
const OFF = { rules: [rule({ mode: 'off' })] };

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(handler: Handler, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ handler, ...options });
  running.push(proxy);
  return proxy;
}

const descriptor = (artifactType: string) => ({ mediaType: 'x/y', size: 1, digest: SUBJECT, artifactType });
const LISTED = [descriptor('a/sbom'), descriptor('a/sig')];

/** docker-registry 2.8: no route, and perhaps the tag in which clients keep the list. */
function without(tagged?: unknown): Handler {
  return (req, res) => {
    if (req.url === TAG && tagged !== undefined)
      return res.writeHead(200, { 'content-type': INDEX }).end(JSON.stringify(tagged));
    return res.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
  };
}

describe('where the registry has no such route', () => {
  test('the answer is an empty index', async () => {
    const { port, upstream } = await start(without());
    const reply = await ask(port, PATH);
    expect(reply).toMatchObject({ status: 200, headers: { 'content-type': INDEX } });
    expect(JSON.parse(reply.body.toString())).toEqual({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
    expect(reply.headers['oci-filters-applied']).toBeUndefined();
    const head = await ask(port, PATH, { method: 'HEAD' });
    expect([head.status, head.headers['content-length']]).toEqual([200, String(reply.body.length)]);
    const asked = upstream.received.map(({ method, url }) => `${method} ${url}`);
    expect(asked).toEqual([`GET ${PATH}`, `HEAD ${MANIFEST}`, `HEAD ${PATH}`, `HEAD ${MANIFEST}`]);
  });

  test('an unsigned list under a tag is as invisible as the tag', async () => {
    const { port } = await start(without({ schemaVersion: 2, mediaType: INDEX, manifests: LISTED }));
    expect(JSON.parse((await ask(port, PATH)).body.toString()).manifests).toEqual([]);
  });

  test('where no rule judges tags, it is what the tag lists, filtered by us and said so', async () => {
    const { port } = await start(without({ schemaVersion: 2, mediaType: INDEX, manifests: LISTED }), OFF);
    expect(JSON.parse((await ask(port, PATH)).body.toString()).manifests).toEqual(LISTED);
    const filtered = await ask(port, `${PATH}?artifactType=a%2Fsig`);
    expect(JSON.parse(filtered.body.toString()).manifests).toEqual([descriptor('a/sig')]);
    expect(filtered.headers['oci-filters-applied']).toBe('artifactType');
  });

  test.each<[string, unknown]>([
    ['an image', { schemaVersion: 2, config: {}, layers: [] }],
    ['no JSON object', 'text'],
    ['a list of another shape', { schemaVersion: 2, mediaType: INDEX, manifests: { a: 1 } }],
  ])('a tag that is %s lists nothing', async (_name, tagged) => {
    const { port } = await start(without(tagged), OFF);
    const reply = await ask(port, PATH);
    expect([reply.status, JSON.parse(reply.body.toString()).manifests]).toEqual([200, []]);
  });

  test('the tag of a sha512 is its first 64 digits', async () => {
    const { port, upstream } = await start(without(), OFF);
    await ask(port, `/v2/library/app/referrers/sha512:${'ab'.repeat(64)}`);
    expect(upstream.received.at(-1)?.url).toBe(`/v2/library/app/manifests/sha512-${'ab'.repeat(32)}`);
  });
});

describe('where the registry has no such route, and only alice may read', () => {
  const alice = { authorization: 'Bearer alice' };
  const TAGGED = { schemaVersion: 2, mediaType: INDEX, manifests: LISTED };
  const privately: Handler = (req, res) => {
    if (req.url?.includes('/referrers/') || req.headers.authorization === 'Bearer alice')
      return without(TAGGED)(req, res);
    return res.writeHead(401, { 'www-authenticate': 'Bearer realm="r"', 'retry-after': '7' }).end();
  };

  test.each<[string, ProxyOptions, readonly unknown[]]>([
    ['enforced', {}, []],
    ['off', OFF, LISTED],
  ])('rule %s: she gets the index, and everybody else the challenge', async (_name, options, listed) => {
    const { port } = await start(privately, options);
    const hers = await ask(port, PATH, { headers: alice });
    expect([hers.status, JSON.parse(hers.body.toString()).manifests]).toEqual([200, listed]);
    for (const headers of [{}, { authorization: 'Bearer bob' }]) {
      for (const method of ['GET', 'HEAD']) {
        const reply = await ask(port, PATH, { method, headers: headers as Record<string, string> });
        expect([reply.status, reply.headers['www-authenticate'], reply.body.length]).toEqual([
          401,
          'Bearer realm="r"',
          0,
        ]);
      }
    }
  });

  test('whoever was let in lately is not asked about again, nor is our own account', async () => {
    const { port, upstream } = await start((req, res) =>
      req.url === MANIFEST ? res.end(bytes) : privately(req, res),
    );
    await ask(port, MANIFEST, { headers: alice });
    upstream.received.splice(0);
    expect((await ask(port, PATH, { headers: alice })).status).toBe(200);
    expect(upstream.received.map(({ url }) => url)).toEqual([PATH]);
    const ours = await start(without(), { auth: BASIC });
    expect((await ask(ours.port, PATH)).status).toBe(200);
    expect(ours.upstream.received.filter(({ method, url }) => method === 'HEAD' && url === MANIFEST)).toEqual(
      [],
    );
  });

  test.each<[string, Handler]>([
    ['500', (_req, res) => res.writeHead(500).end()],
    ['silence', (req) => req.socket.destroy()],
  ])('%s in place of an answer is no index', async (_name, handler) => {
    const { port } = await start((req, res) => (req.url === PATH ? without()(req, res) : handler(req, res)));
    expect(await ask(port, PATH)).toMatchObject({ status: 404, body: Buffer.from('404 page not found\n') });
  });
});

describe('where the registry has it', () => {
  test('its answer passes, with the filter it says it applied', async () => {
    const { port, upstream } = await start((_req, res) =>
      res
        .writeHead(200, { 'content-type': INDEX, 'oci-filters-applied': 'artifactType' })
        .end('{"manifests":[]}'),
    );
    const reply = await ask(port, `${PATH}?artifactType=a%2Fsig&ns=docker.io`);
    expect([reply.status, reply.headers['oci-filters-applied']]).toEqual([200, 'artifactType']);
    expect(upstream.received[0]?.url).toBe(`${PATH}?artifactType=a%2Fsig`);
  });

  test('its own refusals are its own', async () => {
    for (const [status, type] of [
      [404, 'application/json'],
      [404, 'application/vnd.oci.error+json; charset=utf-8'],
      [401, 'text/plain'],
      [403, 'text/html'],
    ] as const) {
      const { port } = await start((_req, res) => res.writeHead(status, { 'content-type': type }).end('{}'));
      expect((await ask(port, PATH)).status).toBe(status);
    }
  });

  test('its link to the next page leads back here, and on from here to exactly that page', async () => {
    const { port, upstream } = await start((req, res) => {
      const isFirst = req.url === PATH;
      if (isFirst) res.setHeader('link', `<${PATH}?next=abc%3D%3D&n=2>; rel="next"`);
      res.end('{"manifests":[]}');
    });
    const first = await ask(port, `${PATH}?ns=docker.io`);
    const [, next = ''] =
      /^<(\/v2\/library\/app\/referrers\/[^>]+)>; rel="next"$/.exec(String(first.headers['link'])) ?? [];
    expect(next).toMatch(/\?page=[\w-]+&ns=docker\.io$/);
    const second = await ask(port, next);
    expect([second.status, second.headers['link']]).toEqual([200, undefined]);
    expect(upstream.received.at(-1)?.url).toBe(`${PATH}?next=abc%3D%3D&n=2`);
  });

  test.each([
    '<http://evil.example/v2/library/app/referrers/x?next=1>; rel="next"',
    `<//evil.example${PATH}?next=1>; rel="next"`,
    '</v2/library/other/referrers/x?next=1>; rel="next"',
    '</v2/_catalog?next=1>; rel="next"',
    `<${PATH}?next=1#x>; rel="next"`,
    `<${PATH}?next=a b>; rel="next"`,
    `<${PATH}?next=1>; rel="prev"`,
    `<${PATH}>; rel="next"`,
    `<${PATH}?next=1>; rel="next", <http://evil.example/>; rel="next"`,
  ])('a link elsewhere does not go on: %s', async (link) => {
    const { port } = await start((_req, res) => res.writeHead(200, { link }).end('{}'));
    expect((await ask(port, PATH)).headers['link']).toBeUndefined();
  });
});
