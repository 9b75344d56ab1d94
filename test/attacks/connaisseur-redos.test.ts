/** Connaisseur 3.3.0: a delegation name that a regular expression took minutes over. Every matcher here is linear. */
import { expect, test } from '@jest/globals';
import { parseBundle } from '../../proxy/trust-client/certificates.ts';
import { decodeBase64, parseRfc3339 } from '../../proxy/trust-client/encoding.ts';
import { isDelegationName } from '../../proxy/trust-client/metadata.ts';

const LONG = 2_000_000;

test.each<[string, (text: string) => unknown, string]>([
  ['segments without end', isDelegationName, `targets${'/a'.repeat(120)}!`],
  ['one long segment', isDelegationName, `targets/${'a-_'.repeat(LONG)}!`],
  ['slashes only', isDelegationName, `targets${'/'.repeat(LONG)}`],
  ['base64 without end', decodeBase64, `${'AAAA'.repeat(LONG / 4)}!`],
  ['padding only', decodeBase64, '='.repeat(LONG)],
  ['line breaks only', decodeBase64, '\r\n'.repeat(LONG)],
  ['digits without end', parseRfc3339, `2026-01-01T00:00:00.${'9'.repeat(LONG)}Z`],
  ['beginnings of PEM blocks', parseBundle, '-----BEGIN CERTIFICATE-----\n'.repeat(LONG / 30)],
  ['labels of PEM blocks', parseBundle, `-----BEGIN ${'A '.repeat(LONG)}-----\n`],
  ['dashes only', parseBundle, '-'.repeat(LONG)],
  ['a PEM body of headers', parseBundle, `-----BEGIN A-----\n${'a:'.repeat(LONG)}\n-----END A-----`],
  ['one unfinished PEM body', parseBundle, `-----BEGIN A-----\n${'a'.repeat(LONG)}`],
])('%s', (_what, match, text) => {
  const started = performance.now();
  match(text);
  expect(performance.now() - started).toBeLessThan(1000);
});
