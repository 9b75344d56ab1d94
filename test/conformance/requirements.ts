/**
 * The pull side of the OCI distribution-spec (v1.1), by the names the conformance suite publishes its tests under
 * (01_pull_test.go, 03_discovery_test.go; read-only mode), written from the specification's sentences. Each throws when
 * the registry at `base` does not keep it.
 */
import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import { type Answer, ask } from '../real/http.ts';
import { type Bare, REPOSITORY, TAGS } from './registry-with-faults.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const ACCEPT = `application/vnd.oci.image.manifest.v1+json, ${INDEX}`;
const ABSENT = `sha256:${'0'.repeat(64)}`;
/** No digest by the grammar. */
const INVALID = 'sha256:totallywrong';

export type Requirement = (base: string, bare: Bare) => Promise<void>;

type Method = 'GET' | 'HEAD';
const repository = (base: string): string => `${base}/v2/${REPOSITORY}`;

function manifest(base: string, reference: string, method: Method = 'GET'): Promise<Answer> {
  return ask(`${repository(base)}/manifests/${reference}`, { method, headers: { accept: ACCEPT } });
}

function blob(
  base: string,
  digest: string,
  method: Method = 'GET',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return ask(`${repository(base)}/blobs/${digest}`, { method, headers });
}

function imageOf(
  { images }: Bare,
  tag: string,
): { readonly digest: string; readonly body: Uint8Array; readonly layer: string } {
  const image = images.get(tag);
  if (image === undefined) throw new Error(`no image ${tag}`);
  return { ...image, layer: image.layers[0] ?? '' };
}

/** "the body of the response MUST be in the following format": errors, each with a code, as JSON. */
function expectErrorBody({ headers, body }: Answer): void {
  expect(headers['content-type']).toMatch(/^application\/json/);
  const { errors } = JSON.parse(body.toString()) as { errors: { code: string; message?: string }[] };
  expect(errors.length).toBeGreaterThan(0);
  for (const { code } of errors) expect(code).toMatch(/^[A-Z][A-Z_]*$/);
}

async function expectManifest(
  base: string,
  reference: string,
  digest: string,
  length: number,
  method: Method,
): Promise<void> {
  const answer = await manifest(base, reference, method);
  expect(answer.status).toBe(200);
  expect(answer.headers['docker-content-digest']).toBe(digest);
  expect(answer.headers['content-length']).toBe(String(length));
  expect(ACCEPT).toContain(String(answer.headers['content-type']));
  if (method === 'HEAD') expect(answer.body).toHaveLength(0);
  else expect(`sha256:${createHash('sha256').update(answer.body).digest('hex')}`).toBe(digest);
}

const byDigest =
  (tag: string, method: Method): Requirement =>
  async (base, bare) => {
    const { digest, body } = imageOf(bare, tag);
    await expectManifest(base, digest, digest, body.length, method);
  };
const byTag =
  (method: Method): Requirement =>
  async (base, bare) => {
    for (const tag of TAGS) {
      const { digest, body } = imageOf(bare, tag);
      await expectManifest(base, tag, digest, body.length, method);
    }
  };

