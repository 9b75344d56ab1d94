/** A record says of what went out whether its bytes were compared; with flaw 1 an unsigned image was recorded as allowed. */
import { afterEach, expect, test } from '@jest/globals';
import type { Handler } from '../upstream/upstream.ts';
import { ask, MANIFEST_TYPE, manifest, type RunningProxy, rule, startProxy } from './harness.ts';

const ONE = manifest('one');
const SIGNED = '/v2/library/app/manifests/1';
const DIGEST = `/v2/library/app/manifests/${ONE.digest}`;
const OFF = '/v2/off/app/manifests/1';

const right: Handler = (req, res) =>
  res
    .writeHead(200, {
      'content-type': MANIFEST_TYPE,
      'content-length': ONE.length,
      'docker-content-digest': ONE.digest,
    })
    .end(req.method === 'HEAD' ? undefined : ONE.bytes);
const answer =
  (status: number): Handler =>
  (_req, res) =>
    res.writeHead(status).end('{}');

let proxy: RunningProxy;
afterEach(async () => proxy.close());

const known = { 'if-none-match': `"${ONE.digest}"` };
test.each<[string, Handler, string, string, Record<string, string>, [string, boolean | undefined]]>([
  ['a signed tag', right, SIGNED, 'GET', {}, ['signed', true]],
  ['HEAD of a signed tag', right, SIGNED, 'HEAD', {}, ['signed', true]],
  ['a digest', right, DIGEST, 'GET', {}, ['digest', true]],
  ['HEAD of a digest', right, DIGEST, 'HEAD', {}, ['digest', true]],
  ['a digest its client has, which the registry says', answer(304), DIGEST, 'GET', known, ['digest', false]],
  ['a digest its client has, which we see', right, DIGEST, 'GET', known, ['digest', true]],
  ['a tag no rule judges', right, OFF, 'GET', {}, ['mode_off', false]],
  ['HEAD of a tag no rule judges', right, OFF, 'HEAD', {}, ['mode_off', false]],
  ['a registry’s own refusal', answer(404), DIGEST, 'GET', {}, ['digest', false]],
  ['an unsigned tag', right, '/v2/library/app/manifests/2', 'GET', {}, ['unsigned_tag', undefined]],
  ['other bytes than were signed', answer(200), SIGNED, 'GET', {}, ['digest_mismatch', undefined]],
  ['another success', answer(203), DIGEST, 'GET', {}, ['registry_unreachable', undefined]],
])('%s', async (_name, handler, path, method, headers, [reason, compared]) => {
  const rules = [rule(), rule({ name: 'off', match: 'docker.io/off/**', mode: 'off' })];
  proxy = await startProxy({ handler, rules, signed: { '1': ONE } });
  await ask(proxy.port, path, { method, headers });
  expect(proxy.records.map((record) => [record.reason, record.compared])).toEqual([[reason, compared]]);
});
