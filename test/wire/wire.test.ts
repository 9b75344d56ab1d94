/** The small parts of the wire: refusals, challenges, media types. */
import { describe, expect, test } from '@jest/globals';
import { accepts, toMediaType } from '../../proxy/content/media-type.ts';
import { hasDigest } from '../../proxy/names/digest.ts';
import { DENIALS, DENY_REASONS } from '../../proxy/reason.ts';
import { toUpstreamError } from '../../proxy/upstream/errors.ts';
import { parseChallenges } from '../../proxy/wire/challenge.ts';
import { toErrorResponse, toReasonPhrase } from '../../proxy/wire/wire-errors.ts';
import { growth } from '../growth.ts';

describe('refusals on the wire', () => {
  test('every reason has a line, none of them is 401', () => {
    expect(Object.keys(DENIALS).sort()).toEqual([...DENY_REASONS].sort());
    expect(Object.values(DENIALS).map(({ status }): number => status)).not.toContain(401);
  });

  test('every reason gives a complete answer', () => {
    for (const reason of DENY_REASONS) {
      const { headers, body, status } = toErrorResponse(
        { reason, message: 'a: b; c' },
        { requestId: 'id', gun: 'g', rule: 'r' },
      );
      const parsed: unknown = JSON.parse(Buffer.from(body ?? []).toString());
      expect(parsed).toEqual({
        errors: [
          {
            code: expect.stringMatching(/^[A-Z_]+$/),
            message: 'a: b; c',
            detail: { reason, rule: 'r', gun: 'g', requestId: 'id' },
          },
        ],
      });
      expect(headers.get('Content-Length')).toBe(String(body?.length));
      expect(headers.has('Retry-After')).toBe(status === 503);
      expect(headers.has('Allow')).toBe(status === 405);
    }
  });

  test('an answer says it is an error envelope of a registry, and is stored by no cache', () => {
    const { headers, body } = toErrorResponse({ reason: 'bad_request', message: 'x' }, { requestId: 'id' });
    expect(Object.fromEntries(headers)).toEqual({
      'Content-Type': 'application/json',
      'Content-Length': String(body?.length),
      'Docker-Distribution-Api-Version': 'registry/2.0',
      'Cache-Control': 'no-store',
    });
  });

  test('what can be mended by waiting or by another method says so, and a code of its own wins', () => {
    const answer = (refusal: Parameters<typeof toErrorResponse>[0]) =>
      toErrorResponse(refusal, { requestId: 'id' });
    const { headers } = answer({ reason: 'deadline_exceeded', message: 'x' });
    expect(headers.get('Retry-After')).toBe('10');
    expect(answer({ reason: 'method_not_allowed', message: 'x' }).headers.get('Allow')).toBe('GET, HEAD');
    const { body } = answer({ reason: 'bad_request', code: 'TAG_INVALID', message: 'x' });
    expect(Buffer.from(body ?? []).toString()).toContain('"code":"TAG_INVALID"');
  });

  test('the status line has the sentence without its advice, and ends with no space', () => {
    expect(toReasonPhrase('a: b; c; d', { code: 'DENIED' })).toBe('Denied by Pullwarden: a: b');
    expect(toReasonPhrase('a; b', { code: 'UNKNOWN' })).toBe('Pullwarden: a');
    const cut = `${'x'.repeat(187)} y`;
    expect(toReasonPhrase(cut, { code: 'UNKNOWN' })).toBe(`Pullwarden: ${'x'.repeat(187)}`);
    expect(toReasonPhrase('a\nb\u007fc~', { code: 'UNKNOWN' })).toBe('Pullwarden: a?b?c~');
  });

  test('no text can end the status line or make it long', () => {
    const phrase = toReasonPhrase(`evil\r\nSet-Cookie: a=b\u0000\u00fc\u2028${'x'.repeat(5000)}`, {
      code: 'DENIED',
    });
    expect(phrase).toMatch(/^[\x20-\x7e]{1,200}$/);
  });
});

describe('WWW-Authenticate', () => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);

  test.each([
    [
      'Bearer realm="https://a/b",service="s, t",scope="x"',
      [['bearer', { realm: 'https://a/b', service: 's, t', scope: 'x' }]],
    ],
    ['Basic realm="x"', [['basic', { realm: 'x' }]]],
    ['Basic', [['basic', {}]]],
    [
      'Negotiate, Basic realm="x", Bearer realm="y"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'y' }],
      ],
    ],
    ['Bearer service=registry.example,realm="x"', [['bearer', { service: 'registry.example', realm: 'x' }]]],
    ['BEARER Realm = "a\\"b" , service=s', [['bearer', { realm: 'a"b', service: 's' }]]],
    ['Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
    ['Bearer realm="unfinished', [['bearer', {}]]],
    ['', []],
    ['="', []],
    [`Bearer realm="${'x'.repeat(9000)}"`, []],
  ])('%s', (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  test('at most eight challenges of at most sixteen parameters, in at most 8 KiB, are read', () => {
    expect(parseChallenges('Basic, '.repeat(9))).toHaveLength(8);
    const params = Array.from({ length: 17 }, (_, at) => `p${at}=v`).join(',');
    expect(parseChallenges(`Bearer ${params}`)[0]?.params.size).toBe(16);
    const fits = `Bearer realm="${'x'.repeat(8192 - 15)}"`;
    expect([parseChallenges(fits).length, parseChallenges(`${fits} `).length]).toEqual([1, 0]);
  });

  test('a hostile header takes time in proportion to its length', () => {
    const read = (size: number) => {
      for (const part of ['a,', 'a ', 'a="', '\\"', 'a=b,', '"', ' ,', 'a='])
        for (let run = 0; run < 20; run += 1) parseChallenges(part.repeat(size).slice(0, size));
    };
    expect(growth(read, 2048, 8192)).toBeLessThan(10);
  });
});

