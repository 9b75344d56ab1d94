import { describe, expect, test } from '@jest/globals';
import { createRegistryTable } from '../../proxy/names/registry-table.ts';
import { parseRoute } from '../../proxy/wire/route.ts';
import { toRouteLabel } from '../../proxy/wire/route-label.ts';
import { growth } from '../growth.ts';

const HEX = 'b'.repeat(64);
const SHA256 = `sha256:${HEX}`;
const SHA512 = `sha512:${'c'.repeat(128)}`;
const TABLE = createRegistryTable(
  [
    { name: 'docker.io', aliases: ['index.docker.io'], hosts: [], prefix: '/hub' },
    { name: 'quay.io', aliases: ['q.io'], hosts: ['Quay.Local:5050', 'other.local'] },
  ],
  'index.docker.io',
);

function route(target: string, host = 'localhost', table = TABLE, method = 'GET') {
  return parseRoute({ method, target, rawHeaders: ['Host', host] }, table);
}

/** `registry repository rest`, or the code of the refusal. */
function read(target: string, host?: string): string {
  const result = route(target, host);
  if (result.kind === 'refused') return result.refusal.code ?? result.refusal.reason;
  const { kind, registry, by, ...rest } = result.route;
  return `${kind} ${registry} by ${by} ${'repository' in rest ? rest.repository : ''}`.trim();
}

