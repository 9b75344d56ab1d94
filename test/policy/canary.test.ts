import { describe, expect, test } from '@jest/globals';
import { isRepository, isTag } from '../../proxy/names/reference.ts';
import { chooseCanary, formatCanary, HUB_CANARY, isCanary } from '../../proxy/policy/canary.ts';
import { CANARY_WORDS, sayDenied } from '../../proxy/words.ts';
import { DIGEST } from './kit.ts';

const CANARY = { registry: 'r.example', repository: 'team/canary', tag: 'never' };
const TAG = { kind: 'tag', repository: 'team/canary', tag: 'never' } as const;

describe('only the canary itself is refused as the canary', () => {
  test('its registry, repository and tag', () => {
    expect(isCanary(CANARY, 'r.example', TAG)).toBe(true);
  });

  test.each([
    ['the same name at another registry', 'other.example', TAG],
    ['another tag of its repository', 'r.example', { ...TAG, tag: 'latest' }],
    ['the same tag of another repository', 'r.example', { ...TAG, repository: 'team/app' }],
    [
      'a digest in its repository',
      'r.example',
      { kind: 'digest', repository: 'team/canary', digest: DIGEST } as const,
    ],
  ])('not %s', (_name, registry, reference) => {
    expect(isCanary(CANARY, registry, reference)).toBe(false);
  });

  test('a reference by digest is none, even if it carried the tag as well', () => {
    const both = { ...TAG, kind: 'digest', digest: DIGEST } as const;
    expect(isCanary(CANARY, 'r.example', both)).toBe(false);
  });
});

describe('which canary is used where none is configured', () => {
  test('the first registry that is not Docker Hub, in a repository of its own', () => {
    const own = { registry: 'a.example', repository: 'pullwarden-canary', tag: 'never-signed' };
    expect(chooseCanary(['a.example', 'b.example'])).toEqual(own);
    expect(chooseCanary(['docker.io', 'a.example'])).toEqual(own);
  });

  test('with Docker Hub alone an official image, which an open client can really pull', () => {
    for (const registries of [['docker.io'], []]) {
      expect(chooseCanary(registries)).toEqual({
        registry: 'docker.io',
        repository: 'library/hello-world',
        tag: 'linux',
      });
    }
  });

  test('each of them is a name a client can ask for', () => {
    for (const { repository, tag } of [HUB_CANARY, chooseCanary(['a.example'])])
      expect([isRepository(repository), isTag(tag)]).toEqual([true, true]);
  });
});

test('a canary is written as a client writes it', () => {
  expect(formatCanary(CANARY)).toBe('r.example/team/canary:never');
});

test('its refusal begins with the words `pullwarden canary` looks for, and names the image', () => {
  const image = formatCanary(CANARY);
  const sentence = sayDenied(
    { reason: 'denied_by_rule', rule: '(canary)', isCanary: true },
    { image, gun: 'r.example/team/canary' },
  );
  expect(sentence).toBe(
    "this proxy's test image, r.example/team/canary:never, is always refused: this client goes through the proxy; pull another image",
  );
  expect(sentence.startsWith(CANARY_WORDS)).toBe(true);
});