describe('the media type of a manifest', () => {
  const V2 = 'application/vnd.docker.distribution.manifest.v2+json';
  const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
  const OCI = 'application/vnd.oci.image.manifest.v1+json';
  const INDEX = 'application/vnd.oci.image.index.v1+json';
  const image = { schemaVersion: 2, config: {}, layers: [] };
  const index = { schemaVersion: 2, manifests: [] };

  test.each<[string, unknown, string | undefined, string | undefined]>([
    ['docker manifest', { ...image, mediaType: V2 }, V2, V2],
    ['docker list', { ...index, mediaType: LIST }, LIST, LIST],
    ['OCI manifest without mediaType', image, OCI, OCI],
    ['OCI index', index, INDEX, INDEX],
    ['parameters and case of the header', image, `${OCI.toUpperCase()}; charset=utf-8`, OCI],
    ['header and body that disagree', { ...image, mediaType: OCI }, V2, undefined],
    ['an index called manifest', index, OCI, undefined],
    ['a manifest called index', image, INDEX, undefined],
    ['both shapes', { ...image, manifests: [] }, OCI, undefined],
    ['neither shape', { schemaVersion: 2 }, OCI, undefined],
    ['a manifest without layers', { schemaVersion: 2, config: {} }, OCI, undefined],
    [
      'schema 1',
      { schemaVersion: 1, fsLayers: [] },
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      undefined,
    ],
    ['schema 1 fields in schema 2', { ...image, fsLayers: [] }, V2, undefined],
    ['application/json', image, 'application/json', undefined],
    ['no header', image, undefined, undefined],
    ['two headers', image, `${OCI}, ${V2}`, undefined],
    ['schema 1 in the shape of an image', { ...image, schemaVersion: 1 }, OCI, undefined],
    ['signatures in schema 2', { ...image, signatures: [] }, V2, undefined],
    ['an index with layers', { ...index, layers: [] }, INDEX, undefined],
    ['an index with a configuration', { ...index, config: {} }, INDEX, undefined],
    ['an index whose manifests are no list', { schemaVersion: 2, manifests: {} }, INDEX, undefined],
    ['layers that are no list', { ...image, layers: {} }, OCI, undefined],
    ['a configuration that is no object', { ...image, config: 'text' }, OCI, undefined],
    ['a configuration of null', { ...image, config: null }, OCI, undefined],
    ['no object', [], OCI, undefined],
    ['null', null, OCI, undefined],
    ['a mediaType that is no text', { ...image, mediaType: { a: 1 } }, OCI, undefined],
  ])('%s', (_name, body, header, expected) => {
    expect(toMediaType(Buffer.from(JSON.stringify(body)), header)).toBe(expected);
  });

  test('bytes that are no JSON or no UTF-8 have none', () => {
    expect(toMediaType(Buffer.from('{'), OCI)).toBeUndefined();
    expect(toMediaType(Buffer.from([0x7b, 0xff, 0x7d]), OCI)).toBeUndefined();
    const text = JSON.stringify({ ...image, label: '~' });
    const broken = Buffer.from(text);
    broken[text.indexOf('~')] = 0xff;
    expect(toMediaType(Buffer.from(text), OCI)).toBe(OCI);
    expect(toMediaType(broken, OCI)).toBeUndefined();
  });

  test('what a client accepts', () => {
    for (const accept of [undefined, '*/*', `text/html, ${V2};q=0.5`, 'application/*', 'application/json'])
      expect(accepts(accept, V2)).toBe(true);
    for (const accept of ['', OCI, 'text/*']) expect(accepts(accept, V2)).toBe(false);
  });
});

test('digests of both algorithms are checked', () => {
  const bytes = Buffer.from('abc');
  const sha256 = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  const sha512 =
    'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f';
  expect([hasDigest(bytes, sha256), hasDigest(bytes, sha512)]).toEqual([true, true]);
  expect(hasDigest(Buffer.from('abd'), sha256)).toBe(false);
});

test('whatever a socket throws becomes one of our kinds', () => {
  const kind = (code: string) => toUpstreamError(Object.assign(new Error('x'), { code }), 'u').kind;
  expect([
    kind('UND_ERR_HEADERS_TIMEOUT'),
    kind('HPE_INVALID_CONSTANT'),
    kind('ECONNREFUSED'),
    kind('CERT_HAS_EXPIRED'),
  ]).toEqual(['timeout', 'bad_answer', 'unreachable', 'unreachable']);
  expect(toUpstreamError('text', 'u').kind).toBe('unreachable');
});