export const PULL: Readonly<Record<string, Requirement>> = {
  'HEAD request to nonexistent blob should result in 404 response': async (base) => {
    expect((await blob(base, ABSENT, 'HEAD')).status).toBe(404);
  },
  'HEAD request to existing blob should yield 200': async (base, bare) => {
    const { layer } = imageOf(bare, 'test1');
    const { status, headers, body } = await blob(base, layer, 'HEAD');
    expect([status, headers['docker-content-digest'], body.length]).toEqual([200, layer, 0]);
    expect(Number(headers['content-length'])).toBe((await blob(base, layer)).body.length);
  },
  'GET nonexistent blob should result in 404 response': async (base) => {
    const answer = await blob(base, ABSENT);
    expect(answer.status).toBe(404);
    expectErrorBody(answer);
  },
  'GET request to existing blob URL should yield 200': async (base, bare) => {
    const { layer } = imageOf(bare, 'test1');
    const { status, body } = await blob(base, layer);
    expect([status, `sha256:${createHash('sha256').update(body).digest('hex')}`]).toEqual([200, layer]);
  },
  'GET request to part of a blob should yield 206, and beyond its end 416': async (base, bare) => {
    const { layer } = imageOf(bare, 'test1');
    const whole = await blob(base, layer);
    const { length } = whole.body;
    const part = await blob(base, layer, 'GET', { range: 'bytes=2-5' });
    expect([part.status, part.headers['content-range']]).toEqual([206, `bytes 2-5/${length}`]);
    expect(part.body).toEqual(whole.body.subarray(2, 6));
    const rest = await blob(base, layer, 'GET', { range: `bytes=${length - 3}-` });
    expect([rest.status, rest.body]).toEqual([206, whole.body.subarray(length - 3)]);
    expect((await blob(base, layer, 'GET', { range: `bytes=${length}-` })).status).toBe(416);
  },
  'HEAD request to nonexistent manifest should return 404': async (base) => {
    expect((await manifest(base, ABSENT, 'HEAD')).status).toBe(404);
  },
  'HEAD request to manifest[0] path (digest) should yield 200 response': byDigest('test0', 'HEAD'),
  'HEAD request to manifest[1] path (digest) should yield 200 response': byDigest('test1', 'HEAD'),
  'HEAD request to manifest path (tag) should yield 200 response': byTag('HEAD'),
  'GET nonexistent manifest should return 404': async (base) => {
    const answer = await manifest(base, ABSENT);
    expect(answer.status).toBe(404);
    expectErrorBody(answer);
  },
  'GET request to manifest[0] path (digest) should yield 200 response': byDigest('test0', 'GET'),
  'GET request to manifest[1] path (digest) should yield 200 response': byDigest('test1', 'GET'),
  'GET request to manifest path (tag) should yield 200 response': byTag('GET'),
  'GET request to an invalid digest should yield 400 or 404': async (base) => {
    for (const answer of [await manifest(base, INVALID), await blob(base, INVALID)]) {
      expect([400, 404]).toContain(answer.status);
      expectErrorBody(answer);
    }
  },
  '400 response body should contain OCI-conforming JSON message': async (base) => {
    for (const path of [
      'Upper/Case/manifests/t',
      `${REPOSITORY}/manifests/.t`,
      `${REPOSITORY}/manifests/${'t'.repeat(129)}`,
    ]) {
      const answer = await ask(`${base}/v2/${path}`);
      expect([400, 404]).toContain(answer.status);
      if (answer.status === 400) expectErrorBody(answer);
    }
  },
  'GET request to /v2/ should yield 200 or 401': async (base) => {
    expect([200, 401]).toContain((await ask(`${base}/v2/`)).status);
  },
};

async function tagList(base: string, query = ''): Promise<readonly string[]> {
  const answer = await ask(`${repository(base)}/tags/list${query}`);
  expect(answer.status).toBe(200);
  const { name, tags } = JSON.parse(answer.body.toString()) as { name: string; tags: string[] };
  expect(name).toBe(REPOSITORY);
  return tags;
}

async function referrers(base: string, digest: string, query = ''): Promise<Answer> {
  const answer = await ask(`${repository(base)}/referrers/${digest}${query}`);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, INDEX]);
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [],
  });
  return answer;
}

export const TAG_LIST: Readonly<Record<string, Requirement>> = {
  'GET request to list tags should yield 200 response': async (base) => {
    expect(await tagList(base)).toEqual([...TAGS]);
  },
  'GET number of tags should be limitable by `n` query parameter': async (base) => {
    const half = TAGS.length / 2;
    const tags = await tagList(base, `?n=${half}`);
    expect(tags).toEqual(TAGS.slice(0, half));
  },
  'GET of zero tags should yield an empty list': async (base) => {
    expect(await tagList(base, '?n=0')).toEqual([]);
  },
  'GET start of tag is set by `last` query parameter': async (base) => {
    const half = TAGS.length / 2;
    expect(await tagList(base, `?n=${half}&last=${TAGS[half - 1]}`)).toEqual(TAGS.slice(half));
  },
  'GET of a part of the tags should link to the next part': async (base) => {
    const { headers } = await ask(`${repository(base)}/tags/list?n=3`);
    const [, next = ''] = /^<([^>]+)>; rel="next"$/.exec(String(headers['link'])) ?? [];
    const last = await ask(new URL(next, base).href);
    expect([JSON.parse(last.body.toString()).tags, last.headers['link']]).toEqual([TAGS.slice(3), undefined]);
  },
};

export const REFERRERS: Readonly<Record<string, Requirement>> = {
  'GET request to nonexistent blob should result in empty 200 response': async (base) => {
    await referrers(base, ABSENT);
  },
  'GET request to existing blob should yield 200': async (base, bare) => {
    await referrers(base, imageOf(bare, 'test1').digest);
  },
  'GET request to existing blob with filter should yield 200': async (base, bare) => {
    const query = '?artifactType=application%2Fvnd.oci.sbom';
    const { headers } = await referrers(base, imageOf(bare, 'test1').digest, query);
    expect(headers['oci-filters-applied']).toBe('artifactType');
  },
};
