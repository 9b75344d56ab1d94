/** Parsed files as plain data, read without trusting their shape. */
import { parse as parseTomlText, TomlError } from 'smol-toml';
import { LineCounter, parseDocument } from 'yaml';

export type Table = Readonly<Record<string, unknown>>;

export type Parsed =
  | { readonly kind: 'read'; readonly data: Table }
  | { readonly kind: 'broken'; readonly line: number; readonly message: string };

/** Deeper than any of these files is, shallow enough for a file that was made to hurt. */
const MAX_DEPTH = 32;

export function parseToml(text: string): Parsed {
  try {
    return { kind: 'read', data: parseTomlText(text, { maxDepth: MAX_DEPTH }) };
  } catch (error) {
    const line = error instanceof TomlError ? error.line : 1;
    return { kind: 'broken', line, message: `invalid TOML (${oneLine(error)})` };
  }
}

export function parseJson(text: string): Parsed {
  try {
    return toParsed(JSON.parse(text), 'JSON');
  } catch (error) {
    return { kind: 'broken', line: jsonErrorLine(text, error), message: 'invalid JSON' };
  }
}

export function parseYaml(text: string): Parsed {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
    const [error] = document.errors;
    if (error === undefined) return toParsed(document.toJS({ maxAliasCount: 100 }) ?? {}, 'YAML');
    const { line } = lines.linePos(error.pos[0]);
    return { kind: 'broken', line, message: `invalid YAML (${oneLine(error)})` };
  } catch (error) {
    return { kind: 'broken', line: 1, message: `invalid YAML (${oneLine(error)})` };
  }
}

function toParsed(value: unknown, language: string): Parsed {
  const data = asTable(value);
  if (data !== undefined) return { kind: 'read', data };
  return { kind: 'broken', line: 1, message: `invalid settings (the ${language} must be a mapping)` };
}

/** V8 names a position in some of its messages; YAML, of which JSON is a part, has one for most of the rest. */
function jsonErrorLine(text: string, error: unknown): number {
  const [, position] = / at position ([0-9]+)/.exec(String(error)) ?? [];
  if (position !== undefined) return text.slice(0, Number(position)).split('\n').length;
  const parsed = parseYaml(text);
  return parsed.kind === 'broken' ? parsed.line : 1;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '').replace(/[^\x20-\x7e]/g, '?');
}

export function asTable(value: unknown): Table | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : undefined;
}

/** The value a path of keys leads to. Only own keys count: `constructor` is a name like any other. */
export function get(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((at, key) => {
    const table = asTable(at);
    return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
  }, value);
}

export function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(asTable(value) ?? {});
}

/** A list of texts; what is no text in it is left out. One text counts as a list of it. */
export function texts(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item) => typeof item === 'string');
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
