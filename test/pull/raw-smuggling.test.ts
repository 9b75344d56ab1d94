/**
 * Requests that two parsers could read in two ways (registry-clients.md §6.2, "CL+TE, …"; RFC 9112 §6.3, §11.2): a
 * hop in front of the proxy, or the registry behind it, must never see another request than the one that was judged.
 */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type RunningProxy, rule, sendRaw, startProxy } from './harness.ts';

const TARGET = '/v2/r/manifests/t';
/** What an attacker wants to get past the proxy. */
const SMUGGLED = 'GET /v2/evil/manifests/x HTTP/1.1\r\nHost: localhost\r\n\r\n';
const CLOSE = 'Connection: close\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';

let proxy: RunningProxy;
beforeAll(async () => {
  // The most open policy there is: only the grammar stands between these requests and the upstream.
  proxy = await startProxy({ rules: [rule({ mode: 'off' })], handler: (_req, res) => res.end('forwarded') });
});
beforeEach(() => void proxy.upstream.received.splice(0));
afterAll(() => proxy.close());

/** A request with these lines after its own `Host`, and what follows the empty line. */
function get(lines: string, body = ''): string {
  return `GET ${TARGET} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n${body}`;
}

/** Status codes of the answers, in order. */
function statuses(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));
}

type Row = readonly [name: string, request: string];

