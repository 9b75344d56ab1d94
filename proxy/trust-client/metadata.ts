/**
 * The four kinds of metadata file, from bytes to types that cannot be wrong. Structure only: nothing here is
 * trusted yet. Rules: notary-semantics.md §3.3.
 */
import { encodeCanonical } from './canonical-json.ts';
import { decodeBase64, parseRfc3339 } from './encoding.ts';
import { invalid } from './errors.ts';
import { JsonReader } from './json-reader.ts';
import { type PublicKey, parsePublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';
import type { Role, Signature } from './signatures.ts';
import { atOnce, type Steps } from './steps.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from './strict-json.ts';
import { packTargets, type TargetEntry, type TargetTable } from './target-table.ts';
import type { RoleName } from './types.ts';

/** A file taken apart: what was signed, the exact bytes the signatures are over, and the signatures. */
export type Envelope = {
  readonly role: RoleName;
  readonly signed: JsonObject;
  readonly message: Uint8Array;
  readonly signatures: readonly Signature[];
};

/** What a parent says of a file it names. */
export type FileMeta = {
  /** Lower-case hex; undefined where the parent gives none: such a file is never used. */
  readonly sha256: string | undefined;
  readonly sha512: string | undefined;
  readonly length: number;
};

type Common = { readonly version: number; readonly expires: Date };

export const BASE_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type BaseRole = (typeof BASE_ROLES)[number];

export type RootMetadata = Common & { readonly roles: Readonly<Record<BaseRole, Role>> };
export type TimestampMetadata = Common & { readonly snapshot: FileMeta };
export type SnapshotMetadata = Common & { readonly meta: ReadonlyMap<RoleName, FileMeta> };
export type TargetsMetadata = Common & {
  readonly targets: TargetTable;
  readonly delegations: readonly DelegatedRole[];
};

export type DelegatedRole = Role & { readonly name: RoleName; readonly paths: readonly string[] };

const DELEGATION_NAME = /^targets(?:\/[-a-z0-9_]+)+$/;
const MAX_ROLE_NAME = 255;
const SHA256_BYTES = 32;
const SHA512_BYTES = 64;

/**
 * A syntactically valid delegation: `targets/` and clean lower-case segments, shorter than 256 (notary-semantics.md §3.3).
 */
export function isDelegationName(name: string): boolean {
  return name.length <= MAX_ROLE_NAME && DELEGATION_NAME.test(name);
}

/** @throws TrustError `metadata_invalid` (`format`, `size`). */
export function parseEnvelope(bytes: Uint8Array, role: RoleName): Envelope {
  const read = new JsonReader(role);
  const file = read.closedStruct(parseStrictJson(bytes, role), 'the file', ['signed', 'signatures']);
  const signed = read.object(file.get('signed'), 'signed');
  const signatures = read.array(file.get('signatures'), 'signatures', LIMITS.signatures).map((item) => {
    const entry = read.closedStruct(item, 'a signature', ['keyid', 'method', 'sig']);
    return {
      keyId: read.string(entry.get('keyid'), 'keyid'),
      method: read.string(entry.get('method'), 'method').toLowerCase(),
      // Bytes that are no base64 are a signature that cannot verify; the others may still reach the threshold.
      bytes: decodeBase64(read.string(entry.get('sig'), 'sig')) ?? new Uint8Array(0),
    };
  });
  return { role, signed, message: toSignedBytes(signed, role), signatures };
}

/**
 * The decoded content in canonical form: never the raw bytes, which are escaped differently (notary-semantics.md §3, §5.1).
 */
function toSignedBytes(signed: JsonObject, role: RoleName): Uint8Array {
  try {
    return encodeCanonical(signed);
  } catch (error) {
    throw invalid('format', role, `${role} holds a number that cannot be signed`, error);
  }
}

export function parseRoot(envelope: Envelope): RootMetadata {
  return atOnce(rootSteps(envelope));
}

/** The same, with a pause after each key. */
export function* rootSteps(envelope: Envelope): Steps<RootMetadata> {
  const read = new JsonReader('root');
  const signed = read.struct(envelope.signed, 'signed', [...COMMON, 'consistent_snapshot', 'keys', 'roles']);
  const common = parseCommon(read, signed, 'Root');
  const keys = yield* keySteps(read, signed.get('keys'));
  const roles = read.object(signed.get('roles'), 'roles');
  const role = (name: BaseRole): Role => {
    const declared = read.struct(roles.get(name), `roles.${name}`, ['keyids', 'threshold']);
    // The root role's IDs are recomputed from its certificates when a root is validated (notary-semantics.md §4.4 step 6).
    return parseRole(read, declared, keys, `roles.${name}`, name !== 'root');
  };
  return {
    ...common,
    roles: {
      root: role('root'),
      targets: role('targets'),
      snapshot: role('snapshot'),
      timestamp: role('timestamp'),
    },
  };
}

export function parseTimestamp(envelope: Envelope): TimestampMetadata {
  const read = new JsonReader('timestamp');
  const signed = read.struct(envelope.signed, 'signed', [...COMMON, 'meta']);
  const meta = read.object(signed.get('meta'), 'meta');
  return { ...parseCommon(read, signed, 'Timestamp'), snapshot: parseRequiredMeta(read, meta, 'snapshot') };
}

export function parseSnapshot(envelope: Envelope): SnapshotMetadata {
  const read = new JsonReader('snapshot');
  const signed = read.struct(envelope.signed, 'signed', [...COMMON, 'meta']);
  const entries = read.object(signed.get('meta'), 'meta');
  const meta = new Map<RoleName, FileMeta>();
  for (const name of ['root', 'targets']) meta.set(name, parseRequiredMeta(read, entries, name));
  for (const [name, entry] of entries) {
    if (!isDelegationName(name)) continue;
    meta.set(name, parseMeta(read, entry, `meta of ${name}`));
    if (meta.size > LIMITS.snapshotNames) throw read.fault('the snapshot names too many files', 'size');
  }
  return { ...parseCommon(read, signed, 'Snapshot'), meta };
}

/**
 * @param role `targets` or the delegation's own name: every role it declares must be its direct child
 * (notary-semantics.md §3.3).
 */
export function parseTargets(envelope: Envelope, role: RoleName): TargetsMetadata {
  const read = new JsonReader(role);
  const signed = read.struct(envelope.signed, 'signed', [...COMMON, 'delegations', 'targets']);
  const targets = new Map<string, TargetEntry>();
  for (const [name, value] of read.object(signed.get('targets'), 'targets')) {
    const entry = read.struct(value, 'a target', ['custom', 'hashes', 'length']);
    const sha256 = read.object(entry.get('hashes'), 'hashes').get('sha256');
    targets.set(name, {
      sha256: sha256 === undefined ? undefined : decodeBase64(read.string(sha256, 'sha256')),
      length: read.integer(entry.get('length'), 'length', 0),
    });
  }
  return {
    ...parseCommon(read, signed, 'Targets'),
    targets: packTargets(targets),
    delegations: parseDelegations(read, signed, role),
  };
}

const COMMON = ['_type', 'expires', 'version'] as const;

function parseCommon(read: JsonReader, signed: JsonObject, type: string): Common {
  if (signed.get('_type') !== type) throw read.fault(`_type is not "${type}"`);
  const version = read.integer(signed.get('version'), 'version', 1);
  const expires = parseRfc3339(read.string(signed.get('expires'), 'expires'));
  if (expires === undefined) throw read.fault('expires is not an RFC 3339 time');
  return { version, expires };
}

function* keySteps(read: JsonReader, value: JsonValue | undefined): Steps<ReadonlyMap<string, PublicKey>> {
  const declared = read.object(value, 'keys');
  if (declared.size > LIMITS.keys) throw read.fault(`more than ${LIMITS.keys} keys`, 'size');
  const keys = new Map<string, PublicKey>();
  let bytes = 0;
  for (const [id, item] of declared) {
    const key = read.struct(item, 'a key', ['keytype', 'keyval']);
    const value = read.struct(key.get('keyval'), 'keyval', ['private', 'public']);
    const keytype = read.string(key.get('keytype'), 'keytype');
    const published = read.string(value.get('public'), 'public');
    bytes += keytype.length + published.length;
    if (bytes > LIMITS.keyBytes) throw read.fault(`keys of more than ${LIMITS.keyBytes} bytes`, 'size');
    const parsed = parsePublicKey(keytype, published);
    if (parsed === undefined) throw read.fault('a public key is not base64');
    keys.set(id, parsed);
    yield;
  }
  return keys;
}

function parseRole(
  read: JsonReader,
  declared: JsonObject,
  keys: ReadonlyMap<string, PublicKey>,
  path: string,
  idsMustMatch: boolean,
): Role {
  const threshold = read.integer(declared.get('threshold'), `${path}.threshold`, 1);
  const ids = new Set(read.strings(declared.get('keyids'), `${path}.keyids`, LIMITS.keys));
  const resolved = [...ids].map((id) => {
    const key = keys.get(id);
    if (key === undefined) throw read.fault(`${path} names a key that is not declared`);
    // A name that is not the key's own ID could let one key stand for another (notary-semantics.md §4.3).
    if (idsMustMatch && key.id !== id) {
      throw read.fault(`${path} names a key by an ID that is not its own`, 'key_mismatch');
    }
    return key;
  });
  return { keys: resolved, threshold };
}

function parseDelegations(read: JsonReader, signed: JsonObject, parent: RoleName): readonly DelegatedRole[] {
  const value = signed.get('delegations');
  // Go's decoder leaves an absent or null member empty.
  if (value === undefined || value === null) return [];
  const delegations = read.struct(value, 'delegations', ['keys', 'roles']);
  const keys = atOnce(keySteps(read, delegations.get('keys') ?? new Map()));
  const roles = read
    .array(delegations.get('roles') ?? [], 'delegations.roles', LIMITS.delegations)
    .map((item) => {
      const declared = read.struct(item, 'a delegation', ['keyids', 'name', 'paths', 'threshold']);
      const name = read.string(declared.get('name'), 'name');
      if (!isDelegationName(name) || name.slice(0, name.lastIndexOf('/')) !== parent) {
        throw read.fault('a delegation is not a child of the role that declares it');
      }
      const paths = read.strings(declared.get('paths') ?? [], 'paths', LIMITS.paths);
      if (paths.some((path) => path.length > LIMITS.pathCharacters))
        throw read.fault('a path is too long', 'size');
      return { ...parseRole(read, declared, keys, name, true), name, paths };
    });
  if (new Set(roles.map((role) => role.name)).size !== roles.length) {
    throw read.fault('a delegation is declared twice');
  }
  if (sum(roles, ({ keys }) => keys.length) > LIMITS.keyReferences) {
    throw read.fault(`more than ${LIMITS.keyReferences} key IDs in all delegations`, 'size');
  }
  if (sum(roles, ({ paths }) => paths.length) > LIMITS.pathsOfFile) {
    throw read.fault(`more than ${LIMITS.pathsOfFile} paths in all delegations`, 'size');
  }
  return roles;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function parseRequiredMeta(read: JsonReader, meta: JsonObject, name: string): FileMeta {
  const parsed = parseMeta(read, meta.get(name), `meta.${name}`);
  if (parsed.sha256 === undefined) throw read.fault(`meta.${name} gives no sha256`);
  return parsed;
}

function parseMeta(read: JsonReader, value: JsonValue | undefined, path: string): FileMeta {
  const entry = read.struct(value, path, ['custom', 'hashes', 'length']);
  const hashes = read.object(entry.get('hashes'), `${path}.hashes`);
  const hex = (name: string, bytes: number): string | undefined => {
    const text = hashes.get(name);
    if (text === undefined) return undefined;
    const decoded = decodeBase64(read.string(text, `${path}.hashes`));
    if (decoded?.length !== bytes) throw read.fault(`${path} gives a ${name} of the wrong length`);
    return Buffer.from(decoded).toString('hex');
  };
  return {
    sha256: hex('sha256', SHA256_BYTES),
    sha512: hex('sha512', SHA512_BYTES),
    length: read.integer(entry.get('length'), `${path}.length`, 0),
  };
}
