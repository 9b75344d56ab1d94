import { describe, expect, test } from '@jest/globals';
import { type AskedBy, judgeAskedBy } from '../../proxy/admin/asked-by.ts';

const NAMES = ['pullwarden', 'proxy.example.com'];

function statusOf(asked: Partial<AskedBy> & { readonly host?: string }): number | undefined {
  const { host = '127.0.0.1:9150', ...rest } = asked;
  const nothing = { origin: undefined, site: undefined, mode: undefined, dest: undefined };
  return judgeAskedBy({ hosts: [host], ...nothing, ...rest }, NAMES)?.status;
}

describe('the Host', () => {
  test.each([
    ...[
      '127.0.0.1',
      '127.0.0.1:9150',
      '10.4.0.7:9150',
      '[::1]:9150',
      '[fd00::7]',
      'localhost:3000',
      'LocalHost.',
    ],
    ...['pullwarden:9150', 'PullWarden', 'proxy.example.com.:9150', 'proxy.example.com'],
  ])('%s is answered', (host) => expect(statusOf({ host })).toBeUndefined());

  test.each([
    ...['rebound.example', 'rebound.example:9150', 'other', 'pullwarden.evil.example', 'xpullwarden', ''],
    ...[
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '127.1',
      '2130706433',
      '0x7f.1',
      'a b',
      '127.0.0.1@evil',
    ],
    ...['localhost,evil.example', '[::1', 'pullwarden:9150:1', 'pullwarden..'],
  ])('%j is not', (host) => expect(statusOf({ host })).toBe(421));

  test('none is a health check of HTTP/1.0, and two are no request', () => {
    expect(statusOf({ hosts: [] })).toBeUndefined();
    expect(statusOf({ hosts: ['127.0.0.1', 'localhost'] })).toBe(400);
  });

  test('the sentence says what to add, and repeats nothing odd', () => {
    const asked = { hosts: ['E"<b>\n.example:1'], origin: undefined, site: undefined, mode: undefined };
    expect(judgeAskedBy({ ...asked, dest: undefined }, [])?.message).toBe(
      'the admin port does not answer to the host name "e??b??.example"; use its IP address, or add the name to admin.hosts',
    );
  });
});

describe('another page', () => {
  test.each<[string, Partial<AskedBy> & { readonly host?: string }, number | undefined]>([
    ['its own origin', { origin: 'http://127.0.0.1:9150' }, undefined],
    [
      'its own origin behind TLS',
      { host: 'proxy.example.com', origin: 'https://proxy.example.com' },
      undefined,
    ],
    ['another origin', { origin: 'http://evil.example' }, 403],
    ['another port', { origin: 'http://127.0.0.1:3000' }, 403],
    ['an origin that is hidden', { origin: 'null' }, 403],
    ['an origin without a scheme', { origin: '127.0.0.1:9150' }, 403],
    ['a script of another site', { site: 'cross-site', mode: 'no-cors', dest: 'script' }, 403],
    ['a frame of another site', { site: 'cross-site', mode: 'navigate', dest: 'iframe' }, 403],
    ['a fetch by a sibling', { site: 'same-site', mode: 'cors', dest: 'empty' }, 403],
    ['a link that was followed', { site: 'cross-site', mode: 'navigate', dest: 'document' }, undefined],
    ['an address that was typed', { site: 'none', mode: 'navigate', dest: 'document' }, undefined],
    ['the page itself', { site: 'same-origin', mode: 'cors', dest: 'empty' }, undefined],
  ])('%s', (_what, asked, status) => expect(statusOf(asked)).toBe(status));
});
