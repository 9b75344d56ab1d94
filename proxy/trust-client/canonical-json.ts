/**
 * The bytes a signature is made over: canonical JSON as Notary writes it (notary-semantics.md §5.1).
 *
 * No white space; members sorted by the bytes of their UTF-8 names; in strings only `\` and `"` are escaped, all
 * else stands raw, control characters too; numbers are integers. The result may not be JSON at all: it is hashed
 * and compared, never parsed.
 */
import { type JsonObject, type JsonValue, NumberLiteral } from './strict-json.ts';

const ENCODER = new TextEncoder();
const SURROGATE = /[\ud800-\udfff]/;
/** Go prints numbers as 64-bit integers; beyond them its behaviour depends on the machine (§5.1). */
const INT64_LIMIT = 2 ** 63;

/**
 * @throws RangeError for a number that is not an integer within 64 bits: no Notary client can verify such a file,
 *   so neither do we (notary #1411).
 */
export function encodeCanonical(value: JsonValue): Uint8Array {
  const parts: string[] = [];
  write(value, parts);
  return ENCODER.encode(parts.join(''));
}

function write(value: JsonValue, parts: string[]): void {
  if (typeof value === 'string') parts.push(quote(value));
  else if (typeof value === 'number' || value instanceof NumberLiteral) parts.push(formatInteger(value));
  else if (value === null || typeof value === 'boolean') parts.push(String(value));
  else if (value instanceof Map) writeObject(value, parts);
  else writeArray(value as readonly JsonValue[], parts);
}

function writeObject(members: JsonObject, parts: string[]): void {
  let separator = '{';
  for (const name of sortNames([...members.keys()])) {
    parts.push(separator, quote(name), ':');
    write(members.get(name) as JsonValue, parts);
    separator = ',';
  }
  parts.push(members.size === 0 ? '{}' : '}');
}

function writeArray(items: readonly JsonValue[], parts: string[]): void {
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

/** JavaScript sorts by UTF-16 units, which differs from UTF-8 order only where surrogates are involved. */
function sortNames(names: string[]): string[] {
  const byBytes = names.some((name) => SURROGATE.test(name));
  return byBytes ? names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) : names.sort();
}
