/** Answers of a registry as large as they may be. Here by themselves, as the mutation run leaves them out for time. */
import { describe, expect, test } from '@jest/globals';
import { fetchSignedManifest, MAX_MANIFEST_BYTES } from '../../proxy/registry/manifest.ts';
import { fetchTags } from '../../proxy/registry/tags.ts';
import { MANIFEST_TYPE, sha256 } from '../pull/harness.ts';
import { type Scripted, scriptedClient } from '../upstream/scripted-client.ts';

test('a signed manifest of 4 MiB is served, and not one byte more is read', async () => {
  const head = '{"schemaVersion":2,"config":{},"layers":[],"x":"';
  const bytes = Buffer.from(`${head}${'x'.repeat(MAX_MANIFEST_BYTES - head.length - 2)}"}`);
  const target = { digest: sha256(bytes), length: bytes.length };
  const answer = { status: 200, headers: { 'content-type': MANIFEST_TYPE }, body: bytes };
  const found = await fetchSignedManifest(
    scriptedClient(() => answer),
    'team/app',
    target,
  );
  expect(found.kind).toBe('manifest');
});

describe('a tag list is bounded', () => {
  const PATH = '/v2/team/app/tags/list';
  const page = (tags: readonly string[], next?: number, spaces = 0): Scripted => ({
    status: 200,
    headers: next === undefined ? {} : { link: `<${PATH}?p=${next}>; rel="next"` },
    body: `{"tags":${JSON.stringify(tags)}${' '.repeat(spaces)}}`,
  });
  /** The first is asked for by its size, the others by their number. */
  const walk = (...pages: readonly Scripted[]) =>
    fetchTags(
      scriptedClient(
        ({ path }) => pages[path.endsWith('?n=1000') ? 0 : Number(path.at(-1))] ?? { status: 500 },
      ),
      { repository: 'team/app', n: undefined, last: undefined },
      () => true,
    );

  test('in names: 200,000 before its last page', async () => {
    const half = Array<string>(100_000).fill('t');
    const pages = (...more: string[]) => walk(page(half, 1), page(half, 2), page(more, 3), page([]));
    expect(await pages()).toMatchObject({ kind: 'tags', tags: ['t'] });
    expect(await pages('u')).toMatchObject({ what: 'the registry sent a list without end' });
  });

  test('in values of one page: 200,000', async () => {
    const body = `{"tags":[${'1,'.repeat(200_000)}1]}`;
    expect(await walk({ status: 200, body })).toMatchObject({
      what: 'the registry sent something that is not a tag list',
    });
  });

  test('in bytes: 16 MiB in all', async () => {
    const nine = 9 * 1024 * 1024;
    expect(await walk(page([], 1, nine), page([], undefined, nine))).toMatchObject({
      what: 'the registry did not give an answer (too_large)',
    });
    expect(await walk(page([], 1, nine), page([]))).toMatchObject({ kind: 'tags' });
  });
});
