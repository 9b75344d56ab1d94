import { describe, expect, test } from '@jest/globals';
import { isDigest, isRegistry, isRepository, isTag, parseImage } from '../../proxy/names/reference.ts';

const SHA256 = `sha256:${'a'.repeat(64)}`;
const SHA512 = `sha512:${'0'.repeat(128)}`;

describe('what a person types', () => {
  test.each([
    ['alpine', 'docker.io', 'library/alpine', undefined],
    ['alpine:3.20', 'docker.io', 'library/alpine', '3.20'],
    ['team/app:1', 'docker.io', 'team/app', '1'],
    ['docker.io/alpine', 'docker.io', 'library/alpine', undefined],
    ['index.docker.io/alpine', 'docker.io', 'library/alpine', undefined],
    ['r.example/app', 'r.example', 'app', undefined],
    ['r.example/a/b:1', 'r.example', 'a/b', '1'],
    ['r.example:5000/app', 'r.example:5000', 'app', undefined],
    ['r:5000/app:1', 'r:5000', 'app', '1'],
    ['localhost/app', 'localhost', 'app', undefined],
    ['localhosts/app', 'docker.io', 'localhosts/app', undefined],
    ['[::1]:5000/app:1', '[::1]:5000', 'app', '1'],
  ])('%s', (text, registry, repository, tag) => {
    expect(parseImage(text)).toEqual({ registry, repository, tag, digest: undefined });
    expect(parseImage(`${text}@${SHA256}`)).toEqual({ registry, repository, tag, digest: SHA256 });
  });

  test('another default registry has no library/', () => {
    expect(parseImage('app', 'r.example')).toMatchObject({ registry: 'r.example', repository: 'app' });
  });

  test.each([
    '',
    ':1',
    'alpine:',
    'alpine:.1',
    'alpine@',
    'alpine@sha256:1',
    `alpine@${SHA256}@${SHA256}`,
    `@${SHA256}`,
    '/alpine',
    'alpine/',
    'Alpine',
    'r.example/',
    '-r.example/app',
    'r.example:123456/app',
    'a b',
    'https://r.example/app',
  ])('%j is no image', (text) => {
    expect(parseImage(text)).toBeUndefined();
  });
});

describe('the grammar at its edges', () => {
  test.each([
    ['a', true],
    ['aa0/b1', true],
    ['a.b_c__d-e--f', true],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
    ['', false],
    ['a___b', false],
    ['a..b', false],
    ['a._b', false],
    ['.a', false],
    ['a-', false],
    ['a/', false],
    ['/a', false],
    ['a//b', false],
    ['A', false],
    ['a\n', false],
  ])('repository %j: %s', (text, expected) => {
    expect(isRepository(text)).toBe(expected);
  });

  test.each([
    ['a', true],
    ['_A.b-9', true],
    ['a'.repeat(128), true],
    ['a'.repeat(129), false],
    ['', false],
    ['.a', false],
    ['-a', false],
    ['a:b', false],
    ['a/b', false],
    ['a\n', false],
  ])('tag %j: %s', (text, expected) => {
    expect(isTag(text)).toBe(expected);
  });

  test.each([
    [SHA256, true],
    [SHA512, true],
    [`x${SHA256}`, false],
    [`${SHA256}0`, false],
    [`x${SHA512}`, false],
    [`${SHA512}0`, false],
    [SHA256.slice(0, -1), false],
    [SHA256.toUpperCase(), false],
    [`sha256:${'A'.repeat(64)}`, false],
    [`sha256:${'0'.repeat(128)}`, false],
    [`sha512:${'0'.repeat(64)}`, false],
    [`${SHA256}\n`, false],
    ['', false],
  ])('digest %j: %s', (text, expected) => {
    expect(isDigest(text)).toBe(expected);
  });

  test.each([
    ['r', true],
    ['r.example', true],
    ['r-1.example:5000', true],
    ['r:1', true],
    ['[::1]', true],
    ['[fe80::1]:5000', true],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
    ['', false],
    ['-r', false],
    ['r-', false],
    ['r.', false],
    ['r:', false],
    ['r:x', false],
    ['r:123456', false],
    ['r:5000x', false],
    ['[]', false],
    ['[::1', false],
    ['[::g]', false],
    ['R', false],
    ['u@r', false],
    ['r/a', false],
    ['r\n', false],
  ])('registry %j: %s', (text, expected) => {
    expect(isRegistry(text)).toBe(expected);
  });
});
