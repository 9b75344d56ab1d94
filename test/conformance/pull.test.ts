/** OCI distribution-spec, pull and discovery in read-only mode, through the proxy over a registry with three faults. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningProxy, rule, startProxy } from '../pull/harness.ts';
import { type Bare, startBareRegistry } from './registry-with-faults.ts';
import { PULL, REFERRERS, TAG_LIST } from './requirements.ts';

let bare: Bare;
let enforcing: RunningProxy;
let open: RunningProxy;

beforeAll(async () => {
  bare = await startBareRegistry();
  const signed = Object.fromEntries(
    [...bare.images].map(([tag, { digest, length }]) => [tag, { digest, length }] as const),
  );
  enforcing = await startProxy({ upstreamUrl: bare.url, signed });
  open = await startProxy({ upstreamUrl: bare.url, rules: [rule({ mode: 'off' })] });
});
afterAll(async () => {
  await Promise.all([enforcing.close(), open.close()]);
  await bare.registry.stop();
});

/** What the registry alone does not keep. */
const FAULTS = [
  'GET request to an invalid digest should yield 400 or 404',
  'GET number of tags should be limitable by `n` query parameter',
  'GET of zero tags should yield an empty list',
  'GET start of tag is set by `last` query parameter',
  'GET of a part of the tags should link to the next part',
  'GET request to nonexistent blob should result in empty 200 response',
  'GET request to existing blob should yield 200',
  'GET request to existing blob with filter should yield 200',
];

describe('through the proxy, with every tag signed', () => {
  test.each(Object.entries({ ...PULL, ...TAG_LIST, ...REFERRERS }))('%s', (_name, requirement) =>
    requirement(`http://127.0.0.1:${enforcing.port}`, bare),
  );
});

describe('through the proxy, where no rule judges and the tag list is the registry’s own', () => {
  test.each(Object.entries({ ...PULL, ...REFERRERS }))('%s', (_name, requirement) =>
    requirement(`http://127.0.0.1:${open.port}`, bare),
  );
});

test('the registry behind it keeps all of these but those that the proxy mends', async () => {
  const failed: string[] = [];
  for (const [name, requirement] of Object.entries({ ...PULL, ...TAG_LIST, ...REFERRERS }))
    await requirement(bare.url, bare).catch(() => failed.push(name));
  expect(failed).toEqual(FAULTS);
});
