/** Every way of asking for what is in a repository, and what exactly is the right answer. */
import type { Agent } from 'node:http';
import { type Answer, ask } from '../http.ts';
import type { Caller } from './callers.ts';
import type { Content, Published } from './publish.ts';
import { CODENAME, TAG, UNSIGNED } from './world.ts';

export interface Way {
  readonly repository: string;
  /** Below `/v2/<repository>/`. */
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  /** For those who may read it; a header that is undefined must not be there. */
  readonly served: {
    readonly status: number;
    readonly body: Buffer;
    readonly headers: Readonly<Record<string, string | undefined>>;
  };
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const NO_REFERRERS = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] }));
const NOTHING = Buffer.alloc(0);

/** @param tags those that are signed */
export function waysTo(image: Published, tags: readonly string[]): readonly Way[] {
  const { repository, mediaType, manifest, config, layer } = image;
  const ways: Way[] = [];
  const add = (path: string, headers: Way['headers'], served: Way['served']): void => {
    for (const method of ['GET', 'HEAD'] as const) {
      const body = method === 'HEAD' ? NOTHING : served.body;
      ways.push({ repository, path, method, headers, served: { ...served, body } });
    }
  };
  for (const reference of [TAG, manifest.digest]) {
    const path = `manifests/${reference}`;
    const headers = { ...identityOf(manifest), 'content-type': mediaType };
    const whole = { status: 200, body: manifest.bytes, headers: withLength(headers, manifest.bytes) };
    add(path, { accept: mediaType }, whole);
    add(path, { accept: mediaType, range: 'bytes=0-9' }, whole);
    // By digest it may be docker-registry's own 304, which has no headers.
    const known = { status: 304, body: NOTHING, headers: reference === TAG ? identityOf(manifest) : {} };
    add(path, { accept: mediaType, 'if-none-match': `"${manifest.digest}"` }, known);
  }
  for (const blob of [config, layer]) {
    const path = `blobs/${blob.digest}`;
    const part = blob.bytes.subarray(2, 10);
    add(path, {}, { status: 200, body: blob.bytes, headers: withLength(identityOf(blob), blob.bytes) });
    add(
      path,
      { range: 'bytes=2-9' },
      { status: 206, body: part, headers: withLength(identityOf(blob), part) },
    );
    add(path, { 'if-none-match': `"${blob.digest}"` }, { status: 304, body: NOTHING, headers: {} });
  }
  for (const [query, shown] of [
    ['', tags],
    ['?n=1', tags.slice(0, 1)],
    [`?last=${TAG}`, tags.slice(1)],
  ] as const) {
    const body = Buffer.from(JSON.stringify({ name: repository, tags: shown }));
    add(`tags/list${query}`, {}, { status: 200, body, headers: withLength({}, body) });
  }
  const headers = withLength({ 'content-type': INDEX }, NO_REFERRERS);
  add(`referrers/${manifest.digest}`, {}, { status: 200, body: NO_REFERRERS, headers });
  return ways;
}

export function take(base: string, way: Way, caller: Caller, agent?: Agent): Promise<Answer> {
  const { repository, path, method, headers } = way;
  return ask(`${base}/v2/${repository}/${path}`, {
    method,
    headers: { ...headers, ...caller.headers },
    ...(agent && { agent }),
  });
}

/** What is wrong with an answer to a caller who may read; undefined: nothing. */
export function whyNotServed(answer: Answer, { served }: Way): string | undefined {
  if (answer.status !== served.status) return `status ${answer.status} in place of ${served.status}`;
  const wrong = Object.entries(served.headers).find(([name, value]) => answer.headers[name] !== value);
  if (wrong !== undefined) return `${wrong[0]}: ${answer.headers[wrong[0]]} in place of ${wrong[1]}`;
  return answer.body.equals(served.body) ? undefined : 'other bytes';
}

/** Headers that say something of the content. */
const REVEALING = [
  'docker-content-digest',
  'etag',
  'last-modified',
  'content-range',
  'accept-ranges',
  'link',
  'oci-filters-applied',
];

/**
 * What is wrong with an answer to a caller who may not read; undefined: it is the registry's own word.
 *
 * @param word what the registry itself answers this caller to GET of anything in the repository
 */
export function whyNotRefused(answer: Answer, { method, path }: Way, word: Answer): string | undefined {
  if (answer.status !== word.status) return `status ${answer.status} in place of ${word.status}`;
  if (answer.headers['www-authenticate'] !== word.headers['www-authenticate']) return 'another challenge';
  const revealing = REVEALING.find((name) => answer.headers[name] !== undefined);
  if (revealing !== undefined) return `${revealing}: ${answer.headers[revealing]}`;
  // The registry has no such route and so no word of its own there; the challenge is all that is handed on.
  const body = method === 'HEAD' || path.startsWith('referrers/') ? NOTHING : word.body;
  if (!answer.body.equals(body)) return `it says ${answer.body}`;
  const length = answer.headers['content-length'];
  const lengths = [undefined, '0', String(word.body.length)];
  if (!lengths.includes(length === undefined ? undefined : String(length))) return `length ${length}`;
  return namesIn(answer, path);
}

/** Names of tags in an answer that its question did not have. */
export function namesIn({ phrase, headers, body }: Answer, question: string): string | undefined {
  const text = `${phrase} ${JSON.stringify(headers)} ${body}`;
  const name = [CODENAME, UNSIGNED].find((tag) => text.includes(tag) && !question.includes(tag));
  return name && `it names ${name}`;
}

function identityOf({ digest }: Content): Readonly<Record<string, string>> {
  return { 'docker-content-digest': digest, etag: `"${digest}"` };
}

function withLength(
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Readonly<Record<string, string>> {
  return { ...headers, 'content-length': String(body.length) };
}
