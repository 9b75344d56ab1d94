/**
 * Only a 200 was compared with the digest: a registry that answered 203 with another manifest had an unsigned image run
 * under a signed tag, because dockerd takes every 2xx and does not compare. Every status, every kind of request, every
 * body, every kind of client: what leaves is right, and no mirror's client is sent on to the public registry.
 */

import { Agent, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MANIFEST_TYPE, manifest, type RunningProxy, rule, sha256, startProxy } from '../pull/harness.ts';

const RIGHT = manifest('right');
const OTHER = manifest('other');
const CONFIG = Buffer.from('{}');
const BLOB = Buffer.from('layer');
const INDEX = Buffer.from('{"schemaVersion":2,"manifests":[]}');
const LIST = Buffer.from('{"name":"library/app","tags":["1"]}');

const KINDS = {
  tag: { path: () => '/v2/library/app/manifests/1', right: RIGHT.bytes, type: MANIFEST_TYPE },
  digest: {
    path: () => `/v2/library/app/manifests/${RIGHT.digest}`,
    right: RIGHT.bytes,
    type: MANIFEST_TYPE,
  },
  configuration: {
    path: () => `/v2/library/app/blobs/${sha256(CONFIG)}`,
    right: CONFIG,
    type: 'application/json',
  },
  referrers: {
    path: () => `/v2/library/app/referrers/${RIGHT.digest}`,
    right: INDEX,
    type: 'application/vnd.oci.image.index.v1+json',
  },
  tags: { path: () => '/v2/library/app/tags/list', right: LIST, type: 'application/json' },
  blob: {
    path: () => `/v2/library/app/blobs/${sha256(BLOB)}`,
    right: BLOB,
    type: 'application/octet-stream',
  },
} as const;
type Kind = keyof typeof KINDS;

const BODIES = {
  right: (right: Buffer) => right,
  other: (right: Buffer) => (right === RIGHT.bytes ? OTHER.bytes : Buffer.from('{"other":true}')),
  none: () => Buffer.alloc(0),
  longer: (right: Buffer) => Buffer.concat([right, Buffer.from(' ')]),
  shorter: (right: Buffer) => right.subarray(0, -1),
} as const;
type Body = keyof typeof BODIES;

const CLIENTS = {
  plain: { headers: {}, query: '' },
  dockerd: { headers: { 'user-agent': 'docker/20.10.24 go/go1.19' }, query: '' },
  containerd: { headers: { 'user-agent': 'containerd/1.6.20' }, query: '?ns=docker.io' },
} as const;
type Client = keyof typeof CLIENTS;

type Row = { status: number; method: 'GET' | 'HEAD'; kind: Kind; body: Body; client: Client };
type Left = { status: number; phrase: string; body: Buffer; digest: string | undefined };

/** One row in ten in every run, all of them with PULLWARDEN_ALL_ROWS=1. */
const STEP = process.env['PULLWARDEN_ALL_ROWS'] === '1' ? 1 : 10;

function* rows(): Generator<Row> {
  let count = 0;
  for (let status = 200; status < 600; status += 1)
    for (const method of ['GET', 'HEAD'] as const)
      for (const kind of Object.keys(KINDS) as Kind[])
        for (const body of Object.keys(BODIES) as Body[])
          for (const client of Object.keys(CLIENTS) as Client[]) {
            count += 1;
            // 200 is where the bodies count.
            if (status === 200 || count % STEP === status % STEP)
              yield { status, method, kind, body, client };
          }
}

/** What may leave, said without a word of how it is done. */
function expected({ status, kind, body }: Row): 'whole' | 'relayed' | 'refused' {
  const isManifest = kind === 'tag' || kind === 'digest';
  if (isManifest)
    return status === 200 && body === 'right'
      ? 'whole'
      : status >= 400 && status < 500
        ? 'relayed'
        : 'refused';
  // What streams is compared by its client; a whole tag list is the registry's own.
  if (status === 200) return 'whole';
  return status >= 400 && status < 500 ? 'relayed' : 'refused';
}

/**
 * dockerd stops at "no such process" alone, containerd at 300 for a tag and for HEAD of a digest (registry-clients.md §1.4,
 * §1.7).
 */
function isFinal({ client, kind, method }: Row, left: Left): boolean {
  if (client === 'dockerd' && kind !== 'referrers')
    return left.status === 503 && left.phrase.endsWith('(no such process)');
  if (client === 'containerd' && (kind === 'tag' || (kind === 'digest' && method === 'HEAD')))
    return left.status === 300 || left.status === 401;
  return left.status >= 400;
}

describe('every answer of a registry', () => {
  let proxy: RunningProxy;
  let row: Row;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  beforeAll(async () => {
    proxy = await startProxy({
      handler: (req, res) => {
        const url = req.url ?? '';
        const isHeld = url.includes('/blobs/') && (row.kind === 'tag' || row.kind === 'digest');
        if (isHeld) return void res.end(CONFIG);
        const { type, right } = KINDS[row.kind];
        const bytes = BODIES[row.body](right as Buffer);
        res.writeHead(row.status, { 'content-type': type, 'content-length': bytes.length });
        res.end(req.method === 'HEAD' || url === '' ? undefined : bytes);
      },
      signed: { '1': RIGHT },
      rules: [rule({ tagList: 'all' })],
      // Nothing is remembered from one row to the next.
      freshCaches: true,
    });
  });
  afterAll(async () => {
    agent.destroy();
    await proxy.close();
  });

  const send = ({ method, kind, client }: Row): Promise<Left> =>
    new Promise((resolve, reject) => {
      const { headers, query } = CLIENTS[client];
      const path = KINDS[kind].path() + query;
      httpRequest({ port: proxy.port, host: '127.0.0.1', agent, method, path, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            phrase: res.statusMessage ?? '',
            body: Buffer.concat(chunks),
            digest: res.headers['docker-content-digest']?.toString(),
          }),
        );
      })
        .on('error', reject)
        .end();
    });

  const faultOf = (left: Left): string | undefined => {
    const isManifest = row.kind === 'tag' || row.kind === 'digest';
    const what = expected(row);
    // A 404 that is not JSON is a missing route, which is answered with our own index
    // (docs/decisions/referrers-are-always-an-index.md).
    if (row.kind === 'referrers' && row.status === 404 && left.status === 200) return undefined;
    if (what === 'whole') {
      if (left.status !== 200) return 'is not served';
      const isRight = !isManifest || row.method === 'HEAD' || left.body.equals(RIGHT.bytes);
      return isRight && (!isManifest || left.digest === RIGHT.digest) ? undefined : 'is not the digest';
    }
    if (left.status === 200 || (left.status > 200 && left.status < 300)) return 'is served';
    return isFinal(row, left) ? undefined : 'sends its client on';
  };

  test('leaves only as what was asked for, or as a refusal its client stops at', async () => {
    const faults: string[] = [];
    let count = 0;
    for (row of rows()) {
      count += 1;
      const left = await send(row);
      const fault = faultOf(left);
      if (fault !== undefined)
        faults.push(`${JSON.stringify(row)} → ${left.status} ${left.phrase}: ${fault}`);
    }
    process.stdout.write(`answers of a registry: ${count} rows, ${faults.length} wrong\n`);
    expect(faults.slice(0, 10)).toEqual([]);
  }, 600_000);
});
