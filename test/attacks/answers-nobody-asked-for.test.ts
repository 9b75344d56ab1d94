/**
 * What a hostile registry may say beside the bytes: parts and "not modified" to clients that did not ask, other places,
 * other digests, headers no client can take. Of a blob only its bytes are its client's to compare; the rest is ours.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  ask,
  BASIC,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from '../pull/harness.ts';
import type { Handler } from '../upstream/upstream.ts';

const ONE = manifest('one');
const BLOB = Buffer.from('0123456789');
const DIGEST = sha256(BLOB);
const PATH = `/v2/library/app/blobs/${DIGEST}`;
const OTHER = sha256('other');

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});
async function start(handler: Handler): Promise<RunningProxy> {
  const proxy = await startProxy({
    handler,
    signed: { '1': ONE },
    rules: [rule(), rule({ name: 'off', match: 'docker.io/off/**', mode: 'off' })],
  });
  running.push(proxy);
  return proxy;
}
const answer =
  (status: number, headers: Record<string, string | string[]>, body: Buffer = BLOB): Handler =>
  (req, res) =>
    res.writeHead(status, headers).end(req.method === 'HEAD' || status === 304 ? undefined : body);

describe('a blob: a part', () => {
  test.each([
    ['nobody asked for', undefined, 'bytes 0-9/10', 502],
    ['from where it was asked', 'bytes=2-', 'bytes 2-9/10', 206],
    ['from elsewhere', 'bytes=2-', 'bytes 0-7/10', 502],
    ['longer than asked', 'bytes=2-3', 'bytes 2-9/10', 502],
    ['without a word on where', 'bytes=2-', undefined, 502],
    ['that contradicts itself', 'bytes=2-', 'bytes 2-90/10', 502],
    ['of many that were asked for', 'bytes=0-1,3-4', 'bytes 0-1/10', 502],
  ] as const)('%s', async (_name, range, part, expected) => {
    const headers: Record<string, string> = part === undefined ? {} : { 'content-range': part };
    for (const method of ['GET', 'HEAD']) {
      const { port } = await start(answer(206, headers));
      const reply = await ask(port, PATH, { method, headers: range === undefined ? {} : { range } });
      expect([method, reply.status, reply.body.equals(BLOB)]).toEqual([
        method,
        expected,
        method === 'GET' && expected === 206,
      ]);
    }
  });

  test('is asked of the registry only where it is one', async () => {
    const { port, upstream } = await start(answer(200, {}));
    for (const range of ['bytes=2-', 'bytes=0-1,3-4', 'items=0-1'])
      expect((await ask(port, PATH, { headers: { range } })).status).toBe(200);
    expect(upstream.received.map(({ headers }) => headers.range)).toEqual(['bytes=2-', undefined, undefined]);
  });

  test('is not what a whole answer says it is', async () => {
    const { port } = await start(answer(200, { 'content-range': 'bytes 0-9/100' }));
    expect(
      (await ask(port, PATH, { headers: { range: 'bytes=0-9' } })).headers['content-range'],
    ).toBeUndefined();
  });
});

describe('"not modified"', () => {
  const tags = [undefined, '*', `"${OTHER}"`, `W/"${DIGEST}"`, '"x", "y"', DIGEST];
  test('of a blob goes to a client that has it, and to no other one', async () => {
    const { port, upstream } = await start(answer(304, { etag: '"evil"' }));
    for (const tag of tags) {
      const headers: Record<string, string> = tag === undefined ? {} : { 'if-none-match': tag };
      expect([tag, (await ask(port, PATH, { headers })).status]).toEqual([tag, 502]);
    }
    for (const tag of [`"${DIGEST}"`, `"x" , "${DIGEST}"`])
      expect((await ask(port, PATH, { headers: { 'if-none-match': tag } })).status).toBe(304);
    expect(new Set(upstream.received.map(({ headers }) => headers['if-none-match']))).toEqual(
      new Set([undefined, `"${DIGEST}"`]),
    );
  });

  test.each(['1', ONE.digest])('of a manifest, by %s, is the same', async (reference) => {
    const { port } = await start(answer(304, { etag: '"evil"' }));
    for (const tag of [undefined, '*', `"${OTHER}"`, `W/"${ONE.digest}"`]) {
      const headers: Record<string, string> = tag === undefined ? {} : { 'if-none-match': tag };
      expect([tag, (await ask(port, `/v2/library/app/manifests/${reference}`, { headers })).status]).toEqual([
        tag,
        502,
      ]);
    }
  });

  test('of a tag no rule judges, of referrers and of lists is nobody’s', async () => {
    const { port } = await start(answer(304, {}));
    const paths = [
      '/v2/off/app/manifests/1',
      `/v2/library/app/referrers/${ONE.digest}`,
      '/v2/off/app/tags/list',
    ];
    for (const path of paths)
      for (const tag of ['*', `"${OTHER}"`])
        expect([path, (await ask(port, path, { headers: { 'if-none-match': tag } })).status]).toEqual([
          path,
          502,
        ]);
  });
});

describe('another place', () => {
  const places = [
    'http://127.0.0.2:8080/admin/delete?user=1',
    'http://localhost/admin',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]:8080/',
    'http://2130706434/',
    'https://user:secret@cdn.test/',
    'https://cdn.test\\@127.0.0.2/',
    '/v2/library/other/blobs/x',
    'ftp://cdn.test/x',
    '',
  ];
  test.each(places)('for a blob at %s is none', async (location) => {
    for (const status of [301, 302, 303, 307, 308])
      for (const method of ['GET', 'HEAD']) {
        const { port } = await start(answer(status, { location }));
        const reply = await ask(port, PATH, { method });
        expect([status, reply.status, reply.headers.location]).toEqual([status, 502, undefined]);
      }
  });

  test('for an image’s configuration keeps its manifest back from a daemon with a mirror', async () => {
    for (const location of places) {
      const { port } = await start((req, res) =>
        req.url?.includes('/blobs/') === true
          ? answer(307, { location })(req, res)
          : answer(200, { 'content-type': MANIFEST_TYPE }, ONE.bytes)(req, res),
      );
      const reply = await ask(port, '/v2/library/app/manifests/1', {
        headers: { 'user-agent': 'docker/20.10.24 go/go1.19' },
      });
      expect([location, reply.status, reply.phrase.endsWith('(no such process)')]).toEqual([
        location,
        503,
        true,
      ]);
    }
  });

  test('for anything but a blob is none, wherever it is', async () => {
    const location = 'https://cdn.test/x';
    const { port } = await start(answer(307, { location }));
    for (const path of [
      '/v2/library/app/manifests/1',
      `/v2/library/app/manifests/${ONE.digest}`,
      '/v2/off/app/manifests/1',
      `/v2/library/app/referrers/${ONE.digest}`,
      '/v2/library/app/tags/list',
      '/v2/off/app/tags/list',
      '/v2/',
    ])
      for (const method of ['GET', 'HEAD']) {
        const reply = await ask(port, path, { method });
        expect([path, method, reply.status, reply.headers.location]).toEqual([path, method, 502, undefined]);
      }
  });

  test('for a blob in a store is passed on as it is, without a word of the registry’s on its digest', async () => {
    const location = 'https://cdn.test/x?Signature=a%2Fb&Expires=1';
    const { port } = await start(answer(307, { location }));
    const reply = await ask(port, PATH);
    expect([reply.status, reply.headers.location]).toEqual([307, location]);
  });
});

describe('an announced digest', () => {
  const other512 = `sha512:${'a'.repeat(128)}`;
  test.each<[string, string | string[], number, string | undefined]>([
    ['that was asked for', DIGEST, 200, DIGEST],
    ['of another blob', OTHER, 502, undefined],
    ['of another algorithm says nothing', other512, 200, undefined],
    ['in upper case', DIGEST.toUpperCase(), 502, undefined],
    ['with another before it', ['foo', DIGEST], 502, undefined],
    ['said twice', [DIGEST, DIGEST], 502, undefined],
    ['that is none', 'evil', 502, undefined],
    ['that is empty', '', 502, undefined],
  ])('of a blob %s', async (_name, announced, status, left) => {
    for (const method of ['GET', 'HEAD']) {
      const { port } = await start(answer(200, { 'docker-content-digest': announced }));
      const reply = await ask(port, PATH, { method });
      expect([method, reply.status, reply.headers['docker-content-digest']]).toEqual([method, status, left]);
    }
  });

  test.each([OTHER, DIGEST.toUpperCase(), 'evil', [ONE.digest, ONE.digest]])(
    'of a manifest: %s',
    async (announced) => {
      const { port } = await start(
        answer(200, { 'content-type': MANIFEST_TYPE, 'docker-content-digest': announced }, ONE.bytes),
      );
      for (const reference of ['1', ONE.digest]) {
        const reply = await ask(port, `/v2/library/app/manifests/${reference}`);
        expect([reply.status, errorOf(reply).detail['reason']]).toEqual([502, 'digest_mismatch']);
      }
    },
  );
});

describe('headers no client can take', () => {
  /** As they come over the wire: UTF-8, and what is not even that. */
  const STRANGE = [Buffer.from('x€').toString('latin1'), '\u00ff\u0080', '\tx'];
  const PATHS = [
    '/v2/library/app/manifests/1',
    `/v2/library/app/manifests/${ONE.digest}`,
    '/v2/off/app/manifests/1',
    PATH,
    `/v2/library/app/referrers/${ONE.digest}`,
    '/v2/library/app/tags/list',
    '/v2/off/app/tags/list',
    '/v2/',
  ];
  const NAMES = [
    'www-authenticate',
    'retry-after',
    'ratelimit-limit',
    'content-type',
    'docker-content-digest',
    'link',
    'etag',
    'warning',
    'location',
    'oci-filters-applied',
  ];
  test.each([200, 401, 404, 429, 503])('of an answer %d end nothing', async (status) => {
    for (const value of STRANGE)
      for (const name of NAMES) {
        const proxy = await start(answer(status, { [name]: value }, ONE.bytes));
        for (const path of PATHS) {
          const reply = await ask(proxy.port, path);
          expect([name, path, reply.status === 500]).toEqual([name, path, false]);
        }
        expect(proxy.errors).toEqual([]);
      }
  });

  test('never come from the registry’s own page: cookies, frames, hops, programs', async () => {
    const hostile = {
      'set-cookie': 'a=b',
      connection: 'close, x-evil',
      'x-evil': '1',
      'clear-site-data': '"*"',
      'strict-transport-security': 'max-age=9',
      refresh: '0; url=https://evil.test',
      server: 'evil',
      'access-control-allow-origin': '*',
      'alt-svc': 'h2="evil.test:443"',
      link: '<https://evil.test/v2/library/app/tags/list?last=1>; rel="next"',
      'oci-namespace': 'evil.test',
      upgrade: 'h2c',
    };
    for (const status of [200, 404]) {
      const { port } = await start(answer(status, hostile, ONE.bytes));
      for (const path of PATHS) {
        const { headers } = await ask(port, path);
        for (const [name, value] of Object.entries(hostile))
          if (name !== 'connection') expect([name, path, headers[name]]).not.toEqual([name, path, value]);
        expect([path, headers.connection?.includes('evil') ?? false]).toEqual([path, false]);
      }
    }
  });
});

test('a registry’s length is believed of nothing: what is cut arrives cut, what is longer is not read', async () => {
  const { port } = await start((_req, res) => {
    res.writeHead(200, { 'content-length': '100' });
    res.write(BLOB, () => res.destroy());
  });
  await expect(ask(port, PATH)).rejects.toThrow();
  for (const length of ['-1', '1e3', '10, 11', '99999999999999999999999']) {
    const raw = await start((req) => {
      req.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n0123456789`);
    });
    const reply = await ask(raw.port, PATH).catch(() => undefined);
    expect([length, reply === undefined || reply.status === 502]).toEqual([length, true]);
    expect(raw.errors).toEqual([]);
  }
});

test('the catalog of all repositories is nobody’s, with our own account as well', async () => {
  const proxy = await startProxy({ handler: answer(200, {}), auth: BASIC });
  running.push(proxy);
  for (const path of ['/v2/_catalog', '/v2/_catalog?n=1', '/v2/docker.io/_catalog', '/v2/_catalog/'])
    expect([path, (await ask(proxy.port, path)).status]).toEqual([path, 400]);
  expect(proxy.upstream.received).toEqual([]);
});
