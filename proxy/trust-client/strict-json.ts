/**
 * JSON as signed metadata must be written: one meaning for every reader, or refused.
 *
 * `JSON.parse` keeps the last of two equal names, replaces bad UTF-8 and hides how a number was written; Notary's
 * typed decoder and its generic one disagree on exactly these points, and whatever two readers see differently can
 * carry an attack past a signature (notary-semantics.md §5.1). So a name may stand once per object, bytes must be
 * UTF-8 without a byte order mark, nesting is bounded, and a number that is not a plain integer stays recognisable.
 */
import { invalid } from './errors.ts';
import { LIMITS } from './limits.ts';

/** A JSON value whose objects cannot be polluted or read by prototype, and never hold a name twice. */
export type JsonValue = null | boolean | number | string | NumberLiteral | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** A number not written as a plain safe integer, such as `1.0`, `1e3`, `-0` or 2^53: legal JSON, never a version. */
export class NumberLiteral {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Pieces of a string or of a text that are held before they are joined. */
const MAX_PARTS = 8192;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const PLAIN_INTEGER = /^(?:0|-?[1-9][0-9]{0,15})$/;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * Parses the bytes of one metadata file.
 *
 * @param role names the file in the error.
 * @throws TrustError `metadata_invalid` (`format`) for everything a strict reader refuses.
 */
export function parseStrictJson(bytes: Uint8Array, role: string): JsonValue {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return new Parser(text).parseDocument();
  } catch (error) {
    throw invalid('format', role, `${role} is not well-formed JSON: ${describe(error)}`, error);
  }
}

function describe(error: unknown): string {
  return error instanceof SyntaxError ? error.message : 'its bytes are not UTF-8';
}

/** A recursive descent over one string. Throws SyntaxError only; `parseStrictJson` turns it into a TrustError. */
class Parser {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private values = 0;

  constructor(text: string) {
    this.text = text;
  }

  parseDocument(): JsonValue {
    this.skipSpace();
    const value = this.parseValue();
    this.skipSpace();
    if (this.at !== this.text.length) throw this.fault('text after the end');
    return value;
  }

  private parseValue(): JsonValue {
    this.values += 1;
    if (this.values > LIMITS.jsonValues) throw this.fault(`more than ${LIMITS.jsonValues} values`);
    switch (this.text.charCodeAt(this.at)) {
      case OPEN_OBJECT:
        return this.nested(() => this.parseObject());
      case OPEN_ARRAY:
        return this.nested(() => this.parseArray());
      case QUOTE:
        return this.parseString();
      default:
        return this.parseScalar();
    }
  }

  private nested<T>(parse: () => T): T {
    if (this.depth >= LIMITS.jsonDepth) throw this.fault(`nesting deeper than ${LIMITS.jsonDepth} levels`);
    this.depth += 1;
    const value = parse();
    this.depth -= 1;
    return value;
  }

  private parseObject(): JsonObject {
    const members = new Map<string, JsonValue>();
    this.at += 1;
    this.skipSpace();
    if (this.take(CLOSE_OBJECT)) return members;
    for (;;) {
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== QUOTE) throw this.fault('expected a member name');
      const name = this.parseString();
      // Both views of a file with a name twice are wrong: Notary's own two decoders disagree on it
      // (notary-semantics.md §5.1).
      if (members.has(name)) throw this.fault('a member name stands twice in one object');
      this.skipSpace();
      if (!this.take(COLON)) throw this.fault('expected ":"');
      this.skipSpace();
      members.set(name, this.parseValue());
      this.skipSpace();
      if (this.take(COMMA)) continue;
      if (this.take(CLOSE_OBJECT)) return members;
      throw this.fault('expected "," or "}"');
    }
  }

  private parseArray(): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.at += 1;
    this.skipSpace();
    if (this.take(CLOSE_ARRAY)) return items;
    for (;;) {
      this.skipSpace();
      items.push(this.parseValue());
      this.skipSpace();
      if (this.take(COMMA)) continue;
      if (this.take(CLOSE_ARRAY)) return items;
      throw this.fault('expected "," or "]"');
    }
  }

  private parseString(): string {
    const { text } = this;
    const start = this.at + 1;
    for (let end = start; end < text.length; end += 1) {
      const code = text.charCodeAt(end);
      if (code === BACKSLASH) return this.parseEscapedString(start);
      if (code < 0x20) throw this.fault('a control character in a string');
      if (code !== QUOTE) continue;
      this.at = end + 1;
      return text.slice(start, end);
    }
    throw this.fault('a string without an end');
  }

  /** The slow path, from the first backslash on. */
  private parseEscapedString(start: number): string {
    // Two levels, because 16 million escapes would make a list of as many parts.
    const chunks: string[] = [];
    const parts: string[] = [];
    let from = start;
    for (let at = start; at < this.text.length; at += 1) {
      const code = this.text.charCodeAt(at);
      if (code < 0x20) throw this.fault('a control character in a string');
      if (code === QUOTE) {
        parts.push(this.text.slice(from, at));
        this.at = at + 1;
        // Go's decoder reads half a surrogate pair as U+FFFD (notary-semantics.md §5.1), and so does every signer of these
        // files.
        return (chunks.join('') + parts.join('')).replace(LONE_SURROGATE, '\ufffd');
      }
      if (code !== BACKSLASH) continue;
      if (parts.length >= MAX_PARTS) chunks.push(parts.splice(0).join(''));
      parts.push(this.text.slice(from, at));
      const escaped = this.parseEscape(at + 1);
      parts.push(escaped.character);
      at = escaped.last;
      from = at + 1;
    }
    throw this.fault('a string without an end');
  }

  private parseEscape(at: number): { readonly character: string; readonly last: number } {
    const letter = this.text.charAt(at);
    if (letter === 'u') {
      const digits = this.text.slice(at + 1, at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.fault('a malformed \\u escape');
      return { character: String.fromCharCode(Number.parseInt(digits, 16)), last: at + 4 };
    }
    const character = ESCAPES.get(letter);
    if (character === undefined) throw this.fault('an unknown escape');
    return { character, last: at };
  }

  private parseScalar(): null | boolean | number | NumberLiteral {
    if (this.takeWord('true')) return true;
    if (this.takeWord('false')) return false;
    if (this.takeWord('null')) return null;
    // Cut off before it is matched: a run of megabytes of digits overflows the expression's stack.
    const ahead = this.text.slice(this.at, this.at + LIMITS.numberCharacters + 1);
    NUMBER.lastIndex = 0;
    const text = NUMBER.exec(ahead)?.[0];
    if (text === undefined) throw this.fault('expected a value');
    if (text.length > LIMITS.numberCharacters) {
      throw this.fault(`a number of more than ${LIMITS.numberCharacters} characters`);
    }
    this.at += text.length;
    const value = Number(text);
    if (!Number.isFinite(value)) throw this.fault('a number beyond every range');
    return PLAIN_INTEGER.test(text) && Number.isSafeInteger(value) ? value : new NumberLiteral(text);
  }

  private take(code: number): boolean {
    if (this.text.charCodeAt(this.at) !== code) return false;
    this.at += 1;
    return true;
  }

  private takeWord(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at += 1;
    }
  }

  private fault(what: string): SyntaxError {
    return new SyntaxError(`${what} at character ${this.at}`);
  }
}
