/**
 * Metadata files as Notary writes them (notary-semantics.md §3): plain objects in, the exact bytes of a signed
 * envelope out.
 */
import { createHash } from 'node:crypto';
import { encodeCanonical } from '../../trust-client/canonical-json.ts';
import type { JsonValue } from '../../trust-client/strict-json.ts';
import { type SigningKey, signMessage, toBase64 } from './signing-key.ts';

/** What JSON can say; members that are undefined are left out. */
export type Plain = null | boolean | number | string | undefined | readonly Plain[] | PlainObject;
export type PlainObject = { readonly [name: string]: Plain };

export type PlainHashes = { sha256: string; sha512?: string };
export type PlainMeta = { hashes: PlainHashes; length: number };
export type PlainKey = { keytype: string; keyval: { private: string | null; public: string } };
export type PlainRole = { keyids: string[]; threshold: number };
export type PlainDelegation = PlainRole & { name: string; paths?: string[] };
export type PlainTarget = { custom?: Plain; hashes: PlainHashes; length: number };

export type SignedRoot = {
  _type: string;
  consistent_snapshot: boolean;
  expires: string;
  keys: Record<string, PlainKey>;
  roles: { root: PlainRole; snapshot: PlainRole; targets: PlainRole; timestamp: PlainRole } & Record<
    string,
    PlainRole
  >;
  version: number;
};
export type SignedTimestamp = {
  _type: string;
  expires: string;
  meta: { snapshot: PlainMeta } & Record<string, PlainMeta>;
  version: number;
};
export type SignedSnapshot = {
  _type: string;
  expires: string;
  meta: { root: PlainMeta; targets: PlainMeta } & Record<string, PlainMeta>;
  version: number;
};
export type SignedTargets = {
  _type: string;
  delegations: { keys: Record<string, PlainKey>; roles: PlainDelegation[] };
  expires: string;
  targets: Record<string, PlainTarget>;
  version: number;
};

/** The content a role signs: every role that is not one of the other three has the form of targets. */
export type SignedOf<Role extends string> = Role extends 'root'
  ? SignedRoot
  : Role extends 'timestamp'
    ? SignedTimestamp
    : Role extends 'snapshot'
      ? SignedSnapshot
      : SignedTargets;

export type PlainSignature = { keyid: string; method: string; sig: string };

/** The trust client's form of a plain value. */
export function toJsonValue(plain: Plain): JsonValue {
  if (plain === null || plain === undefined) return null;
  if (typeof plain !== 'object') return plain;
  if (isArray(plain)) return plain.map(toJsonValue);
  return new Map(sortedMembers(plain).map(([name, value]) => [name, toJsonValue(value)]));
}

/** The bytes a signature is made over (notary-semantics.md §5.1). */
export function signedBytes(signed: unknown): Uint8Array {
  return encodeCanonical(toJsonValue(signed as Plain));
}

/**
 * JSON text in the form of Notary's files: members sorted by the bytes of their names, no white space, and the
 * five characters Go escapes for HTML's sake escaped, which in the signed bytes they are not.
 */
export function encodeFileText(plain: Plain): string {
  if (plain === null || plain === undefined) return 'null';
  if (typeof plain === 'string') return encodeString(plain);
  if (typeof plain !== 'object') return JSON.stringify(plain);
  if (isArray(plain)) return `[${plain.map(encodeFileText).join(',')}]`;
  const members = sortedMembers(plain).map(
    ([name, value]) => `${encodeString(name)}:${encodeFileText(value)}`,
  );
  return `{${members.join(',')}}`;
}

/** Most texts have none of them. */
const ESCAPED = /[<>&\u2028\u2029]/;
const ALL_ESCAPED = new RegExp(ESCAPED, 'g');

function encodeString(text: string): string {
  const quoted = JSON.stringify(text);
  if (!ESCAPED.test(quoted)) return quoted;
  const escapeUnit = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return quoted.replaceAll(ALL_ESCAPED, escapeUnit);
}

function isArray(plain: readonly Plain[] | PlainObject): plain is readonly Plain[] {
  return Array.isArray(plain);
}

function sortedMembers(plain: PlainObject): [string, Plain][] {
  const present = Object.entries(plain).filter(([, value]) => value !== undefined);
  return present.sort(([left], [right]) => compareBytes(left, right));
}

/** From here on UTF-16 and UTF-8 may order two texts differently. */
const SURROGATES = /[\ud800-\uffff]/;

function compareBytes(left: string, right: string): number {
  if (SURROGATES.test(left) || SURROGATES.test(right))
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  return left < right ? -1 : Number(left > right);
}

export function signWith(keys: readonly SigningKey[], message: Uint8Array): PlainSignature[] {
  return keys.map((key) => ({ keyid: key.id, method: key.method, sig: toBase64(signMessage(key, message)) }));
}

/** @param signedText the text of `signed` as it shall stand in the file */
export function encodeEnvelope(signedText: string, signatures: readonly PlainSignature[]): Uint8Array {
  return Buffer.from(`{"signed":${signedText},"signatures":${encodeFileText(signatures)}}`, 'utf8');
}

/** The bytes of a file: the plain content signed by the keys. */
export function writeFile(signed: unknown, keys: readonly SigningKey[]): Uint8Array {
  const text = encodeFileText(signed as Plain);
  return encodeEnvelope(
    text,
    signWith(keys, isCanonical(text) ? Buffer.from(text, 'utf8') : signedBytes(signed)),
  );
}

/**
 * The two forms differ only in what they escape, and in numbers that one of them does not have (notary-semantics.md §5.1).
 */
function isCanonical(text: string): boolean {
  return !text.includes('\\') && !/[:,[]-?\d+[.eE]/.test(text);
}

export function describeFile(bytes: Uint8Array): PlainMeta {
  return {
    hashes: { sha256: hash('sha256', bytes, 'base64'), sha512: hash('sha512', bytes, 'base64') },
    length: bytes.length,
  };
}

export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

function hash(algorithm: string, bytes: Uint8Array, encoding: 'base64' | 'hex'): string {
  return createHash(algorithm).update(bytes).digest(encoding);
}

export function describeKey(key: SigningKey): PlainKey {
  return { keytype: key.kind, keyval: { private: null, public: toBase64(key.publicBytes) } };
}

export function describeKeys(keys: readonly SigningKey[]): Record<string, PlainKey> {
  return Object.fromEntries(keys.map((key) => [key.id, describeKey(key)]));
}
