/**
 * Citations lead to something a reader can open (proxy/README.md, "Facts the code relies on"): a numbered section of
 * docs/facts, a document of this repository, or a public specification by its name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = dirname(import.meta.dirname);
const FOLDERS = ['proxy', 'test', 'bench', 'docs'] as const;
const FACTS = 'docs/facts/';
/** Its made-up texts cite what is not there. */
const THIS_FILE = 'test/citations.test.ts';
/** Written by test/real/make-vectors.ts beside each vector, and named without a folder. */
const BESIDE_EACH_VECTOR = 'PROVENANCE.md';

/** The headings of a document, without their marks; undefined where there is no such document. */
type Headings = (path: string) => readonly string[] | undefined;

const PATH = '[A-Za-z0-9_./-]+\\.md';
const NUMBER = '§[0-9]+(?:\\.[0-9]+)*';
/** What may narrow a section down: a step, a row of a table, words in it, or what is taken from it. */
const DETAIL = '(?: steps? [0-9](?:, [0-9])*| (?:row )?[A-Z]\\b|,? "[^"]*"| \\([^)]*\\))?';
const SECTIONS = new RegExp(`(${PATH}) (${NUMBER}${DETAIL}(?:(?:,| and|, and) ${NUMBER}${DETAIL})*)`, 'g');
/** Specifications that everybody can look up, with sections of their own; RFC 8446 has some with letters. */
const PUBLIC = /(?:RFC [0-9]+|TUF|OCI)(?:(?:,? and|,)? §[0-9A-Z]+(?:\.[0-9]+)*)+/g;
const BARE = /§[0-9A-Z]+(?:\.[0-9]+)*/g;
const DOCUMENT = new RegExp(`(?<![A-Za-z0-9_./*-])(${PATH})(?:, ("[^"]*"(?: and "[^"]*")*))?`, 'g');

/** A text with every comment in one line, so that a citation may go on in the next. */
function unwrap(text: string): string {
  return text.replace(/\s*\n\s*(?:\*(?!\/)|\/\/)?\s*/g, ' ');
}

/** @returns one line for each citation that leads nowhere. */
function faultsIn(path: string, text: string, headingsOf: Headings): readonly string[] {
  const line = unwrap(text);
  return [...faultsOfSections(path, line, headingsOf), ...faultsOfDocuments(path, line, headingsOf)].map(
    (fault) => `${path}: ${fault}`,
  );
}

function faultsOfSections(path: string, line: string, headingsOf: Headings): readonly string[] {
  const faults: string[] = [];
  const rest = line.replace(SECTIONS, (_all, name: string, list: string) => {
    for (const [number] of list.matchAll(new RegExp(NUMBER, 'g'))) {
      if (!hasSection(headingsOf(FACTS + name), number))
        faults.push(`${name} ${number} is no section of ${FACTS}`);
    }
    return '';
  });
  for (const [number] of rest.replace(PUBLIC, '').matchAll(BARE)) {
    // Inside docs/facts a number alone is a section of the same document; its headings are numbers too.
    if (path.startsWith(FACTS) && hasSection(headingsOf(path), number)) continue;
    faults.push(`${number} names no document`);
  }
  return faults;
}

function hasSection(headings: readonly string[] | undefined, number: string): boolean {
  return headings?.some((heading) => heading.startsWith(`${number} `)) === true;
}

function faultsOfDocuments(path: string, line: string, headingsOf: Headings): readonly string[] {
  return [...line.matchAll(DOCUMENT)].flatMap(([, name = '', quoted = '']) => {
    if (name === BESIDE_EACH_VECTOR) return [];
    const places = [name, posix.join(posix.dirname(path), name), FACTS + name];
    const headings = places.map(headingsOf).find((found) => found !== undefined);
    if (headings === undefined) return [`there is no ${name}`];
    return [...quoted.matchAll(/"([^"]*)"/g)]
      .filter(([, heading = '']) => !headings.includes(heading))
      .map(([heading]) => `${name} has no heading ${heading}`);
  });
}

