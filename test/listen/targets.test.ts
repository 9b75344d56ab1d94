import { describe, expect, test } from '@jest/globals';
import {
  type Allowed,
  covers,
  isStillTerminated,
  isStillTunnelled,
  isTunnelPattern,
  judgeTarget,
  parseTarget,
} from '../../proxy/listen/targets.ts';

describe('the target of CONNECT', () => {
  test.each([
    ['registry-1.docker.io:443', { host: 'registry-1.docker.io', port: 443 }],
    ['Registry-1.Docker.IO:443', { host: 'registry-1.docker.io', port: 443 }],
    ['localhost:5000', { host: 'localhost', port: 5000 }],
    ['10.0.0.1:65535', { host: '10.0.0.1', port: 65_535 }],
    ['[::1]:443', { host: '[::1]', port: 443 }],
  ])('%s', (text, expected) => expect(parseTarget(text)).toEqual(expected));

  test.each([
    'registry-1.docker.io',
    'registry-1.docker.io:',
    'registry-1.docker.io:0',
    'registry-1.docker.io:00443',
    'registry-1.docker.io:65536',
    'registry-1.docker.io:443/',
    'registry-1.docker.io.:443',
    'registry-1.docker.io:443:443',
    'https://registry-1.docker.io:443',
    'user@registry-1.docker.io:443',
    'registry-1%2Edocker.io:443',
    'registry-1.docker.io:+443',
    '::1:443',
    ':443',
    '/',
    '*',
    '',
    `${'a'.repeat(254)}:443`,
  ])('%j is none', (text) => expect(parseTarget(text)).toBeUndefined());
});

describe('patterns of tunnels', () => {
  test.each(['auth.docker.io:443', '*.docker.com:443', '10.0.0.1:443', '[fd00::1]:8443', 'token:5001'])(
    '%s',
    (pattern) => expect(isTunnelPattern(pattern)).toBe(true),
  );

  test.each([
    '*:443',
    '*.com:443',
    '*.10.0.0.1:443',
    '*.[fd00::1]:443',
    '**.docker.com:443',
    'a.*.com:443',
    'auth.docker.io:*',
    'auth.docker.io',
    'Auth.docker.io:443',
    'auth.docker.io:443 ',
  ])('%j is none', (pattern) => expect(isTunnelPattern(pattern)).toBe(false));

  test.each([
    ['auth.docker.io:443', 'auth.docker.io:443', true],
    ['auth.docker.io:443', 'auth.docker.io:80', false],
    ['auth.docker.io:443', 'xauth.docker.io:443', false],
    ['*.docker.com:443', 'production.docker.com:443', true],
    ['*.docker.com:443', 'a.b.docker.com:443', false],
    ['*.docker.com:443', 'docker.com:443', false],
    ['*.docker.com:443', 'evildocker.com:443', false],
  ])('%s and %s: %s', (pattern, target, expected) => {
    const parsed = parseTarget(target);
    if (parsed === undefined) throw new Error('no target');
    expect(covers(pattern, parsed)).toBe(expected);
  });
});

describe('judging a target', () => {
  const allowed: Allowed = {
    certified: new Set(['registry-1.docker.io', 'quay.io:8443', 'gone.example']),
    tunnel: ['auth.docker.io:443', '*.docker.io:443', '*.cdn.example:443'],
    registryAt: (authority) =>
      ['registry-1.docker.io', 'quay.io:8443', 'hub.docker.io'].find((known) => known === authority),
  };
  const judge = (text: string) => {
    const target = parseTarget(text);
    if (target === undefined) throw new Error('no target');
    return judgeTarget(target, allowed);
  };

  test.each([
    ['registry-1.docker.io:443', { kind: 'terminate', authority: 'registry-1.docker.io' }],
    ['quay.io:8443', { kind: 'terminate', authority: 'quay.io:8443' }],
    ['auth.docker.io:443', { kind: 'tunnel', anywhere: true }],
    ['a.cdn.example:443', { kind: 'tunnel', anywhere: false }],
    ['quay.io:443', { kind: 'refuse' }],
    ['registry-1.docker.io:80', { kind: 'refuse' }],
    ['ghcr.io:443', { kind: 'refuse' }],
    // A certificate is not enough: a reload may have taken the registry away.
    ['gone.example:443', { kind: 'refuse' }],
  ])('%s', (text, expected) => expect(judge(text)).toMatchObject(expected));

  test('a registry without a certificate is not tunnelled, whatever the patterns say', () => {
    expect(judge('hub.docker.io:443')).toEqual({
      kind: 'refuse',
      message:
        'this proxy has no certificate for hub.docker.io; ask its operator to add one under listen.connect.certificates',
    });
  });
});

describe('after a reload', () => {
  const target = { host: 'store.example.com', port: 443 };
  const allowing = (tunnel: readonly string[], registry?: string): Allowed => ({
    certified: new Set(['registry.example.com']),
    tunnel,
    registryAt: (authority) => (authority === registry ? 'a registry' : undefined),
  });
  const [exact, wildcard] = ['store.example.com:443', '*.example.com:443'];

  test.each<[string, boolean, Allowed, boolean]>([
    ['its name written out still', true, allowing([exact]), true],
    ['a wildcard only, and it may lead to a private address', true, allowing([wildcard]), false],
    ['a wildcard only, as before', false, allowing([wildcard]), true],
    ['its name written out, where a wildcard covered it', false, allowing([exact]), true],
    ['nothing', false, allowing([]), false],
    ['its name, which is a registry now', true, allowing([exact], 'store.example.com'), false],
  ])('a tunnel with %s', (_what, anywhere, allowed, stays) =>
    expect(isStillTunnelled({ target, anywhere }, allowed)).toBe(stays),
  );

  test('a tunnel to another port of what is a registry now, whose name TLS inside asks for', () => {
    const to = { target: { ...target, port: 8443 }, anywhere: true };
    const pattern = 'store.example.com:8443';
    expect(isStillTunnelled(to, allowing([pattern]))).toBe(true);
    expect(isStillTunnelled(to, allowing([pattern], 'store.example.com'))).toBe(false);
  });

  test.each<[string, string, string | undefined, boolean]>([
    ['registry and certificate', 'registry.example.com', 'registry.example.com', true],
    ['no registry', 'registry.example.com', undefined, false],
    ['no certificate', 'other.example.com', 'other.example.com', false],
  ])('a connection whose TLS ends here with %s', (_what, authority, registry, stays) =>
    expect(isStillTerminated(authority, allowing([exact], registry))).toBe(stays),
  );
});
