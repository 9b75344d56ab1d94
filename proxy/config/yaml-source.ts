/**
 * YAML text → plain data, with the place of every key. YAML 1.2 with the core schema: `off` and `no` are text, and
 * there are no merge keys. Duplicate keys are found here, since plain data has lost them.
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLParseError,
} from 'yaml';
import type { Finding, Path } from './errors.ts';
import { isDeeperThan } from './yaml-depth.ts';

export type Place = { readonly line: number; readonly column: number };

export type YamlSource = {
  readonly value: unknown;
  /** Duplicate keys. */
  readonly findings: readonly Finding[];
  /** The place of the key or list item a path names, or of the nearest one above it that exists. */
  readonly locate: (path: Path) => Place;
};

/** What is wrong with text that is not one YAML document. */
export type YamlFault = Omit<Finding, 'path'> & Place;

export type YamlResult =
  | { readonly kind: 'read'; readonly source: YamlSource }
  | { readonly kind: 'broken'; readonly faults: readonly YamlFault[] };

/** How many nodes aliases may stand for in all: enough for a repeated account, too few for an alias bomb. */
const MAX_ALIASES = 100;
/** Levels of nesting; a configuration has six. */
const MAX_DEPTH = 32;
/** Syntax faults reported of one file: what follows the first ones is mostly their echo. */
const MAX_SYNTAX_FAULTS = 20;
const START: Place = { line: 1, column: 1 };

export function readYaml(text: string): YamlResult {
  if (isDeeperThan(MAX_DEPTH, text)) {
    const what = `mappings and lists are nested more than ${MAX_DEPTH} levels deep`;
    return { kind: 'broken', faults: [{ ...START, what, next: 'nest fewer levels' }] };
  }
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      stringKeys: true,
      schema: 'core',
      logLevel: 'error',
    });
    const errors = [...document.errors, ...document.warnings];
    if (errors.length > 0) return { kind: 'broken', faults: toFaults(errors, text, lines) };
    const locate = (path: Path) => placeOf(document, lines, path);
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return { kind: 'read', source: { value, findings: duplicates(document.contents, []), locate } };
  } catch (error) {
    return { kind: 'broken', faults: [{ ...START, ...explain(error) }] };
  }
}

type SyntaxFault = Pick<YAMLParseError, 'code' | 'message' | 'pos'>;

/** Of a line that a tab indents the parser finds several faults, some of them in the lines around it: all are its echo. */
function toFaults(errors: readonly SyntaxFault[], text: string, lines: LineCounter): readonly YamlFault[] {
  const indented = tabIndented(text);
  const found = errors.map(({ pos }) => lines.linePos(pos[0]).line).filter((line) => indented.has(line));
  if (found.length === 0) return errors.slice(0, MAX_SYNTAX_FAULTS).map((error) => toFault(error, lines));
  const line = found.reduce((first, next) => Math.min(first, next));
  const more = [...indented.keys()].filter((other) => other > line).length;
  const what = `a tab indents this line${more === 0 ? '' : `, and ${more} more`}`;
  return [{ line, column: indented.get(line) ?? 1, what, next: 'indent with spaces' }];
}

/** The lines that a tab indents, and the column of the first one in each. */
function tabIndented(text: string): ReadonlyMap<number, number> {
  const columns = text.split('\n').flatMap((line, at) => {
    const [spaces] = /^ *(?=\t\s*[^\s#])/.exec(line) ?? [];
    return spaces === undefined ? [] : [[at + 1, spaces.length + 1] as const];
  });
  return new Map(columns);
}

function toFault(error: SyntaxFault, lines: LineCounter): YamlFault {
  const { line, col } = lines.linePos(error.pos[0]);
  return { line, column: col, ...explainSyntax(error) };
}

function explainSyntax({ code, message }: Pick<YAMLParseError, 'code' | 'message'>): Omit<Finding, 'path'> {
  switch (code) {
    case 'MULTIPLE_DOCS':
      return { what: 'a second document begins here', next: 'keep one document in the file' };
    case 'NON_STRING_KEY':
      return { what: 'this key is not a string', next: 'put it in quotes' };
    default:
      return { what: `invalid YAML: ${oneLine(message)}`, next: 'correct the line or the one above it' };
  }
}

/** What toJS throws: an alias without an anchor, or too many of them. */
function explain(error: unknown): Omit<Finding, 'path'> {
  const what = `invalid YAML: ${oneLine(error instanceof Error ? error.message : String(error))}`;
  return { what, next: 'write values out instead of using aliases' };
}

function oneLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[:;.\s]+$/, '').replace(/[^\x20-\x7e]/g, '?');
}

function duplicates(node: unknown, path: Path): readonly Finding[] {
  if (isSeq(node)) return node.items.flatMap((item, at) => duplicates(item, [...path, at]));
  if (!isMap(node)) return [];
  const seen = new Set<string>();
  return node.items.flatMap(({ key, value }) => {
    const name = keyName(key);
    const below = duplicates(value, [...path, name]);
    if (!seen.has(name)) {
      seen.add(name);
      return below;
    }
    return [{ path: [...path, name], what: 'duplicate key', next: 'remove one of the two' }, ...below];
  });
}

function keyName(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function placeOf(document: Document.Parsed, lines: LineCounter, path: Path): Place {
  let node: unknown = document.contents;
  let place = startOf(node, lines) ?? START;
  for (const step of path) {
    const { at, value } = descend(resolve(node, document), step);
    if (at === undefined) return place;
    place = startOf(at, lines) ?? place;
    node = value;
  }
  return place;
}

function resolve(node: unknown, document: Document.Parsed): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** The node whose place counts, and the node below it. Of two equal keys the second counts, as it does in the value. */
function descend(node: unknown, step: string | number): { readonly at: unknown; readonly value: unknown } {
  if (isSeq(node) && typeof step === 'number') return { at: node.items[step], value: node.items[step] };
  if (!isMap(node)) return { at: undefined, value: undefined };
  const pair = node.items.findLast(({ key }) => keyName(key) === step);
  return { at: pair?.key, value: pair?.value };
}

function startOf(node: unknown, lines: LineCounter): Place | undefined {
  const range = isNode(node) ? (node as Node).range : undefined;
  if (range === undefined || range === null) return undefined;
  const { line, col } = lines.linePos(range[0]);
  return { line, column: col };
}