function toHeadings(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((name) => /\.(?:ts|js|mjs|md)$/.test(name));
}

const files = new Map(
  [...FOLDERS.flatMap(filesBelow), 'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].map(
    (path) => [path, readFileSync(join(ROOT, path), 'utf8')],
  ),
);

const headingsInTree: Headings = (path) => {
  const text = files.get(path);
  return text === undefined || !path.endsWith('.md') ? undefined : toHeadings(text);
};

describe('in code, tests and documents', () => {
  test('every section and every document that is cited is there', () => {
    const faults = [...files]
      .filter(([path]) => path !== THIS_FILE)
      .flatMap(([path, text]) => faultsIn(path, text, headingsInTree));
    expect(faults).toEqual([]);
  });

  test('there are citations of each document of facts', () => {
    const cited = new Set<string>();
    for (const [path, text] of files) {
      if (path.startsWith('docs/') || path === THIS_FILE) continue;
      for (const [, name = ''] of unwrap(text).matchAll(SECTIONS)) cited.add(FACTS + name);
    }
    expect([...cited].sort()).toEqual([...files.keys()].filter((path) => path.startsWith(FACTS)).sort());
  });

  test('no number of a section stands twice in a document', () => {
    for (const path of files.keys()) {
      if (!path.startsWith(FACTS)) continue;
      const numbers = (headingsInTree(path) ?? []).flatMap((heading) => heading.match(/^§\S+/) ?? []);
      expect([path, numbers]).toEqual([path, [...new Set(numbers)]]);
    }
  });
});

describe('the search itself', () => {
  const made = new Map([
    ['docs/facts/moons.md', ['Moons', '§1 Names', '§2.10 Phases']],
    ['docs/why.md', ['Why', 'Because']],
    ['docs/decisions/how.md', ['How']],
  ]);
  const faultsOf = (text: string, path = 'proxy/a.ts') => faultsIn(path, text, (name) => made.get(name));

  test.each([
    ['a section that is there', '// moons.md §1'],
    [
      'several, one of them on the next line of a comment',
      ' * as moons.md §1 step 2,\n * §2.10 and §1 (names) say',
    ],
    ['a public specification', '// RFC 9110 §11.6.1; RFC 8446 §4.1.2, §D.4; TUF §4'],
    ['a document and its heading', '/** docs/why.md, "Why" and "Because" */'],
    ['a heading on the next line', '/**\n * (docs/why.md,\n * "Because")\n */'],
  ])('accepts %s', (_what, text) => {
    expect(faultsOf(text)).toEqual([]);
  });

  test.each([
    ['a section that is not there', '// moons.md §3', 'moons.md §3 is no section of docs/facts/'],
    ['the start of another number', '// moons.md §2.1', 'moons.md §2.1 is no section of docs/facts/'],
    ['the second of a list', '// moons.md §1, §9', 'moons.md §9 is no section of docs/facts/'],
    ['a number without a document', '// as usual (§1)', '§1 names no document'],
    ['a number behind a document and other words', '// moons.md §1 or so; §2.10', '§2.10 names no document'],
    ['a document that is not there', '// docs/whence.md', 'there is no docs/whence.md'],
    ['a heading that is not there', '// docs/why.md, "Whence"', 'docs/why.md has no heading "Whence"'],
  ])('finds %s', (_what, text, fault) => {
    expect(faultsOf(text)).toEqual([`proxy/a.ts: ${fault}`]);
  });

  test('a document may leave out the folder it shares with the one that cites it, or its own name', () => {
    expect(faultsOf('see how.md', 'docs/decisions/other.md')).toEqual([]);
    expect(faultsOf('see how.md', 'proxy/README.md')).toEqual(['proxy/README.md: there is no how.md']);
    expect(faultsOf('## §1 Names\n\nas in §2.10, not §4.', 'docs/facts/moons.md')).toEqual([
      'docs/facts/moons.md: §4 names no document',
    ]);
  });
});
