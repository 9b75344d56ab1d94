/** A mirror's refusal in the form that stops the client, on the wire; and never another decision because of it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { TrustError } from '../../proxy/trust-client/errors.ts';
import type { Handler } from '../upstream/upstream.ts';
import {
  ask,
  BASIC,
  errorOf,
  MANIFEST_TYPE,
  manifest,
  type ProxyOptions,
  type Reply,
  type RunningProxy,
  rule,
  sha256,
  startProxy,
} from './harness.ts';

const CONFIG = Buffer.from('{}');
const SIGNED = manifest('signed');
const DAEMON = { 'user-agent': 'docker/20.10.24 go/go1.19.8' };
const CONTAINERD = { 'user-agent': 'containerd/1.6.20' };
const BY_DIGEST = `/v2/library/app/manifests/${SIGNED.digest}`;
const BLOB = `/v2/library/app/blobs/${sha256(CONFIG)}`;

const running: RunningProxy[] = [];
afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.close();
});

async function start(options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy({ signed: { '1': SIGNED }, handler: registry(), ...options });
  running.push(proxy);
  return proxy;
}

/** A registry with one image; `answers` by path come first. */
function registry(answers: Readonly<Record<string, Handler>> = {}): Handler {
  return (req, res) => {
    const path = req.url ?? '';
    const special = answers[path];
    if (special !== undefined) return special(req, res);
    if (path === BY_DIGEST) return res.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(SIGNED.bytes);
    if (path === BLOB) return res.writeHead(200, { 'content-length': 2 }).end(CONFIG);
    res.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"X"}]}');
  };
}

function answer(status: number, headers: Record<string, string> = {}): Handler {
  return (_req, res) => res.writeHead(status, headers).end('{"errors":[{"code":"X"}]}');
}

/** What a daemon with a mirror stops at. */
function isStop({ status, phrase }: Reply): boolean {
  return status === 503 && phrase.endsWith(' (no such process)');
}

