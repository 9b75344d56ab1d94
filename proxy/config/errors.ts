/** What is wrong with a configuration file: one line for each fault, with its place and the next step. */

/** Keys and list positions from the top of the file. */
export type Path = readonly (string | number)[];

/** A fault before its place in the text is known. */
export type Finding = {
  readonly path: Path;
  /** What is wrong, to be read after the path. */
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
};

export type ConfigFault = {
  readonly file: string;
  /** From 1; 0 when the file could not be read at all. */
  readonly line: number;
  readonly column: number;
  /** As in `policy.rules[1].mode`; empty when it is about the whole file. */
  readonly path: string;
  readonly what: string;
  readonly next: string;
};

/** The configuration does not hold. Carries every fault found, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly ConfigFault[];
  /** A configuration to start from, of several lines, where there was none. */
  readonly example: string | undefined;

  constructor(faults: readonly ConfigFault[], example?: string) {
    super([...faults.map(formatFault), ...(example === undefined ? [] : [example])].join('\n'));
    this.faults = faults;
    this.example = example;
  }
}

/** `pullwarden.yaml:12:5 policy.rules[1].mode: must be one of enforce, audit, off, deny, not "enforced"; did you mean "enforce"?` */
export function formatFault({ file, line, column, path, what, next }: ConfigFault): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${path === '' ? `${place}:` : `${place} ${path}:`} ${what}; ${next}`;
}

export function formatPath(path: Path): string {
  return path.map(formatStep).join('').replace(/^\./, '');
}

function formatStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  return /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(step) ? `.${step}` : `[${show(step)}]`;
}

/** Characters of a value that are shown. */
const SHOWN = 80;

/** A value as a fault names it: on one line, short, and without credentials. */
export function show(value: unknown, shown = SHOWN): string {
  if (typeof value === 'string') return escapeUnprintable(JSON.stringify(shorten(redact(value), shown)));
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : String(value);
}

function shorten(text: string, shown: number): string {
  return text.length > shown ? `${text.slice(0, shown)}...` : text;
}

/** Anything before an `@` in an address is taken for a password. */
function redact(text: string): string {
  return text.replace(/:\/\/.*@/s, '://***@');
}

/** JSON leaves some line separators and all direction marks as they are; a terminal obeys them. */
function escapeUnprintable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
