/** Connaisseur 3.3.0: a delegation name that a regular expression took minutes over. Every matcher here is linear. */
import { expect, test } from '@jest/globals';
import { parseBundle } from '../../proxy/trust-client/certificates.ts';
import { decodeBase64, parseRfc3339 } from '../../proxy/trust-client/encoding.ts';
import { isDelegationName } from '../../proxy/trust-client/metadata.ts';
import { growth } from '../growth.ts';

const LONG = 2_000_000;

test.each<[string, (text: string) => unknown, (size: number) => string]>([
  ['segments without end', isDelegationName, (size) => `targets${'/a'.repeat(size / 20_000)}!`],
  ['one long segment', isDelegationName, (size) => `targets/${'a-_'.repeat(size)}!`],
  ['slashes only', isDelegationName, (size) => `targets${'/'.repeat(size)}`],
  ['base64 without end', decodeBase64, (size) => `${'AAAA'.repeat(size / 4)}!`],
  ['padding only', decodeBase64, (size) => '='.repeat(size)],
  ['line breaks only', decodeBase64, (size) => '\r\n'.repeat(size)],
  ['digits without end', parseRfc3339, (size) => `2026-01-01T00:00:00.${'9'.repeat(size)}Z`],
  ['beginnings of PEM blocks', parseBundle, (size) => '-----BEGIN CERTIFICATE-----\n'.repeat(size / 30)],
  ['labels of PEM blocks', parseBundle, (size) => `-----BEGIN ${'A '.repeat(size)}-----\n`],
  ['dashes only', parseBundle, (size) => '-'.repeat(size)],
  [
    'a PEM body of headers',
    parseBundle,
    (size) => `-----BEGIN A-----\n${'a:'.repeat(size)}\n-----END A-----`,
  ],
  ['one unfinished PEM body', parseBundle, (size) => `-----BEGIN A-----\n${'a'.repeat(size)}`],
])('%s: time in proportion to the length', (_what, match, textOf) => {
  const texts = new Map([LONG / 4, LONG].map((size) => [size, textOf(size)]));
  expect(growth((size) => match(texts.get(size) ?? ''), LONG / 4, LONG)).toBeLessThan(10);
});
