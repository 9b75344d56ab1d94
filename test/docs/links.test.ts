/** Links and paths in the documentation lead somewhere, and the README stays short. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DENY_REASONS } from '../../proxy/reason.ts';
import { anchors, codeSpans, links, MANUALS, OTHERS, ROOT, readDocument } from './markdown.ts';

/** What is wrong with a link; undefined when it leads somewhere. Other sites are not looked at. */
function fault(file: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : relative(ROOT, join(ROOT, dirname(file), path));
  if (!existsSync(join(ROOT, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined) return undefined;
  return anchors(readDocument(target)).includes(anchor)
    ? undefined
    : `${link}: ${target} has no such heading`;
}

describe.each([...MANUALS, ...OTHERS])('%s', (file) => {
  const document = readDocument(file);

  test('its links lead to files and headings that are there', () => {
    expect(links(document).flatMap((link) => fault(file, link) ?? [])).toEqual([]);
  });
});

describe.each(MANUALS)('%s', (file) => {
  test('the files of the repository that it names are there', () => {
    const named = codeSpans(readDocument(file)).filter((code) =>
      /^(?:\.ci|bench|config|docs|proxy|test)\/[\w./-]*$/.test(code),
    );
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

test('every guide and every page for operators is linked from the README', () => {
  const linked = links(readDocument('README.md'));
  expect(MANUALS.filter((file) => file !== 'README.md' && !linked.includes(file))).toEqual([]);
});

test('the README has at most 150 lines', () => {
  expect(readDocument('README.md').lines.length).toBeLessThanOrEqual(151);
});

test('CONTRIBUTING.md says of every dependency why it is there', () => {
  const { dependencies }: { dependencies: object } = JSON.parse(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  const { prose } = readDocument('CONTRIBUTING.md');
  const listed = [...prose.matchAll(/^\| ([@a-z][\w@/, -]*) \|/gm)].flatMap(([, names = '']) =>
    names.split(', '),
  );
  expect(Object.keys(dependencies).filter((name) => !listed.includes(name))).toEqual([]);
});

test('docs/guides/refusals.md explains every reason', () => {
  const { prose } = readDocument('docs/guides/refusals.md');
  const explained = [...prose.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason);
  expect([...explained].sort()).toEqual([...DENY_REASONS].sort());
});
