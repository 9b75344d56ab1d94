/** Each kind of client gets its refusal in the form that stops it; the table says which, and what holds it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type Asker, formFor, REFUSAL_FORMS, toForm } from '../../proxy/wire/refusal-forms.ts';
import type { Response } from '../../proxy/wire/types.ts';
import { toErrorResponse } from '../../proxy/wire/wire-errors.ts';

const DOCKERD = 'docker/20.10.24 go/go1.19.8 git-commit/5d6db84 kernel/6.1 os/linux arch/amd64';
const IMAGE = 'docker.io/library/app:1';

function asker(overrides: Partial<Asker> = {}): Asker {
  return {
    method: 'GET',
    userAgent: undefined,
    authorization: undefined,
    asks: 'manifest',
    isTag: true,
    registry: 'docker.io',
    by: 'default',
    isOwnName: false,
    ...overrides,
  };
}
const DAEMON = asker({ userAgent: DOCKERD });
const CONTAINERD = asker({ userAgent: 'containerd/1.6.20', by: 'ns', method: 'HEAD' });

const REFUSAL = toErrorResponse(
  { reason: 'unsigned_tag', message: `${IMAGE} is not signed: no valid signature; sign it` },
  { requestId: 'id' },
);

function challenge(value: string | readonly string[]): Response {
  return {
    status: 401,
    reasonPhrase: undefined,
    headers: new Map([['WWW-Authenticate', value]]),
    body: undefined,
  };
}

describe('the table', () => {
  test('names for each row the client, the evidence, and a test that is there', () => {
    for (const row of REFUSAL_FORMS) {
      for (const cell of [row.client, row.versions, row.position, row.outcome]) expect(cell).not.toBe('');
      expect(row.evidence).toMatch(/§\d/);
      expect(row.test.name).not.toBe('');
      expect(readFileSync(row.test.file, 'utf8')).toContain(`'${row.test.name}'`);
    }
  });

  test('has a last row for everybody', () => {
    expect(REFUSAL_FORMS.at(-1)?.matches(asker())).toBe(true);
    expect(REFUSAL_FORMS.at(-1)?.form).toBe('plain');
  });
});

describe('which form', () => {
  test.each<[string, Partial<Asker>, string]>([
    ['a daemon, tag at the default registry', {}, 'stop_esrch'],
    ['HEAD as GET', { method: 'HEAD' }, 'stop_esrch'],
    ['a daemon under a host name of the table, which may be its mirror URL', { by: 'host' }, 'stop_esrch'],
    ['a daemon under a mirror prefix', { by: 'prefix' }, 'stop_esrch'],
    ['a blob', { asks: 'blob' }, 'stop_esrch'],
    ['the tag list of pull -a', { asks: 'tags' }, 'stop_esrch'],
    ['a name the grammar refuses', { by: undefined, registry: undefined }, 'stop_esrch'],
    ['no default registry', { registry: undefined }, 'stop_esrch'],
    ['the ping', { asks: 'base' }, 'open_ping'],
    ['trust data', { asks: 'trust' }, 'plain'],
    ['another registry, which is never mirrored', { registry: 'quay.io' }, 'plain'],
    ['the registry in the path: the proxy is the registry host', { by: 'path' }, 'plain'],
    ['under the registry’s own name: DNS or HTTPS proxy', { by: 'host', isOwnName: true }, 'plain'],
    ['the containerd store', { by: 'ns', method: 'HEAD' }, 'stop_300'],
  ])('dockerd: %s', (_name, overrides, form) => {
    expect(formFor({ ...DAEMON, ...overrides })).toBe(form);
  });

  test.each<[string, Partial<Asker>, string]>([
    ['HEAD of a tag', {}, 'stop_300'],
    ['GET of a tag', { method: 'GET' }, 'stop_300'],
    ['HEAD of a digest', { isTag: false }, 'stop_300'],
    ['GET of a digest', { method: 'GET', isTag: false }, 'plain'],
    ['a blob', { asks: 'blob' }, 'plain'],
    ['any registry', { registry: 'quay.io' }, 'stop_300'],
    ['a registry nobody configured', { registry: undefined }, 'stop_300'],
    ['the proxy as registry host', { by: 'default' }, 'plain'],
  ])('containerd: %s', (_name, overrides, form) => {
    expect(formFor({ ...CONTAINERD, ...overrides })).toBe(form);
  });

  test('a push is refused in its own form', () => {
    for (const who of [DAEMON, CONTAINERD]) expect(formFor({ ...who, method: 'PUT' })).toBe('plain');
  });

  test('everybody else gets the plain refusal', () => {
    for (const userAgent of [
      undefined,
      '',
      'curl/8',
      'skopeo/1.9.3',
      'containers/5.23.1 (github.com/containers/image)',
      'go-containerregistry/v0.20',
      'Docker-Client/28.2.2 (linux)',
      'not docker/20.10',
    ])
      expect(formFor(asker({ userAgent }))).toBe('plain');
  });
});

describe('what it does to a refusal', () => {
  test('the body stays the error envelope, and so does everything it says about itself', () => {
    for (const [who, status] of [
      [DAEMON, 503],
      [CONTAINERD, 300],
      [asker(), 403],
    ] as const) {
      const formed = toForm(REFUSAL, who, IMAGE);
      expect([formed.status, formed.body, formed.headers]).toEqual([status, REFUSAL.body, REFUSAL.headers]);
      expect(formed.reasonPhrase).toContain('Denied by Pullwarden: docker.io/library/app:1 is not signed');
    }
  });

  test('the daemon’s status line ends with the words that stop it, however long the sentence', () => {
    expect(toForm(REFUSAL, DAEMON, IMAGE).reasonPhrase).toBe(
      'Denied by Pullwarden: docker.io/library/app:1 is not signed: no valid signature (no such process)',
    );
    const long = toErrorResponse({ reason: 'unsigned_tag', message: 'x'.repeat(500) }, { requestId: 'id' });
    const { reasonPhrase } = toForm(long, DAEMON, IMAGE);
    expect(reasonPhrase).toMatch(/^Denied by Pullwarden: x+ \(no such process\)$/);
    expect(reasonPhrase).toHaveLength(200);
  });

  test('Retry-After stays', () => {
    const refusal = toErrorResponse({ reason: 'trust_unreachable', message: 'x' }, { requestId: 'id' });
    for (const who of [DAEMON, CONTAINERD])
      expect(toForm(refusal, who, IMAGE).headers.get('Retry-After')).toBe('10');
  });

  test.each([
    [403, 'the registry does not let you read it (403)'],
    [404, 'the registry does not have it (404)'],
    [429, 'the registry is asked too often (429)'],
    [418, 'the registry answered 418'],
  ])(
    'a registry’s own %d gets a sentence, with no word of the registry in the status line',
    (status, what) => {
      const answer: Response = {
        status,
        reasonPhrase: undefined,
        headers: new Map(),
        body: Buffer.from('its words'),
      };
      expect(toForm(answer, DAEMON, IMAGE)).toMatchObject({
        status: 503,
        reasonPhrase: `Pullwarden: ${IMAGE} cannot be served: ${what} (no such process)`,
        body: Buffer.from('its words'),
      });
      expect(toForm(answer, asker(), IMAGE)).toBe(answer);
    },
  );

  test('a registry’s own answer, long as its image’s name is, still ends in the words that stop a daemon', () => {
    const answer: Response = { status: 404, reasonPhrase: undefined, headers: new Map(), body: undefined };
    const { reasonPhrase } = toForm(answer, DAEMON, `docker.io/${'x'.repeat(400)}:1`);
    expect(reasonPhrase).toMatch(/^Pullwarden: docker\.io\/x+ \(no such process\)$/);
    expect(reasonPhrase).toHaveLength(200);
  });

  test('an error at the ping that is no challenge stays an error', () => {
    const ping = { ...DAEMON, asks: 'base' } as const;
    const broken = { ...challenge('Basic realm="r"'), status: 500 };
    expect(toForm(broken, ping, IMAGE)).toBe(broken);
    const silent: Response = { status: 401, reasonPhrase: undefined, headers: new Map(), body: undefined };
    expect(toForm(silent, ping, IMAGE)).toBe(silent);
  });

  test('what is no refusal stays as it is', () => {
    for (const status of [200, 206, 304, 307]) {
      const answer: Response = { status, reasonPhrase: undefined, headers: new Map(), body: undefined };
      for (const who of [DAEMON, CONTAINERD]) expect(toForm(answer, who, IMAGE)).toBe(answer);
    }
  });

  test('containerd reads the message of a blob or of a digest it GETs', () => {
    const who = { ...CONTAINERD, method: 'GET', isTag: false };
    expect(toForm(REFUSAL, who, IMAGE)).toBe(REFUSAL);
    expect(toForm(REFUSAL, { ...who, asks: 'blob' }, IMAGE)).toBe(REFUSAL);
  });
});

describe('a challenge', () => {
  const BEARER = 'Bearer realm="https://auth.example/token",service="s",scope="repository:library/app:pull"';
  const REFUSED = `${BEARER},error="insufficient_scope"`;

  test('reaches containerd while a login or a new token can still meet it, and not after', () => {
    const status = (value: string, authorization?: string): number =>
      toForm(challenge(value), { ...CONTAINERD, authorization }, IMAGE).status;
    expect(status(BEARER)).toBe(401);
    expect(status(REFUSED)).toBe(401);
    expect(status('Basic realm="r"')).toBe(401);
    expect(status(`${BEARER},error="invalid_token"`, 'Bearer expired')).toBe(401);
    expect(status(REFUSED, 'Bearer too-little')).toBe(300);
    expect(status('Basic realm="r"', 'Basic dTpw')).toBe(300);
    expect(status(BEARER, 'Negotiate bearer x')).toBe(300);
  });

  test('on a manifest never reaches a daemon with a mirror, which would go to Docker Hub', () => {
    const formed = toForm(challenge(BEARER), DAEMON, IMAGE);
    expect([formed.status, formed.headers.has('WWW-Authenticate')]).toEqual([503, false]);
    expect(formed.reasonPhrase).toContain('the registry asks for other credentials (401) (no such process)');
  });

  test('a daemon is not asked for its Docker Hub password by a mirror', () => {
    const ping = { ...DAEMON, asks: 'base' } as const;
    expect(toForm(challenge('Basic realm="r"'), ping, IMAGE)).toMatchObject({ status: 200 });
    for (const value of [BEARER, [BEARER, 'Basic realm="r"'], 'Negotiate'])
      expect(toForm(challenge(value), ping, IMAGE).status).toBe(401);
    expect(toForm(challenge('Basic realm="r"'), { ...ping, by: 'path' }, IMAGE).status).toBe(401);
    expect(toForm(challenge('Basic realm="r"'), { ...ping, userAgent: 'curl/8' }, IMAGE).status).toBe(401);
  });
});