const HEADS: readonly Row[] = [
  ['two Host headers', `GET ${TARGET} HTTP/1.1\r\nHost: quay.proxy.test\r\nHost: localhost\r\n${CLOSE}\r\n`],
  ['two equal Host headers', get(`Host: localhost\r\n${CLOSE}`)],
  ['a Host header folded into two', `GET ${TARGET} HTTP/1.1\r\nHost: localhost\r\n evil.example\r\n\r\n`],
  ['two hosts in one header', `GET ${TARGET} HTTP/1.1\r\nHost: localhost, evil.example\r\n${CLOSE}\r\n`],
  ['a user in the Host header', `GET ${TARGET} HTTP/1.1\r\nHost: user@evil\r\n${CLOSE}\r\n`],
  ['a path in the Host header', `GET ${TARGET} HTTP/1.1\r\nHost: evil/x\r\n${CLOSE}\r\n`],
  ['a byte that is not ASCII in the Host header', `GET ${TARGET} HTTP/1.1\r\nHost: ev\xefl\r\n${CLOSE}\r\n`],
  ['no Host header', `GET ${TARGET} HTTP/1.1\r\n${CLOSE}\r\n`],
  ['both lengths', get(`Content-Length: 1\r\n${CHUNKED}`)],
  ['both lengths, the other way round', get(`${CHUNKED}Content-Length: 1\r\n`)],
  [
    'both lengths, with a request in what one of them calls the body',
    get(`Content-Length: 5\r\n${CHUNKED}`, `0\r\n\r\n${SMUGGLED}`),
  ],
  ['two equal lengths', get('Content-Length: 0\r\nContent-Length: 0\r\n')],
  ['two lengths that differ', get(`Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n`, SMUGGLED)],
  ['two lengths in one header', get('Content-Length: 0, 0\r\n')],
  ['a length with a plus sign', get('Content-Length: +5\r\n', 'hello')],
  ['a length with a minus sign', get('Content-Length: -5\r\n', 'hello')],
  ['a length in hexadecimal', get('Content-Length: 0x5\r\n', 'hello')],
  ['a length with a space inside', get('Content-Length: 5 5\r\n', 'hello')],
  ['a length with a fraction', get('Content-Length: 5.0\r\n', 'hello')],
  ['a length beyond 64 bits', get('Content-Length: 184467440737095516160\r\n')],
  ['an empty length', get('Content-Length: \r\n', SMUGGLED)],
  ['an unknown transfer encoding', get('Transfer-Encoding: xchunked\r\n')],
  ['identity', get('Transfer-Encoding: identity\r\n', SMUGGLED)],
  ['chunked, then identity', get('Transfer-Encoding: chunked, identity\r\n')],
  ['identity, then chunked', get('Transfer-Encoding: identity, chunked\r\n', `0\r\n\r\n`)],
  ['gzip, then chunked', get('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n`)],
  ['chunked twice', get('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n`)],
  ['two transfer encodings', get(`${CHUNKED}Transfer-Encoding: identity\r\n`)],
  ['two transfer encodings, chunked last', get(`Transfer-Encoding: identity\r\n${CHUNKED}`, '0\r\n\r\n')],
  ['chunked in quotes', get('Transfer-Encoding: "chunked"\r\n')],
  ['chunked with a parameter', get('Transfer-Encoding: chunked;q=1\r\n')],
  ['chunked behind a vertical tab', get('Transfer-Encoding: \x0bchunked\r\n')],
  ['chunked with a NUL', get('Transfer-Encoding: chunked\x00\r\n')],
  ['an empty transfer encoding', get('Transfer-Encoding: \r\n', SMUGGLED)],
  ['a folded transfer encoding', get('Transfer-Encoding:\r\n chunked\r\n')],
  ['a space before the colon', get('Transfer-Encoding : chunked\r\n')],
  ['a tab before the colon', get('Transfer-Encoding\t: chunked\r\n')],
  ['a space before the first header', `GET ${TARGET} HTTP/1.1\r\n Host: localhost\r\n\r\n`],
  [
    'chunked in HTTP/1.0',
    `GET ${TARGET} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\nTransfer-Encoding: xchunked\r\n\r\n${SMUGGLED}`,
  ],
  ['a folded header', get('X: a\r\n b\r\n')],
  ['a header without a colon', get('Nonsense\r\n')],
  ['a header without a name', get(': value\r\n')],
  ['a space inside a header name', get('Content Length: 5\r\n')],
  ['a NUL in a header', get('X: a\x00b\r\n')],
  ['a bare carriage return in a header', get('X: a\rContent-Length: 5\r\n', 'hello')],
  ['a bare line feed between headers', get('X: a\nContent-Length: 5\r\n', 'hello')],
  ['bare line feeds', `GET ${TARGET} HTTP/1.1\nHost: localhost\n\n`],
  ['bare carriage returns', `GET ${TARGET} HTTP/1.1\rHost: localhost\r\r`],
  ['a byte that is not ASCII', `GET ${TARGET}\xff HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a NUL in the target', `GET ${TARGET}\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a tab in the target', `GET ${TARGET}\tx HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a space in the target', `GET ${TARGET} x HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  [
    'a request line with a second one behind a carriage return',
    `GET ${TARGET}\rGET /v2/evil/manifests/x HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  ],
  ['a method in lower case', `get ${TARGET} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['a method nobody knows', `GETX ${TARGET} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['no method', `${TARGET} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ['HTTP/0.9', `GET ${TARGET}\r\n\r\n`],
  ['HTTP/1.10', `GET ${TARGET} HTTP/1.10\r\nHost: localhost\r\n\r\n`],
  ['HTTP/2.0', `GET ${TARGET} HTTP/2.0\r\nHost: localhost\r\n${CLOSE}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP in lower case', `GET ${TARGET} http/1.1\r\nHost: localhost\r\n\r\n`],
  ['another protocol', `GET ${TARGET} ICY/1.1\r\nHost: localhost\r\n\r\n`],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['17 KiB of headers', get(`X: ${'a'.repeat(17 * 1024)}\r\n`)],
];

describe('a head that two parsers could read in two ways is refused, and nothing is forwarded', () => {
  test.each(HEADS)('%s', async (_name, request) => {
    const bytes = Buffer.from(request, 'latin1');
    const text = await sendRaw(proxy.port, bytes);
    // One refusal, after which the connection is closed: what follows is not read as a request.
    expect(statuses(text).map((code) => (code === 431 ? 400 : code))).toEqual([400]);
    expect(text).not.toContain('forwarded');
    expect(proxy.upstream.received).toEqual([]);
  });
});

const BODIES: readonly Row[] = [
  ['a body of a stated length', get(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED)],
  ['less body than stated, then a request', get('Content-Length: 3\r\n', `abc${SMUGGLED}`)],
  ['a length with leading zeros', get('Content-Length: 003\r\n', `abc${SMUGGLED}`)],
  ['an empty chunked body, then a request', get(CHUNKED, `0\r\n\r\n${SMUGGLED}`)],
  ['a chunk that is a request', get(CHUNKED, `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`)],
  ['a chunk length in upper case', get(CHUNKED, `A\r\n0123456789\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk length with 0x', get(CHUNKED, `0x3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk length with a sign', get(CHUNKED, `+3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk length with a space', get(CHUNKED, `3 \r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk length beyond 64 bits', get(CHUNKED, `${'f'.repeat(17)}\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['no chunk length', get(CHUNKED, `\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a negative chunk length', get(CHUNKED, `-1\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk extension with a bare line feed', get(CHUNKED, `3;x\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  [
    'a chunk extension with a request behind a carriage return',
    get(CHUNKED, `3;x\r${SMUGGLED}\r\nabc\r\n0\r\n\r\n`),
  ],
  ['20 KiB of chunk extensions', get(CHUNKED, `3;${'x'.repeat(20 * 1024)}\r\nabc\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk longer than its length', get(CHUNKED, `3\r\nabcdef\r\n0\r\n\r\n${SMUGGLED}`)],
  ['a chunk that ends in a bare line feed', get(CHUNKED, `3\r\nabc\n0\r\n\r\n${SMUGGLED}`)],
  ['chunks that end in bare line feeds', get(CHUNKED, `3\nabc\n0\n\n${SMUGGLED}`)],
  [
    'trailers that look like headers',
    get(CHUNKED, `0\r\nContent-Length: 5\r\nHost: evil.example\r\n\r\n${SMUGGLED}`),
  ],
  ['a trailer that is folded', get(CHUNKED, `0\r\nX: a\r\n b\r\n\r\n${SMUGGLED}`)],
  ['a body that is promised and awaited', get('Content-Length: 5\r\nExpect: 100-continue\r\n', SMUGGLED)],
  [
    'an upgrade, then a request',
    get('Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n', `abc${SMUGGLED}`),
  ],
  [
    'chunked in HTTP/1.0',
    `GET ${TARGET} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n${CHUNKED}\r\n0\r\n\r\n${SMUGGLED}`,
  ],
];

describe('a body means nothing on a pull, and nothing inside or behind it is another request', () => {
  test.each(BODIES)('%s', async (_name, request) => {
    const text = await sendRaw(proxy.port, Buffer.from(request, 'latin1'));
    expect(statuses(text).filter((code) => code !== 100).length).toBeLessThanOrEqual(1);
    // The head was in order; if its request went on, then without any of this.
    for (const { method, url, headers } of proxy.upstream.received) {
      expect([method, url]).toEqual(['GET', '/v2/library/r/manifests/t']);
      for (const name of ['content-length', 'transfer-encoding', 'trailer', 'expect', 'upgrade'])
        expect(headers).not.toHaveProperty(name);
    }
    expect(proxy.upstream.received.length).toBeLessThanOrEqual(1);
  });
});

test('two requests in one packet are two requests, answered in order, each judged by itself', async () => {
  const second = `GET /v2/r/manifests/t;x HTTP/1.1\r\nHost: localhost\r\n${CLOSE}\r\n`;
  const text = await sendRaw(proxy.port, get('') + second);
  expect(statuses(text)).toEqual([200, 400]);
  expect(proxy.upstream.received.map(({ url }) => url)).toEqual(['/v2/library/r/manifests/t']);
});

test('something malformed behind a request does not become part of its answer', async () => {
  proxy.upstream.answer((_req, res) => {
    res.writeHead(200, { 'content-length': 1000 }).write('part');
    setTimeout(() => res.destroy(), 500).unref();
  });
  const socket = createConnection(proxy.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    if (text === '') socket.write('GET x\r\n\r\n');
    text += chunk.toString('latin1');
  });
  // A blob: manifests do not stream.
  socket.write(get('').replace('manifests/t', `blobs/sha256:${'a'.repeat(64)}`));
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*part$/);
  proxy.upstream.answer((_req, res) => res.end('forwarded'));
});