describe('what the grammar accepts', () => {
  test.each([
    ['/v2/', 'base docker.io by default'],
    ['/v2/?ns=quay.io', 'base quay.io by ns'],
    ['/v2/a/b/manifests/latest', 'manifest docker.io by default a/b'],
    [`/v2/a/b/manifests/${SHA256}`, 'manifest docker.io by default a/b'],
    [`/v2/a/b/manifests/${SHA512}`, 'manifest docker.io by default a/b'],
    [`/v2/a/b/blobs/${SHA256}`, 'blob docker.io by default a/b'],
    [
      `/v2/a/b/referrers/${SHA256}?artifactType=application%2Fvnd.x%2Bjson`,
      'referrers docker.io by default a/b',
    ],
    ['/v2/a/b/tags/list?n=10&last=x', 'tags docker.io by default a/b'],
    ['/v2/docker.io/a/b/_trust/tuf/root.json', 'trust docker.io by path a/b'],
    ['/v2/docker.io/a/b/_trust/tuf/3.root.json', 'trust docker.io by path a/b'],
    [`/v2/quay.io/a/b/_trust/tuf/targets/releases.${HEX}.json`, 'trust quay.io by path a/b'],
    // The last one counts: repositories may be called like paths.
    ['/v2/a/manifests/b/manifests/ok', 'manifest docker.io by default a/manifests/b'],
    [`/v2/a/blobs/x/blobs/${SHA256}`, 'blob docker.io by default a/blobs/x'],
    ['/v2/a/tags/list/tags/list', 'tags docker.io by default a/tags/list'],
    ['/v2/a/b__c-d.e---f/manifests/t', 'manifest docker.io by default a/b__c-d.e---f'],
    // Docker Hub's official images.
    ['/v2/alpine/manifests/3', 'manifest docker.io by default library/alpine'],
    ['/v2/docker.io/alpine/manifests/3', 'manifest docker.io by path library/alpine'],
    ['/v2/quay.io/alpine/manifests/3', 'manifest quay.io by path alpine'],
    // One segment is a repository, whatever it is called.
    ['/v2/quay.io/manifests/t', 'manifest docker.io by default library/quay.io'],
    ['/v2/q.io/a/manifests/t', 'manifest quay.io by path a'],
    ['/v2/a/b/manifests/t?ns=q.io', 'manifest quay.io by ns a/b'],
    // ns and Host come before the path, which is then a name like any other.
    ['/v2/docker.io/b/manifests/t?ns=quay.io', 'manifest quay.io by ns docker.io/b'],
    ['/v2/__proto__/b/manifests/t', 'NAME_INVALID'],
    ['/v2/constructor/b/manifests/t', 'manifest docker.io by default constructor/b'],
    ['/v2/a/b/manifests/t?ns=constructor', 'namespace_unknown'],
    ['/v2/ghcr.io/a/_trust/tuf/root.json', 'namespace_unknown'],
    ['/v2/a/b/manifests/t?__proto__=1', 'NAME_INVALID'],
    // What a mirror URL has in front: byte for byte one of the table.
    ['/hub/v2/', 'base docker.io by prefix'],
    ['/hub/v2/a/b/manifests/t', 'manifest docker.io by prefix a/b'],
    ['/hub/v2/alpine/manifests/t', 'manifest docker.io by prefix library/alpine'],
    ['/hub/v2/quay.io/b/manifests/t', 'manifest docker.io by prefix quay.io/b'],
    ['/hub/v2/a/b/manifests/t?ns=quay.io', 'manifest quay.io by ns a/b'],
    ['/hub/v2/a/v2/b/manifests/t', 'manifest docker.io by prefix a/v2/b'],
    ['/v2/hub/v2/b/manifests/t', 'manifest docker.io by default hub/v2/b'],
    ['/HUB/v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/hub//v2/a/b/manifests/t', 'NAME_INVALID'],
    ['//hub/v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/hub/hub/v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/hub/../v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/h%75b/v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/__proto__/v2/a/b/manifests/t', 'NAME_INVALID'],
    ['/hub', 'NAME_INVALID'],
    ['/hub/v2', 'NAME_INVALID'],
  ])('%s → %s', (target, expected) => {
    expect(read(target)).toBe(expected);
  });

  test.each([
    ['quay.local:5050', 'manifest quay.io by host docker.io/b'],
    ['other.local:9', 'manifest quay.io by host docker.io/b'],
    ['quay.local:5051', 'manifest docker.io by path library/b'],
    ['[::1]:5050', 'manifest docker.io by path library/b'],
    ['user@quay.local:5050', 'NAME_INVALID'],
    ['quay.local:5050/x', 'NAME_INVALID'],
    ['', 'manifest docker.io by path library/b'],
  ])('addressed as %s', (host, expected) => {
    expect(read('/v2/docker.io/b/manifests/t', host)).toBe(expected);
  });

  test('parameters are read into values', () => {
    expect(route('/v2/a/b/tags/list?last=x&n=10')).toMatchObject({ route: { n: 10, last: 'x' } });
    expect(route(`/v2/a/b/referrers/${SHA256}?artifactType=a%2fb%2Bc`)).toMatchObject({
      route: { artifactType: 'a/b+c' },
    });
    expect(route(`/v2/a/b/manifests/${SHA256}`)).toMatchObject({
      route: { reference: { kind: 'digest', digest: SHA256 } },
    });
  });
});

test('a prefix comes before the Host, and a connection made to a registry by its name has none', () => {
  expect(read('/hub/v2/a/b/manifests/t', 'other.local')).toBe('manifest docker.io by prefix a/b');
  const request = { method: 'GET', target: '/hub/v2/a/manifests/t', rawHeaders: ['Host', 'quay.io'] };
  expect(parseRoute({ ...request, connectedTo: 'quay.io' }, TABLE)).toMatchObject({ kind: 'refused' });
});

test('whether a client named the registry itself is seen, for the form of a refusal', () => {
  const isOwnName = (host: string) => route('/v2/a/b/manifests/t', host);
  expect(isOwnName('index.docker.io')).toMatchObject({ route: { registry: 'docker.io', isOwnName: true } });
  expect(isOwnName('q.io:443')).toMatchObject({ route: { registry: 'quay.io', isOwnName: true } });
  expect(isOwnName('other.local')).toMatchObject({ route: { registry: 'quay.io', isOwnName: false } });
  expect(isOwnName('localhost')).toMatchObject({ route: { isOwnName: false } });
});

test.each(['0.9', '2.0', '1.2', ''])('HTTP/%s is refused', (httpVersion) => {
  const request = { method: 'GET', target: '/v2/', rawHeaders: ['Host', 'h'], httpVersion };
  expect(parseRoute(request, TABLE)).toMatchObject({ refusal: { reason: 'bad_request' } });
});

