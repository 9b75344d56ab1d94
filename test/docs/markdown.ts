/** The Markdown that people read, taken apart as far as its tests need it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** A fenced block: `info` is what stands behind the opening fence. */
export type Block = { readonly info: string; readonly text: string; readonly line: number };
export type Document = {
  /** Below the root of the repository. */
  readonly file: string;
  readonly lines: readonly string[];
  readonly blocks: readonly Block[];
  /** The text between the fences, line numbers kept. */
  readonly prose: string;
};

const inFolder = (folder: string): readonly string[] =>
  existsSync(join(ROOT, folder))
    ? readdirSync(join(ROOT, folder), { encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${folder}/${name}`)
    : [];

/** What a user, an operator or a contributor follows step by step. */
export const MANUALS = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...inFolder('docs/guides'),
  ...inFolder('docs/operations'),
];

/** Everything else with links in it. */
export const OTHERS = [
  'CHANGELOG.md',
  'proxy/README.md',
  'proxy/trust-client/README.md',
  'test/mutation/README.md',
  ...inFolder('docs/decisions'),
];

export function readDocument(file: string): Document {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  const blocks: Block[] = [];
  const prose: string[] = [];
  let open: { info: string; line: number; text: string[] } | undefined;
  for (const [at, line] of lines.entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) (open?.text ?? prose).push(line);
    else if (open === undefined) open = { info: (fence[1] ?? '').trim(), line: at + 1, text: [] };
    else {
      blocks.push({ info: open.info, line: open.line, text: open.text.join('\n') });
      open = undefined;
    }
    if (fence !== null || open !== undefined) prose.push('');
  }
  return { file, lines, blocks, prose: prose.join('\n') };
}

export function codeSpans({ prose }: Document): readonly string[] {
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.replace(/\s+/g, ' '));
}

/** Targets of links, as they are written. */
export function links({ prose }: Document): readonly string[] {
  return [...prose.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchors({ prose }: Document): readonly string[] {
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  );
}
