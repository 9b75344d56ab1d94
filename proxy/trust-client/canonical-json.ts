/**
 * The bytes a signature is made over: canonical JSON as Notary writes it (notary-semantics.md §5.1).
 *
 * No white space; members sorted by the bytes of their UTF-8 names; in strings only `\` and `"` are escaped, all
 * else stands raw, control characters too; numbers are integers. The result may not be JSON at all: it is hashed
 * and compared, never parsed.
 */
import { type JsonObject, type JsonValue, NumberLiteral } from './strict-json.ts';
import { sortNames } from './target-table.ts';

const ENCODER = new TextEncoder();
const MAX_PIECES = 8192;
/** Go prints numbers as 64-bit integers; beyond them its behaviour depends on the machine (notary-semantics.md §5.1). */
const INT64_LIMIT = 2 ** 63;

/**
 * @throws RangeError for a number that is not an integer within 64 bits: no Notary client can verify such a file,
 *   so neither do we (notary #1411).
 */
export function encodeCanonical(value: JsonValue): Uint8Array {
  const text = new PieceWriter();
  write(value, text);
  return text.encode();
}

/** Collects a text piece by piece; a large one has millions, and a list of them all would weigh more than the text. */
class PieceWriter {
  private readonly chunks: string[] = [];
  private readonly pieces: string[] = [];

  push(...pieces: readonly string[]): void {
    for (const piece of pieces) this.pieces.push(piece);
    if (this.pieces.length >= MAX_PIECES) this.chunks.push(this.pieces.splice(0).join(''));
  }

  encode(): Uint8Array {
    return ENCODER.encode(this.chunks.join('') + this.pieces.join(''));
  }
}

function write(value: JsonValue, parts: PieceWriter): void {
  if (typeof value === 'string') parts.push(quote(value));
  else if (typeof value === 'number' || value instanceof NumberLiteral) parts.push(formatInteger(value));
  else if (value === null || typeof value === 'boolean') parts.push(String(value));
  else if (value instanceof Map) writeObject(value, parts);
  else writeArray(value as readonly JsonValue[], parts);
}

function writeObject(members: JsonObject, parts: PieceWriter): void {
  let separator = '{';
  for (const name of sortNames([...members.keys()])) {
    parts.push(separator, quote(name), ':');
    write(members.get(name) as JsonValue, parts);
    separator = ',';
  }
  parts.push(members.size === 0 ? '{}' : '}');
}

function writeArray(items: readonly JsonValue[], parts: PieceWriter): void {
  let separator = '[';
  for (const item of items) {
    parts.push(separator);
    write(item, parts);
    separator = ',';
  }
  parts.push(items.length === 0 ? '[]' : ']');
}

/** Few strings hold either character, and to look for them first takes a quarter of the time. */
function quote(text: string): string {
  const escaped = text.includes('\\') || text.includes('"') ? text.replace(/[\\"]/g, '\\$&') : text;
  return `"${escaped}"`;
}

function formatInteger(value: number | NumberLiteral): string {
  const number = typeof value === 'number' ? value : Number(value.text);
  if (!Number.isInteger(number) || Math.abs(number) >= INT64_LIMIT) {
    throw new RangeError(`${number} is not a 64-bit integer`);
  }
  return BigInt(number).toString();
}