test('without a default registry, a request that names none is refused, and /v2/ is not', () => {
  const table = createRegistryTable([{ name: 'quay.io', aliases: [], hosts: [] }], undefined);
  expect(route('/v2/a/b/manifests/t', 'h', table)).toMatchObject({
    refusal: { reason: 'namespace_unknown' },
    unknown: { registry: '', repository: 'a/b', reference: { kind: 'tag', tag: 't' } },
  });
  expect(route('/v2/', 'h', table)).toMatchObject({ route: { kind: 'base', registry: undefined } });
  expect(route('/v2/?ns=evil', 'h', table)).toMatchObject({ refusal: { reason: 'namespace_unknown' } });
});

test('the length of a name includes its registry', () => {
  const name = `${'a/'.repeat(120)}a`;
  expect(route(`/v2/${name}/manifests/t`)).toMatchObject({ kind: 'route' });
  expect(route(`/v2/${name}/${'b'.repeat(10)}/manifests/t`)).toMatchObject({
    refusal: { code: 'NAME_INVALID' },
  });
});

test('a registry’s own name wins over another one’s alias', () => {
  const table = createRegistryTable(
    [
      { name: 'a.io', aliases: ['b.io'], hosts: [] },
      { name: 'b.io', aliases: [], hosts: [] },
    ],
    undefined,
  );
  expect(table.names.get('b.io')).toBe('b.io');
});

test('a transfer encoding Node has not understood yet is refused before anything is forwarded', () => {
  const read = (coding: string) =>
    parseRoute(
      { method: 'GET', target: '/v2/a/manifests/t', rawHeaders: ['Host', 'h', 'Transfer-encoding', coding] },
      TABLE,
    );
  expect(read('xchunked')).toMatchObject({ refusal: { reason: 'bad_request' } });
  expect(read('chunked')).toMatchObject({ kind: 'route' });
});

test.each(['PUT', 'POST', 'DELETE', 'OPTIONS', 'get', 'X'.repeat(30)])('%s is no pull', (method) => {
  const result = route('/v2/a/manifests/t', 'h', TABLE, method);
  const sentence = `${method.slice(0, 20)} is not accepted: this proxy only serves pulls; push to the registry itself`;
  expect(result).toEqual({ kind: 'refused', refusal: { reason: 'method_not_allowed', message: sentence } });
});

test('HTTP/1.0 is spoken, with a Host and without one', () => {
  const request = { method: 'HEAD', target: '/v2/a/b/manifests/t', httpVersion: '1.0' };
  for (const rawHeaders of [['Host', 'h'], []])
    expect(parseRoute({ ...request, rawHeaders }, TABLE)).toMatchObject({ kind: 'route' });
});

test('a Host header that is there twice is refused, and only names of headers are compared', () => {
  const request = { method: 'GET', target: '/v2/a/b/manifests/t' };
  const kind = (...rawHeaders: readonly string[]) => parseRoute({ ...request, rawHeaders }, TABLE).kind;
  expect(kind('Host', 'h', 'hOST', 'h')).toBe('refused');
  expect(kind('Host', 'h', 'X-A', 'host', 'X-B', 'y')).toBe('route');
});

test('a request-target of 2048 characters is read, a longer one is not', () => {
  const target = (length: number) => `/v2/a/b/tags/list?${'n=1&'.repeat(1000)}`.slice(0, length);
  const messageOf = (length: number) => {
    const result = route(target(length));
    return result.kind === 'refused' ? result.refusal.message : '';
  };
  expect(messageOf(2048)).toContain('more than once');
  expect(messageOf(2049)).toContain('longer than 2048');
});

