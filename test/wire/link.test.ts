import { describe, expect, test } from '@jest/globals';
import { parseNextQuery, parsePage, toPage } from '../../proxy/wire/link.ts';

const PATH = '/v2/a/tags/list';
const BASE = new URL('https://reg.example');
const next = (link: string | undefined, base = BASE) => parseNextQuery(link, base, PATH);

describe('a link is followed', () => {
  test.each([
    [`<${PATH}?last=x&n=2>; rel="next"`],
    [`<${PATH}?last=x&n=2>;rel=next`],
    [`  <${PATH}?last=x&n=2>  ;   REL="NEXT"  `],
    [`<https://reg.example${PATH}?last=x&n=2>; rel="next"`],
  ])('%s', (link) => {
    expect(next(link)).toBe('last=x&n=2');
  });

  test('behind the path of the base URL, however many slashes that ends with', () => {
    for (const prefix of ['/sub', '/sub/', '/sub//']) {
      const base = new URL(`https://reg.example${prefix}`);
      expect(next(`</sub${PATH}?n=2>; rel="next"`, base)).toBe('n=2');
      expect(next(`<${PATH}?n=2>; rel="next"`, base)).toBe('n=2');
      expect(next(`</other${PATH}?n=2>; rel="next"`, base)).toBeUndefined();
    }
  });

  test('with a query of up to 1024 characters', () => {
    expect(next(`<${PATH}?${'x'.repeat(1024)}>; rel="next"`)).toHaveLength(1024);
    expect(next(`<${PATH}?${'x'.repeat(1025)}>; rel="next"`)).toBeUndefined();
  });
});

describe('a link is not followed', () => {
  test.each([
    ['that is not there', undefined],
    ['to another list', '</v2/b/tags/list?n=2>; rel="next"'],
    ['to another host', `<https://evil.example${PATH}?n=2>; rel="next"`],
    ['to a host that begins like ours', `<https://reg.example.evil${PATH}?n=2>; rel="next"`],
    ['to another port', `<https://reg.example:8443${PATH}?n=2>; rel="next"`],
    ['over another scheme', `<http://reg.example${PATH}?n=2>; rel="next"`],
    ['without a scheme', `<//reg.example${PATH}?n=2>; rel="next"`],
    ['without a query', `<${PATH}>; rel="next"`],
    ['with an empty query', `<${PATH}?>; rel="next"`],
    ['with two queries', `<${PATH}?n=2?n=3>; rel="next"`],
    ['with a fragment', `<${PATH}?n=2#x>; rel="next"`],
    ['with a slash in its query', `<${PATH}?n=/>; rel="next"`],
    ['to the page before', `<${PATH}?n=2>; rel="prev"`],
    ['of a longer relation', `<${PATH}?n=2>; rel="nextest"`],
    ['behind other text', `x<${PATH}?n=2>; rel="next"`],
    ['with text between', `<${PATH}?n=2>x; rel="next"`],
    ['with text behind it', `<${PATH}?n=2>; rel="next", <${PATH}?n=3>; rel="next"`],
    ['without brackets', `${PATH}?n=2; rel="next"`],
  ])('%s', (_name, link) => {
    expect(next(link)).toBeUndefined();
  });
});

describe('the one parameter a page is carried in', () => {
  test('leads back to the query, and fits our own grammar', () => {
    for (const query of ['n=2', 'last=a%2Fb&n=100', 'x'.repeat(1024)]) {
      expect(toPage(query)).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(parsePage(toPage(query))).toBe(query);
    }
  });

  test.each([
    ['nothing', ''],
    ['padding', 'YQ=='],
    ['another spelling of the same bytes', 'YR'],
    ['text in front', '!YQ'],
    ['text behind', 'YQ!'],
    ['a query no link could have had', toPage('n=2#x')],
    ['a line break', toPage('n=2\r\nX: y')],
    ['a query that is too long', toPage('x'.repeat(1025))],
  ])('is refused with %s', (_name, page) => {
    expect(parsePage(page)).toBeUndefined();
  });
});
