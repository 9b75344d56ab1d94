import { expect, test } from '@jest/globals';
import { parseChallenges } from '../../proxy/registry/challenge.ts';
import { judgeRealm, nextStep, type RealmOptions, tokenServerOf } from '../../proxy/registry/realm.ts';

const options = (overrides: Partial<RealmOptions> = {}): RealmOptions => ({
  upstream: 'r',
  baseUrl: new URL('https://registry.test'),
  tokenServer: undefined,
  hasAccount: false,
  key: 'registries[].tokenServer',
  ...overrides,
});
const judge = (realm: string, overrides: Partial<RealmOptions> = {}) => {
  const [challenge] = parseChallenges(`Bearer realm="${realm}"`);
  if (challenge === undefined) throw new Error('no challenge');
  return judgeRealm(options(overrides), challenge);
};

const HTTP = { baseUrl: new URL('http://10.0.0.5:5000') };
const ACCOUNT = { hasAccount: true };
const NAMED = { tokenServer: 'auth.test:8443' };

test.each<[string, Partial<RealmOptions>, boolean]>([
  ['https://registry.test/token', {}, true],
  ['https://registry.test/token', ACCOUNT, true],
  ['https://auth.test:8443/token', { ...NAMED, ...ACCOUNT }, true],
  ['https://elsewhere.test/token', {}, false],
  ['http://10.0.0.5:5000/token', { ...HTTP, ...ACCOUNT }, true],
  ['https://auth.docker.io/token', { baseUrl: new URL('https://registry-1.docker.io'), ...ACCOUNT }, true],
])('%s of %j is asked; named by the operator: %s', (realm, overrides, isNamed) => {
  expect(judge(realm, overrides)).toEqual({ url: new URL(realm), isNamed });
});

test.each<[string, Partial<RealmOptions>, RegExp]>([
  ['', {}, /no usable realm/],
  ['/token', {}, /no usable realm/],
  ['ftp://registry.test/', {}, /neither http nor https/],
  ['https://user@registry.test/', {}, /user name/],
  ['https://:secret@registry.test/', {}, /user name/],
  ['http://registry.test/token', {}, /not https/],
  ['https://elsewhere.test/token', ACCOUNT, /account may be shown to; if it is .* write registries/],
  ['https://registry.test/token', { ...NAMED, ...ACCOUNT }, /account may be shown to/],
  ['https://auth.test/token', { ...NAMED, ...ACCOUNT }, /account may be shown to/],
  ['https://registry.test.evil.test/token', ACCOUNT, /account may be shown to/],
  ['https://10.0.0.6/token', {}, /is the address/],
  ['https://93.184.216.34/token', {}, /is the address/],
  ['https://[::1]/token', {}, /is the address/],
  ['https://localhost/token', {}, /is the address/],
  ['http://10.0.0.5:5001/token', HTTP, /is the address/],
])('%s of %j is not asked', (realm, overrides, message) => {
  expect(() => judge(realm, overrides)).toThrow(message);
});

test('the token server in force: configured, well known, or the upstream itself', () => {
  const hub = new URL('https://registry-1.docker.io');
  expect([
    tokenServerOf(hub, undefined),
    tokenServerOf(hub, 'auth.test'),
    tokenServerOf(new URL('https://registry.test'), undefined),
    tokenServerOf(new URL('http://registry-1.docker.io'), undefined),
    tokenServerOf(new URL('https://registry-1.docker.io:8443'), undefined),
  ]).toEqual(['auth.docker.io', 'auth.test', undefined, undefined, undefined]);
  expect(nextStep(options(), new URL('https://auth.test:8443/x'))).toContain(
    'registries[].tokenServer: auth.test:8443',
  );
});