describe('a connection made for one registry', () => {
  const through = (connectedTo: string, host: string, table = TABLE) =>
    parseRoute(
      { method: 'GET', target: '/v2/a/b/manifests/t', rawHeaders: ['Host', host], connectedTo },
      table,
    );

  test('serves that registry, with the port of HTTPS or without it, in any case of letters', () => {
    for (const host of ['quay.io', 'Quay.IO:443'])
      expect(through('quay.io', host)).toMatchObject({
        route: { registry: 'quay.io', by: 'host', isOwnName: true },
      });
  });

  test('serves no other Host', () => {
    for (const host of ['docker.io', 'quay.io:8443', 'quay.io.evil', ''])
      expect(through('quay.io', host)).toMatchObject({ refusal: { code: 'NAME_INVALID' } });
  });

  test('serves nothing, the default registry least of all, once a reload took the registry away', () => {
    expect(through('gone.io', 'gone.io')).toMatchObject({
      refusal: { reason: 'namespace_unknown' },
      unknown: { registry: 'gone.io', repository: 'a/b' },
      addressed: { by: 'host', isOwnName: false },
    });
  });
});

describe('a registry with a port as the first segment', () => {
  const table = createRegistryTable(
    [
      { name: 'r.example:5000', aliases: [], hosts: [] },
      { name: 'docker.io', aliases: [], hosts: [], prefix: '/hub' },
    ],
    'docker.io',
  );

  test('is a registry only if it is configured, and never part of a repository', () => {
    expect(route('/v2/r.example:5000/a/manifests/t', 'h', table)).toMatchObject({
      route: { registry: 'r.example:5000', by: 'path', repository: 'a' },
    });
    for (const target of [
      '/v2/r.example:5001/a/manifests/t',
      '/v2/r.example:5000/a/manifests/t?ns=docker.io',
      '/hub/v2/r.example:5000/a/manifests/t',
    ])
      expect(route(target, 'h', table)).toMatchObject({
        refusal: { reason: 'bad_request', code: 'NAME_INVALID' },
      });
  });

  test('is named as unknown when a mirror asks for it', () => {
    expect(route('/v2/a/manifests/t?ns=r.example:5001', 'h', table)).toMatchObject({
      refusal: {
        reason: 'namespace_unknown',
        message:
          'r.example:5001 is not a registry this proxy serves; ask its operator to configure it or pull from another one',
      },
      addressed: { by: 'ns', ns: 'r.example:5001' },
    });
  });
});

test('the trust data of a name without library/ is that of this very name', () => {
  expect(route('/v2/docker.io/alpine/_trust/tuf/root.json')).toMatchObject({
    route: { kind: 'trust', repository: 'alpine', gun: 'docker.io/alpine', file: 'root.json' },
  });
});

test('a parameter counts only where it means something', () => {
  for (const target of [
    '/v2/a/manifests/t?artifactType=a/b',
    '/v2/a/manifests/t?n=1',
    `/v2/a/referrers/${SHA256}?last=x`,
    `/v2/a/blobs/${SHA256}?page=YQ`,
  ])
    expect(route(target)).toMatchObject({ refusal: { reason: 'bad_request', code: 'NAME_INVALID' } });
});

test('hostile targets take time in proportion to their length', () => {
  const read = (size: number) => {
    for (const part of ['a-', 'a__', 'a/', 'a.', '-', '_', 'manifests/', 'a/manifests/']) {
      for (const end of ['', '!', '/manifests/', '/manifests/!'])
        for (let run = 0; run < 10; run += 1)
          route(`/v2/${part.repeat(size / part.length)}${end}`.slice(0, size));
    }
  };
  expect(growth(read, 512, 2048)).toBeLessThan(10);
});

test.each([
  ['/v2/', 'base'],
  ['/v2/a/manifests/b', 'manifest'],
  ['/v2/a/manifests/b/blobs/c', 'blob'],
  [`/v2/a/referrers/${SHA256}?x`, 'referrers'],
  ['/v2/a/tags/list?n=1', 'tags'],
  ['/v2/a/_trust/tuf/root.json', 'trust'],
  ['/', 'other'],
  ['/v2/_catalog', 'other'],
  ['/hub/v2/', 'base'],
  ['/hub/v2/a/manifests/b', 'manifest'],
])('%s counts as %s', (target, label) => {
  expect(toRouteLabel(target)).toBe(label);
});
