/** A manifest of 4 MiB whose reading holds the loop for two seconds: values are counted before anything is parsed. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { confirmDigest, isConfirmed } from '../../proxy/content/confirmed.ts';
import { hasTooManyValues, parseMembers } from '../../proxy/content/json-members.ts';
import { OCI_INDEX, ownMediaType, toMediaType } from '../../proxy/content/media-type.ts';
import type { Digest } from '../../proxy/names/reference.ts';

const MOST = 60_000;

function index(manifests: string, more = ''): Buffer {
  return Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}",${more}"manifests":[${manifests}]}`);
}

function many(count: number, text: (at: number) => string): string {
  return Array.from({ length: count }, (_, at) => text(at)).join(',');
}

const COSTLY: readonly [string, Buffer][] = [
  ['empty objects', index(many(MOST, () => '{}'))],
  ['empty lists', index(many(MOST, () => '[]'))],
  ['numbers', index(many(MOST, () => '1'))],
  ['members of many names', index('', `${many(MOST, (at) => `"k${at}":0`)},`)],
  ['lists in lists', index('['.repeat(MOST) + ']'.repeat(MOST))],
];

const PASSED: readonly [string, Buffer][] = [
  [
    '2,500 images',
    index(
      many(2_500, (at) => {
        const digest = `sha256:${at.toString(16).padStart(64, '0')}`;
        const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
        return JSON.stringify({ mediaType: OCI_INDEX, size: 500, digest, platform, annotations: { a: 'b' } });
      }),
    ),
  ],
  ['a text full of braces', index('', `"annotations":{"a":"${'{[:,\\"\\\\'.repeat(200_000)}"},`)],
];

function asDigest(bytes: Buffer, contentType: string) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
  return confirmDigest({ bytes, contentType, announced: undefined }, digest);
}

describe.each(COSTLY)('%s', (_what, bytes) => {
  test('are not read, and go out under no media type at all', () => {
    expect([toMediaType(bytes, OCI_INDEX), ownMediaType(bytes), parseMembers(bytes)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    for (const contentType of [OCI_INDEX, 'application/octet-stream', 'text/plain'])
      expect(asDigest(bytes, contentType)).toEqual({
        kind: 'unconfirmed',
        what: 'the manifest has more JSON values and member names than the 60000 that are read',
      });
  });
});

test.each(PASSED)('%s', (_what, bytes) => {
  expect(toMediaType(bytes, OCI_INDEX)).toBe(OCI_INDEX);
  expect(isConfirmed(asDigest(bytes, OCI_INDEX))).toBe(true);
});

test('what is counted ends exactly where it says', () => {
  const list = (values: number) => Buffer.from(`[${many(values, () => '1')}]`.padEnd(100, ' '));
  expect(hasTooManyValues(list(10), 10)).toBe(false);
  expect(hasTooManyValues(list(11), 10)).toBe(true);
  // A text that ends inside a string, or behind a backslash, ends the count.
  expect(hasTooManyValues(Buffer.from(`["${'\\'.repeat(99)}`), 10)).toBe(false);
});
