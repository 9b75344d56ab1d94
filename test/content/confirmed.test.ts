import { describe, expect, test } from '@jest/globals';
import {
  confirmAnnounced,
  confirmDigest,
  confirmSigned,
  isConfirmed,
  type WholeAnswer,
} from '../../proxy/content/confirmed.ts';
import { isDigest } from '../../proxy/names/reference.ts';
import { MANIFEST_TYPE, manifest, sha256 } from '../pull/harness.ts';

const ONE = manifest('one');
const OTHER = manifest('other');
const OLD = Buffer.from('{"schemaVersion":1,"fsLayers":[],"history":[]}');
const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1+json';

const answer = (overrides: Partial<WholeAnswer> = {}): WholeAnswer => ({
  bytes: ONE.bytes,
  contentType: MANIFEST_TYPE,
  announced: undefined,
  ...overrides,
});

describe('what was signed', () => {
  test('is the bytes with this digest and length, under a type they have', () => {
    for (const announced of [undefined, ONE.digest]) {
      const result = confirmSigned(answer({ announced }), ONE);
      expect([isConfirmed(result), result]).toEqual([
        true,
        { digest: ONE.digest, mediaType: MANIFEST_TYPE, bytes: ONE.bytes },
      ]);
    }
  });

  test.each<[Partial<WholeAnswer>, number, RegExp]>([
    [{}, ONE.length + 1, /bytes where \d+ were signed/],
    [{ bytes: ONE.bytes.subarray(1) }, ONE.length, /bytes where/],
    [{ bytes: Buffer.alloc(ONE.length) }, ONE.length, /other bytes than were signed/],
    [{ announced: OTHER.digest }, ONE.length, /announced another digest/],
    [{ contentType: undefined }, ONE.length, /media type/],
    [{ contentType: 'application/json' }, ONE.length, /media type/],
    [{ contentType: SCHEMA_1 }, ONE.length, /media type/],
  ])('and nothing else: %j', (overrides, length, what) => {
    const result = confirmSigned(answer(overrides), { digest: ONE.digest, length });
    expect([isConfirmed(result), 'what' in result && result.what]).toEqual([
      false,
      expect.stringMatching(what),
    ]);
  });

  test('is never schema 1', () => {
    const target = { digest: sha256(OLD), length: OLD.length };
    expect(isConfirmed(confirmSigned(answer({ bytes: OLD, contentType: SCHEMA_1 }), target))).toBe(false);
  });
});

describe('what a digest names', () => {
  test.each([
    [MANIFEST_TYPE, MANIFEST_TYPE],
    ['text/html', MANIFEST_TYPE],
    [undefined, MANIFEST_TYPE],
  ])('under %s is %s', (contentType, mediaType) => {
    expect(confirmDigest(answer({ contentType }), ONE.digest)).toMatchObject({
      mediaType,
      digest: ONE.digest,
    });
  });

  test('and does not say what it is keeps the registry’s word, or none', () => {
    const bytes = Buffer.from('no manifest');
    const typeOf = (contentType: string | undefined) =>
      confirmDigest(answer({ bytes, contentType }), sha256(bytes));
    expect(typeOf('text/plain')).toMatchObject({ mediaType: 'text/plain' });
    expect(typeOf(undefined)).toMatchObject({ mediaType: 'application/octet-stream' });
    expect(isConfirmed(typeOf(MANIFEST_TYPE))).toBe(false);
  });

  test.each<[Partial<WholeAnswer>, string]>([
    [{ bytes: OTHER.bytes }, 'the registry sent other bytes than the digest names'],
    [{ announced: OTHER.digest }, 'the registry announced another digest than was asked for'],
    [{ contentType: SCHEMA_1 }, 'the registry sent other bytes than the digest names'],
    [
      { contentType: 'application/vnd.oci.image.index.v1+json' },
      'the registry sent the bytes under a media type they do not have',
    ],
  ])('and nothing else: %j', (overrides, what) => {
    expect(confirmDigest(answer(overrides), ONE.digest)).toEqual({ kind: 'unconfirmed', what });
  });

  test('is schema 1 by its payload', () => {
    expect(confirmDigest(answer({ bytes: OLD, contentType: `${SCHEMA_1};q=1` }), sha256(OLD))).toMatchObject({
      mediaType: SCHEMA_1,
    });
  });
});

describe('bytes with more values than are read go out as nothing', () => {
  const bytes = Buffer.from(','.repeat(60_001));
  const what = 'the manifest has more JSON values and member names than the 60000 that are read';

  test.each([undefined, 'text/plain', MANIFEST_TYPE])('under %s', (contentType) => {
    const result = confirmDigest(answer({ bytes, contentType }), sha256(bytes));
    expect(result).toEqual({ kind: 'unconfirmed', what });
  });

  test('nor where they were signed', () => {
    const target = { digest: sha256(bytes), length: bytes.length };
    expect(confirmSigned(answer({ bytes }), target)).toEqual({ kind: 'unconfirmed', what });
  });
});

test('a tag no rule judges has the digest its registry announced, or that of its bytes', () => {
  const digestOf = (overrides: Partial<WholeAnswer>) => {
    const result = confirmAnnounced(answer(overrides), isDigest);
    return isConfirmed(result) ? result.digest : undefined;
  };
  expect([
    digestOf({}),
    digestOf({ announced: ONE.digest }),
    digestOf({ announced: OTHER.digest }),
    digestOf({ announced: 'evil' }),
    digestOf({ bytes: OLD, contentType: SCHEMA_1 }),
  ]).toEqual([ONE.digest, ONE.digest, undefined, undefined, sha256(OLD)]);
  expect(confirmAnnounced(answer({ announced: 'evil' }), isDigest)).toEqual({
    kind: 'unconfirmed',
    what: 'the registry announced something that is not a digest',
  });
});
