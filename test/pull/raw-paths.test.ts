/**
 * Every row of registry-clients.md §6.2 that can be sent, byte by byte over a socket; nothing may reach the upstream.
 * What two parsers could read in two ways is in raw-smuggling.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { manifest, type RunningProxy, rule, sendRaw, startProxy } from './harness.ts';

const HEX = 'a'.repeat(64);
const TAGGED = 'a'.repeat(129);

let proxy: RunningProxy;
beforeAll(async () => {
  // The most open policy there is: only the grammar stands between these requests and the upstream.
  proxy = await startProxy({ rules: [rule({ mode: 'off' })], handler: (_req, res) => res.end('forwarded') });
});
afterAll(() => proxy.close());

/** The status and the whole answer. */
async function send(request: string): Promise<{ status: number; text: string }> {
  const text = await sendRaw(proxy.port, request);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text };
}

function get(target: string, more = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`;
}

type Row = readonly [name: string, target: string, code: string];
const ROWS: readonly Row[] = [
  // Percent-encoding anywhere in the path.
  ['encoded colon of a digest', `/v2/r/manifests/sha256%3A${HEX}`, 'TAG_INVALID'],
  ['encoded letter of a digest', `/v2/r/manifests/%73ha256:${HEX}`, 'DIGEST_INVALID'],
  ['encoded letter of a tag', '/v2/r/manifests/o%6B', 'TAG_INVALID'],
  ['encoded slash in the name', '/v2/library%2Fimg/manifests/t', 'NAME_INVALID'],
  ['encoded slash before manifests', '/v2/r%2Fmanifests%2Ft', 'NAME_INVALID'],
  ['encoded slash after manifests', '/v2/r/manifests%2Ft', 'NAME_INVALID'],
  ['encoded dots', '/v2/r/%2e%2e/x/manifests/t', 'NAME_INVALID'],
  ['encoded NUL', '/v2/r/manifests/t%00', 'TAG_INVALID'],
  ['encoded line break', '/v2/r/manifests/t%0a', 'TAG_INVALID'],
  ['encoded space', '/v2/r/manifests/t%20', 'TAG_INVALID'],
  ['encoded semicolon', '/v2/r/manifests/t%3Bx', 'TAG_INVALID'],
  ['encoded fragment', '/v2/r/manifests/t%23x', 'TAG_INVALID'],
  ['encoded question mark', '/v2/r/manifests/t%3Fx', 'TAG_INVALID'],
  // Segments that some software cleans.
  ['dots behind a digest', `/v2/r/manifests/sha256:${HEX}/../t`, 'DIGEST_INVALID'],
  ['encoded slashes and dots behind a digest', `/v2/r/manifests/sha256:${HEX}%2F..%2Ft`, 'DIGEST_INVALID'],
  ['a dot segment', '/v2/r/./manifests/t', 'NAME_INVALID'],
  ['a dot-dot segment', '/v2/x/../r/manifests/t', 'NAME_INVALID'],
  ['a double slash in front', '//v2/r/manifests/t', 'NAME_INVALID'],
  ['a double slash inside', '/v2//r/manifests/t', 'NAME_INVALID'],
  ['a trailing slash', '/v2/r/manifests/t/', 'TAG_INVALID'],
  ['two trailing slashes', '/v2/r/manifests/ok//', 'TAG_INVALID'],
  ['a trailing slash behind a digest', `/v2/r/blobs/sha256:${HEX}/`, 'DIGEST_INVALID'],
  ['a trailing slash behind the tag list', '/v2/r/tags/list/', 'NAME_INVALID'],
  ['a backslash', '/v2/r\\manifests\\t', 'NAME_INVALID'],
  ['a semicolon', '/v2/r/manifests/t;x', 'TAG_INVALID'],
  ['a fragment', '/v2/r/manifests/t#x', 'TAG_INVALID'],
  // Case.
  ['upper-case v2', '/V2/r/manifests/t', 'NAME_INVALID'],
  ['upper-case manifests', '/v2/r/Manifests/t', 'NAME_INVALID'],
  ['an upper-case name', '/v2/Library/img/manifests/t', 'NAME_INVALID'],
  // Digests.
  ['upper-case hex', `/v2/r/manifests/sha256:${'A'.repeat(64)}`, 'DIGEST_INVALID'],
  ['63 hex digits', `/v2/r/manifests/sha256:${HEX.slice(1)}`, 'DIGEST_INVALID'],
  ['65 hex digits', `/v2/r/manifests/sha256:${HEX}a`, 'DIGEST_INVALID'],
  ['32 hex digits', `/v2/r/manifests/sha256:${HEX.slice(32)}`, 'DIGEST_INVALID'],
  ['an unknown algorithm', `/v2/r/manifests/foo:${HEX}`, 'DIGEST_INVALID'],
  ['sha384', `/v2/r/manifests/sha384:${'a'.repeat(96)}`, 'DIGEST_INVALID'],
  ['base64 digest', `/v2/r/manifests/sha256+b64u:${HEX}`, 'DIGEST_INVALID'],
  ['tarsum', `/v2/r/manifests/tarsum.v1+sha256:${HEX}`, 'DIGEST_INVALID'],
  ['upper-case algorithm', `/v2/r/manifests/SHA256:${HEX}`, 'DIGEST_INVALID'],
  ['sha512 with 64 digits', `/v2/r/manifests/sha512:${HEX}`, 'DIGEST_INVALID'],
  ['a tag where a blob digest belongs', '/v2/r/blobs/latest', 'DIGEST_INVALID'],
  ['a tag with a referrers path', '/v2/r/referrers/latest', 'DIGEST_INVALID'],
  // Lengths.
  ['a tag of 129 characters', `/v2/r/manifests/${TAGGED}`, 'TAG_INVALID'],
  ['a name of 256 characters', `/v2/${'a/'.repeat(127)}aa/manifests/t`, 'NAME_INVALID'],
  ['a target of 3000 characters', `/v2/${'a'.repeat(3000)}/manifests/t`, 'NAME_INVALID'],
  // Names.
  ['a registry nobody configured, with a port', '/v2/evil.com:5000/x/manifests/t', 'NAME_INVALID'],
  ['a trailing dot in a name', '/v2/docker.io./x/manifests/t', 'NAME_INVALID'],
  ['a tag that starts with a dot', '/v2/r/manifests/.t', 'TAG_INVALID'],
  // Query.
  ['an unknown query', '/v2/r/manifests/t?x=1', 'NAME_INVALID'],
  ['a tag in the query', '/v2/r/manifests/t?tag=other', 'NAME_INVALID'],
  ['a digest in the query', `/v2/r/manifests/t?digest=sha256:${HEX}`, 'NAME_INVALID'],
  ['an empty query', '/v2/r/manifests/t?', 'NAME_INVALID'],
  ['ns twice', '/v2/r/manifests/t?ns=docker.io&ns=quay.io', 'NAME_INVALID'],
  ['ns with an encoded letter', '/v2/r/manifests/t?ns=docker%2Eio', 'NAME_INVALID'],
  ['ns with a path', '/v2/r/manifests/t?ns=docker.io/x', 'NAME_INVALID'],
  ['ns with a user', '/v2/r/manifests/t?ns=u@docker.io', 'NAME_INVALID'],
  ['an encoded key', '/v2/r/manifests/t?%6Es=docker.io', 'NAME_INVALID'],
  ['paging on a manifest', '/v2/r/manifests/t?n=1', 'NAME_INVALID'],
  ['a negative page', '/v2/r/tags/list?n=-1', 'NAME_INVALID'],
  ['a last that is no tag', '/v2/r/tags/list?last=../x', 'TAG_INVALID'],
  ['an artifact type with a line break', `/v2/r/referrers/sha256:${HEX}?artifactType=a/b%0a`, 'NAME_INVALID'],
  // Forms and paths that are not ours.
  ['the catalog', '/v2/_catalog', 'NAME_INVALID'],
  ['an upload', '/v2/r/blobs/uploads/', 'DIGEST_INVALID'],
  ['registry v1', '/v1/_ping', 'NAME_INVALID'],
  ['a token path', '/token', 'NAME_INVALID'],
  ['the root', '/', 'NAME_INVALID'],
  ['v2 without its slash', '/v2', 'NAME_INVALID'],
  ['a key of the trust server', '/v2/docker.io/library/r/_trust/tuf/timestamp.key', 'NAME_INVALID'],
  ['a role outside its folder', '/v2/docker.io/library/r/_trust/tuf/targets/../root.json', 'NAME_INVALID'],
  ['absolute form', 'http://evil.example/v2/r/manifests/t', 'NAME_INVALID'],
  ['absolute form with a user', 'http://u:p@evil.example/v2/r/manifests/t', 'NAME_INVALID'],
  ['authority form', 'evil.example:443', 'NAME_INVALID'],
  ['asterisk form', '*', 'NAME_INVALID'],
  ['a prefix nobody configured', '/mirror/v2/r/manifests/t', 'NAME_INVALID'],
  ['a prefix in upper case', '/HUB/v2/r/manifests/t', 'NAME_INVALID'],
  ['an encoded prefix', '/h%75b/v2/r/manifests/t', 'NAME_INVALID'],
  ['dots in front of a prefix', '/x/../hub/v2/r/manifests/t', 'NAME_INVALID'],
  ['a prefix with a second v2', '/v2/v2/r/manifests/', 'TAG_INVALID'],
  ['a page nobody linked to', `/v2/r/referrers/sha256:${HEX}?page=Li4v`, 'NAME_INVALID'],
  ['a page on a tag list', '/v2/r/tags/list?page=bj0x', 'NAME_INVALID'],
];

/** What came without a grammar, but with an \`ns\`, may come from a mirror: its refusal is in the form that stops it. */
function statusOf(target: string): number {
  return /[?&]ns=/.test(target) ? 300 : 400;
}

describe('a target outside the grammar is refused and never forwarded', () => {
  test.each(ROWS)('%s', async (_name, target, code) => {
    const { status, text } = await send(get(target));
    expect([status, /"code":"([A-Z_]+)"/.exec(text)?.[1]]).toEqual([statusOf(target), code]);
    expect(text).toContain('"reason":"bad_request"');
    expect(proxy.upstream.received).toEqual([]);
  });

  test('each of them is answered the same when it comes one byte at a time', async () => {
    for (const [name, target] of ROWS) {
      const [whole, dripped] = await Promise.all([send(get(target)), sendRaw(proxy.port, get(target), 1)]);
      expect([name, withoutNoise(dripped)]).toEqual([name, withoutNoise(whole.text)]);
    }
    expect(proxy.upstream.received).toEqual([]);
  });

  test('a name nobody configured as ns is refused as that', async () => {
    const { status, text } = await send(get('/v2/r/manifests/t?ns=evil.example'));
    expect(status).toBe(300);
    expect(text).toContain('"reason":"namespace_unknown"');
    expect(proxy.upstream.received).toEqual([]);
  });
});

/** An answer without what differs from one to the next. */
function withoutNoise(text: string): string {
  // The request's ID is in the body, so its length differs too.
  return text.replace(/req-\d+/g, 'req').replace(/\r\n(?:Date|Content-Length): [^\r]*/gi, '');
}

describe('methods', () => {
  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'])(
    '%s is 405',
    async (method) => {
      const { status, text } = await send(
        `${method} /v2/r/manifests/sha256:${HEX} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      expect(status).toBe(405);
      expect(text).toMatch(/\r\nallow: GET, HEAD\r\n/i);
      expect(text).toContain('UNSUPPORTED');
      expect(proxy.upstream.received.filter(({ method: seen }) => seen === method)).toEqual([]);
    },
  );

  test('an override header changes nothing and does not go on', async () => {
    const overrides =
      'X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /v2/evil\r\nX-Rewrite-URL: /v2/evil\r\n';
    const { status } = await send(get('/v2/r/manifests/t', overrides));
    expect(status).toBe(200);
    const [seen] = proxy.upstream.received.splice(0);
    expect([seen?.method, seen?.url]).toEqual(['GET', '/v2/library/r/manifests/t']);
    expect(seen?.raw.join('|')).not.toMatch(/override|original|rewrite/i);
  });

  test('CONNECT is cut, an Upgrade is an ordinary request', async () => {
    expect(await sendRaw(proxy.port, 'CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n')).toBe('');
    const upgrade = 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const text = await sendRaw(
      proxy.port,
      `GET /v2/r/manifests/t;x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\n${upgrade}\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(proxy.upstream.received).toEqual([]);
  });

  test('a GET body is not forwarded, and ends the connection', async () => {
    const body = 'GET /v2/evil/manifests/x HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const request = `GET /v2/r/manifests/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const text = await sendRaw(proxy.port, request);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    const [seen, ...more] = proxy.upstream.received.splice(0);
    expect(more).toEqual([]);
    expect(seen?.headers['content-length']).toBeUndefined();
    expect(seen?.headers['transfer-encoding']).toBeUndefined();
  });
});

test('tags that look like digests are tags, and are judged', async () => {
  const strict = await startProxy({ signed: { ok: manifest('x') } });
  try {
    for (const tag of [`sha256-${HEX}`, `sha256-${HEX}.sig`, HEX]) {
      const text = await sendRaw(strict.port, get(`/v2/r/manifests/${tag}`));
      expect(text).toMatch(/^HTTP\/1\.1 403 Denied by Pullwarden: docker\.io\/library\/r:/);
      expect(text).toContain('"reason":"unsigned_tag"');
    }
    expect(strict.upstream.received).toEqual([]);
  } finally {
    await strict.close();
  }
});