describe('a daemon with a mirror', () => {
  test('is told why in the status line, on HEAD as on GET, with the body every client gets', async () => {
    const { port } = await start();
    const path = '/v2/library/app/manifests/unsigned';
    const [get, head, plain] = [
      await ask(port, path, { headers: DAEMON }),
      await ask(port, path, { headers: DAEMON, method: 'HEAD' }),
      await ask(port, path),
    ];
    expect(get.phrase).toBe(
      'Denied by Pullwarden: docker.io/library/app:unsigned is not signed: no valid signature in targets/releases or targets (no such process)',
    );
    expect([get.status, head.status, head.phrase]).toEqual([503, 503, get.phrase]);
    expect(plain.status).toBe(403);
    expect({ ...errorOf(get), detail: undefined }).toEqual({ ...errorOf(plain), detail: undefined });
    expect(errorOf(get).detail['reason']).toBe('unsigned_tag');
  });

  test.each<[string, ProxyOptions, string]>([
    ['a rule that denies', { rules: [rule({ mode: 'deny' })] }, '/v2/library/app/manifests/1'],
    ['a denied blob', { rules: [rule({ mode: 'deny' })] }, BLOB],
    ['a denied tag list', { rules: [rule({ mode: 'deny' })] }, '/v2/library/app/tags/list'],
    ['no rule', { rules: [] }, '/v2/library/app/manifests/1'],
    ['a tag the grammar refuses', {}, '/v2/library/app/manifests/.t'],
    [
      'a signed manifest that is gone',
      { handler: registry({ [BY_DIGEST]: answer(404) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'other bytes than were signed',
      { handler: registry({ [BY_DIGEST]: answer(200) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that fails',
      { handler: registry({ [BY_DIGEST]: answer(500) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that redirects',
      { handler: registry({ [BY_DIGEST]: answer(302, { location: 'http://evil.example/' }) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that hangs up',
      { handler: (req) => void req.socket.destroy() },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that is too slow',
      { handler: () => undefined, deadlineMs: 50 },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that refuses the caller',
      { handler: registry({ [BY_DIGEST]: answer(403) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that wants credentials',
      { handler: registry({ [BY_DIGEST]: answer(401, { 'www-authenticate': 'Bearer realm="r"' }) }) },
      '/v2/library/app/manifests/1',
    ],
    [
      'a registry that is asked too often',
      { handler: registry({ [BY_DIGEST]: answer(429) }) },
      '/v2/library/app/manifests/1',
    ],
    ['a digest that is not there', {}, `/v2/library/app/manifests/${sha256('x')}`],
    ['a digest with other bytes', { handler: registry({ [BY_DIGEST]: answer(200) }) }, BY_DIGEST],
    ['a blob that is not there', {}, `/v2/library/app/blobs/${sha256('x')}`],
    ['a blob of a registry that fails', { handler: answer(500) }, BLOB],
    [
      'a tag no rule judges, at a registry without it',
      { rules: [rule({ mode: 'off' })] },
      '/v2/library/app/manifests/1',
    ],
    [
      'an unjudged tag list the registry does not give',
      { rules: [rule({ mode: 'off' })] },
      '/v2/library/app/tags/list',
    ],
    ['our own account refused', { handler: answer(401), auth: BASIC }, '/v2/library/app/manifests/1'],
  ])('stops at %s', async (_name, options, path) => {
    const { port } = await start(options);
    for (const method of ['GET', 'HEAD']) {
      const reply = await ask(port, path, { headers: DAEMON, method });
      const isAnswered = method === 'HEAD' && path === BY_DIGEST;
      // Other bytes are only seen by looking at them; GET of the digest follows.
      if (!isAnswered) expect([method, reply.status, isStop(reply)]).toEqual([method, 503, true]);
      expect(reply.headers['www-authenticate']).toBeUndefined();
    }
  });

  test.each(['trust_unreachable', 'deadline_exceeded', 'no_trust_data', 'metadata_expired'] as const)(
    'stops when trust fails with %s',
    async (reason) => {
      const error = new TrustError(reason, 'absent', 'x');
      const { port } = await start({ trustFor: async () => ({ kind: 'failed', error, path: 'cold' }) });
      const reply = await ask(port, '/v2/library/app/manifests/1', { headers: DAEMON });
      expect([isStop(reply), errorOf(reply).detail['reason']]).toEqual([true, reason]);
      const isOutage = reason === 'trust_unreachable' || reason === 'deadline_exceeded';
      expect(reply.headers['retry-after']).toBe(isOutage ? '10' : undefined);
    },
  );

  test('keeps the registry’s Retry-After', async () => {
    const { port } = await start({ handler: answer(429, { 'retry-after': '7' }) });
    for (const path of ['/v2/library/app/manifests/1', BY_DIGEST, BLOB])
      expect((await ask(port, path, { headers: DAEMON })).headers['retry-after']).toBe('7');
  });

  test('stops at a failure of the proxy itself, which tells nothing of it', async () => {
    const { port } = await start({ trustFor: () => Promise.reject(new Error('password=hunter2')) });
    const reply = await ask(port, '/v2/library/app/manifests/1', { headers: DAEMON });
    expect([isStop(reply), reply.phrase.includes('hunter2')]).toEqual([true, false]);
  });

  test('gets everything that is the image, unchanged', async () => {
    const { port } = await start();
    for (const path of ['/v2/library/app/manifests/1', BY_DIGEST, BLOB]) {
      const [daemon, other] = [await ask(port, path, { headers: DAEMON }), await ask(port, path)];
      expect([daemon.status, daemon.body]).toEqual([200, other.body]);
    }
  });

  describe('is given a manifest only when its configuration is there', () => {
    const paths = ['/v2/library/app/manifests/1', BY_DIGEST];
    test.each<[string, Handler, string]>([
      ['is gone', answer(404), 'the registry does not have its configuration'],
      ['cannot be had', answer(500), 'the registry answered 500 for its configuration'],
      ['is cut off', (req) => void req.socket.destroy(), 'its configuration cannot be had'],
      [
        'is another one',
        (_req, res) => res.end('[]'),
        'the registry sent other bytes than its configuration',
      ],
      ['is longer', (_req, res) => res.end('{}{}{}'), 'its configuration cannot be had'],
      ['is refused', answer(403), 'the registry does not let you read it (403)'],
    ])('one that %s', async (_name, handler, sentence) => {
      const { port, records } = await start({ handler: registry({ [BLOB]: handler }) });
      for (const path of paths) {
        const reply = await ask(port, path, { headers: DAEMON });
        expect([isStop(reply), reply.phrase.includes(sentence)]).toEqual([true, true]);
      }
      expect(records.map(({ result }) => result)).not.toContain('allow');
      for (const path of paths) expect((await ask(port, path)).status).toBe(200);
    });

    test('which is then served from memory, to those who may read it', async () => {
      const { port, upstream } = await start();
      await ask(port, BY_DIGEST, { headers: DAEMON });
      upstream.answer(answer(401));
      expect((await ask(port, BLOB, { headers: DAEMON })).body).toEqual(CONFIG);
      const stranger = { ...DAEMON, authorization: 'Bearer stranger' };
      expect(isStop(await ask(port, BLOB, { headers: stranger }))).toBe(true);
      expect((await ask(port, BLOB)).status).toBe(401);
    });

    test('is not asked for again, nor where the registry keeps blobs elsewhere', async () => {
      const { port, upstream } = await start();
      for (let i = 0; i < 3; i += 1) await ask(port, BY_DIGEST, { headers: DAEMON });
      expect(upstream.received.map(({ url }) => url)).toEqual([BY_DIGEST, BLOB]);
      const elsewhere = answer(307, { location: 'https://cdn.example/x' });
      const cdn = await start({ handler: registry({ [BLOB]: elsewhere }) });
      expect((await ask(cdn.port, BY_DIGEST, { headers: DAEMON })).status).toBe(200);
    });

    test('and nobody else waits for it', async () => {
      const { port, upstream } = await start();
      for (const headers of [{}, CONTAINERD]) await ask(port, BY_DIGEST, { headers });
      await ask(port, '/v2/docker.io/library/app/manifests/1', { headers: DAEMON });
      expect(upstream.received.map(({ url }) => url)).not.toContain(BLOB);
    });
  });

  test('does not hear of Basic credentials at /v2/, but of Bearer, and as registry host of both', async () => {
    const { port, upstream } = await start({
      handler: answer(401, { 'www-authenticate': 'Basic realm="r"' }),
    });
    const ping = async (headers: Record<string, string>) => (await ask(port, '/v2/', { headers })).status;
    expect([await ping(DAEMON), await ping({}), await ping({ ...DAEMON, host: 'quay.proxy.test' })]).toEqual([
      200, 401, 401,
    ]);
    upstream.answer(answer(401, { 'www-authenticate': 'Bearer realm="https://auth.example/token"' }));
    expect(await ping(DAEMON)).toBe(401);
  });
});

describe('a containerd-type mirror request', () => {
  const unsigned = '/v2/library/app/manifests/unsigned?ns=docker.io';

  test('is told why in the status line of an answer it does not follow', async () => {
    const { port } = await start();
    for (const method of ['HEAD', 'GET']) {
      const reply = await ask(port, unsigned, { headers: CONTAINERD, method });
      expect([reply.status, reply.headers.location]).toEqual([300, undefined]);
      expect(reply.phrase).toContain('Denied by Pullwarden: docker.io/library/app:unsigned is not signed');
      expect(reply.headers['cache-control']).toBe('no-store');
    }
    expect(errorOf(await ask(port, unsigned)).detail['reason']).toBe('unsigned_tag');
  });

  test('for a registry nobody configured stops too', async () => {
    const { port } = await start();
    const reply = await ask(port, '/v2/library/app/manifests/1?ns=evil.example', { headers: CONTAINERD });
    expect([reply.status, errorOf(reply).detail['reason']]).toEqual([300, 'namespace_unknown']);
    expect(reply.headers['oci-namespace']).toBeUndefined();
  });

  test('gets a challenge as it is, and once its token was not enough, a stop', async () => {
    const challenge = 'Bearer realm="r",error="insufficient_scope"';
    const { port } = await start({ handler: answer(401, { 'www-authenticate': challenge }) });
    const path = '/v2/library/app/manifests/1?ns=docker.io';
    expect(await ask(port, path, { method: 'HEAD' })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': challenge },
    });
    const headers = { authorization: 'Bearer too-little' };
    expect((await ask(port, path, { method: 'HEAD', headers })).status).toBe(300);
  });

  test('is told with which ns its registry was found', async () => {
    const { port } = await start({ handler: registry() });
    const namespaceOf = async (path: string) => (await ask(port, path)).headers['oci-namespace'];
    expect(await namespaceOf('/v2/library/app/manifests/1?ns=docker.io')).toBe('docker.io');
    expect(await namespaceOf('/v2/library/app/manifests/1?ns=registry-1.docker.io')).toBe(
      'registry-1.docker.io',
    );
    expect(await namespaceOf('/v2/library/app/manifests/1?ns=quay.io%3A8443')).toBe('quay.io:8443');
    expect(await namespaceOf(`${BLOB}?ns=docker.io`)).toBe('docker.io');
    expect(await namespaceOf('/v2/?ns=docker.io')).toBe('docker.io');
    expect(await namespaceOf(unsigned)).toBe('docker.io');
    expect(await namespaceOf('/v2/library/app/manifests/1')).toBeUndefined();
  });
});

test('who asks never changes whether it is refused, what is recorded, or what the registry is asked', async () => {
  const paths = [
    '/v2/library/app/manifests/1',
    '/v2/library/app/manifests/unsigned',
    `/v2/library/app/manifests/${sha256('x')}`,
    `/v2/library/app/blobs/${sha256('x')}`,
    '/v2/library/app/tags/list',
  ];
  const seen = await Promise.all(
    [{}, DAEMON, CONTAINERD, { 'user-agent': 'skopeo/1.9.3' }].map(async (headers) => {
      const { port, records } = await start();
      const outcomes: unknown[] = [];
      for (const path of paths) outcomes.push((await ask(port, path, { headers })).status < 300);
      return {
        outcomes,
        records: records.map(({ result, reason, reference }) => [result, reason, reference]),
      };
    }),
  );
  for (const one of seen) expect(one).toEqual(seen[0]);
});
