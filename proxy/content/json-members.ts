/**
 * The members of a JSON object from outside, refused where two readers could see two different objects: members said
 * twice (Go takes the last one and does not tell upper from lower case), members of a manifest in another spelling, a
 * byte order mark, bytes that are not UTF-8.
 */

/**
 * Values and member names of one JSON text from outside, in number. What it costs to read one grows with them much more
 * than with its bytes: 4 MiB of small members hold the loop for two seconds. An index of 3,000 images has 60,000.
 */
export const MAX_TOKENS = 60_000;

/** Whether a JSON text has more values and member names than are read. Bytes of anything else are counted alike. */
export function hasTooManyValues(bytes: Uint8Array, most = MAX_TOKENS): boolean {
  // Each takes a byte at least.
  if (bytes.length <= most) return false;
  let count = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = endOfQuoted(bytes, at);
    else if (byte === COMMA || byte === COLON || byte === BRACE || byte === BRACKET) count += 1;
    if (count > most) return true;
  }
  return false;
}

const [QUOTE, BACKSLASH, COMMA, COLON, BRACE, BRACKET] = [0x22, 0x5c, 0x2c, 0x3a, 0x7b, 0x5b];

/** The closing quote of the string that opens here. */
function endOfQuoted(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** What readers of manifests look for at the top level. A reader that tells cases apart misses `Config`, and Go does not. */
const OF_MANIFESTS = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
  'fsLayers',
  'history',
  'signatures',
] as const;
const SPELLINGS: ReadonlyMap<string, string> = new Map(OF_MANIFESTS.map((name) => [fold(name), name]));

/** The top level in a Map, because the names come from outside. @returns undefined when it is no such object. */
export function parseMembers(bytes: Uint8Array): ReadonlyMap<string, unknown> | undefined {
  if (hasTooManyValues(bytes)) return undefined;
  try {
    // `ignoreBOM` leaves the mark in the text, where the parser refuses it.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
    return areUnambiguous(topLevelNames(text)) ? new Map(Object.entries(parsed)) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether all readers find the same members under these names. */
export function areUnambiguous(names: Iterable<string>): boolean {
  const seen = new Set<string>();
  for (const name of names) {
    const folded = fold(name);
    if (seen.has(folded) || (SPELLINGS.get(folded) ?? name) !== name) return false;
    seen.add(folded);
  }
  return true;
}

/** Upper case first: `ſ` has one of its own only in that direction, and to Go it is an `s`. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/** Each string of the outermost object that a colon follows. @param text valid JSON, an object. */
function* topLevelNames(text: string): Generator<string> {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && isBeforeColon(text, end)) yield JSON.parse(text.slice(at, end));
      at = end - 1;
    }
  }
}

/** Where the string that starts here is over. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
  return text.length;
}

function isBeforeColon(text: string, from: number): boolean {
  let at = from;
  while (' \t\n\r'.includes(text[at] ?? ':')) at += 1;
  return text[at] === ':';
}
