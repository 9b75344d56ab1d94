/**
 * Which roots may be trusted: certificates for this repository, pins, and rotation from one root to the next.
 * Source: notary-semantics.md §4.4 (keys), §6.1 (order of checks), §6.2 (pins).
 */
import {
  bundleIn,
  type Certificate,
  chainsTo,
  commonNameCovers,
  encodePem,
  isStrongCertificate,
  isWithinValidity,
} from './certificates.ts';
import { sha256Hex } from './encoding.ts';
import { invalid, TrustError } from './errors.ts';
import { type PublicKey, toPublicKey } from './keys.ts';
import { type Envelope, parseEnvelope, type RootMetadata, rootSteps } from './metadata.ts';
import { countSigners, thresholdSteps } from './signatures.ts';
import { atOnce, type Steps } from './steps.ts';

/** What must vouch for the first root of a repository. Chosen by the configuration, most specific pin first. */
export type RootPin =
  | { readonly kind: 'keys'; readonly ids: ReadonlySet<string> }
  | { readonly kind: 'ca'; readonly anchors: readonly Certificate[] }
  /** No pin covers it and first use is allowed: whatever comes first is remembered. */
  | { readonly kind: 'firstUse' }
  /** No pin covers it and first use is refused. */
  | { readonly kind: 'refuse' };

/** A root taken apart and parsed, with its exact bytes; nothing of it is trusted yet. */
export type RootFile = {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly envelope: Pick<Envelope, 'message' | 'signatures'>;
  readonly metadata: RootMetadata;
};

/**
 * One key of the root role: the leaf certificate, rebuilt as notary-semantics.md §4.4 step 6 says, and how long it is
 * valid.
 */
export type RootKey = {
  readonly key: PublicKey;
  /** The ID the root file itself gives the key; the same as `key.id` in a normal root. */
  readonly publishedId: string;
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
};

/** @throws TrustError `metadata_invalid` (`format`, `size`, `key_mismatch`). */
export function parseRootFile(bytes: Uint8Array): RootFile {
  return atOnce(rootFileSteps(bytes));
}

/** The same, with pauses. What was parsed of it is not kept whole: a chain has many of them. */
export function* rootFileSteps(bytes: Uint8Array): Steps<RootFile> {
  const envelope = parseEnvelope(bytes, 'root');
  const metadata = yield* rootSteps(envelope);
  const { message, signatures } = envelope;
  return { bytes, sha256: sha256Hex(bytes), envelope: { message, signatures }, metadata };
}

/**
 * The usable keys of a root's root role: x509 only, one leaf that comes first and names this repository
 * (notary-semantics.md §4.4).
 *
 * @param now undefined: expiry is not asked, as for the root that came before (notary-semantics.md §6.1 step 3).
 */
export function usableRootKeys(root: RootMetadata, gun: string, now: Date | undefined): readonly RootKey[] {
  return atOnce(usableKeySteps(root, gun, now));
}

function* usableKeySteps(root: RootMetadata, gun: string, now: Date | undefined): Steps<readonly RootKey[]> {
  const usable: RootKey[] = [];
  for (const key of root.roles.root.keys) {
    const rootKey = toRootKey(key, gun, now);
    if (rootKey !== undefined) usable.push(rootKey);
    yield;
  }
  return usable;
}

function toRootKey(key: PublicKey, gun: string, now: Date | undefined): RootKey | undefined {
  const [leaf, ...rest] = bundleIn(key.bytes) ?? [];
  // Exactly one certificate that is no CA, and it comes first.
  if (leaf === undefined || leaf.isCa || !rest.every((certificate) => certificate.isCa)) return undefined;
  const acceptable = (certificate: Certificate) =>
    isStrongCertificate(certificate) && (now === undefined || isWithinValidity(certificate, now));
  if (!commonNameCovers(leaf.commonName, gun) || !acceptable(leaf)) return undefined;
  const intermediates = now === undefined ? rest : rest.filter(acceptable);
  const keytype = ROOT_KEY_TYPES.get(leaf.publicKey.asymmetricKeyType ?? '');
  if (keytype === undefined) return undefined;
  const pem = Buffer.from(encodePem([leaf, ...intermediates]));
  const isAsPublished = key.keytype === keytype && pem.equals(key.bytes);
  const rebuilt = isAsPublished ? key : toPublicKey(keytype, pem);
  return { key: rebuilt, publishedId: key.id, leaf, intermediates };
}

const ROOT_KEY_TYPES = new Map([
  ['ec', 'ecdsa-x509'],
  ['rsa', 'rsa-x509'],
]);

/**
 * Accepts the first root of a repository: vouched for by its pin and signed by the pinned keys (notary-semantics.md §6.1
 * steps 2, 4, 5).
 *
 * @param now undefined for a root remembered from an earlier run: its validity was checked when it was accepted.
 * @throws TrustError `key_not_pinned`, `metadata_expired` or `metadata_invalid`.
 */
export function verifyFirstRoot(root: RootFile, gun: string, pin: RootPin, now: Date | undefined): void {
  atOnce(firstRootSteps(root, gun, pin, now));
}

/** The same, with pauses. */
export function* firstRootSteps(
  root: RootFile,
  gun: string,
  pin: RootPin,
  now: Date | undefined,
): Steps<void> {
  const keys = yield* requireRootKeys(root.metadata, gun, now);
  const pinned: RootKey[] = [];
  for (const candidate of keys) {
    if (isPinned(candidate, pin, now)) pinned.push(candidate);
    yield;
  }
  if (pinned.length === 0) throw notPinned(gun, keys, pin);
  yield* verifySelfSigned(root, pinned);
}

/**
 * Accepts the successor of a trusted root: signed by enough of the trusted root's keys and by enough of its own
 * (TUF client workflow 5.3.4, notary-semantics.md §6.1 step 3). Expiry is not asked here: an expired root is good
 * enough to vouch for the next one, and the last one is checked by `verifyRootIsCurrent`.
 *
 * @throws TrustError `root_rotation_refused`, `metadata_rollback` or `metadata_invalid`.
 */
export function* nextRootSteps(trusted: RootFile, next: RootFile, gun: string): Steps<void> {
  const trustedKeys = yield* usableKeySteps(trusted.metadata, gun, undefined);
  try {
    const role = {
      keys: trustedKeys.map(({ key }) => key),
      threshold: trusted.metadata.roles.root.threshold,
    };
    yield* thresholdSteps(role, next.envelope.signatures, next.envelope.message, 'root');
  } catch (error) {
    throw new TrustError(
      'root_rotation_refused',
      'signature',
      `root version ${next.metadata.version} is not signed by the keys of the trusted version ` +
        `${trusted.metadata.version}; if the repository was re-created on purpose, pin its new root key and run "pullwarden trust reset"`,
      { role: 'root', cause: error },
    );
  }
  if (next.metadata.version <= trusted.metadata.version) {
    // Vouched for, and older than what was seen: a lagging replica has just this.
    throw rollback('root', next.metadata.version, trusted.metadata.version + 1, true);
  }
  yield* verifySelfSigned(next, yield* requireRootKeys(next.metadata, gun, undefined));
}

/**
 * The newest root must be valid now, with certificates that are (TUF 5.3.10, notary-semantics.md §6.1).
 *
 * @returns when it stops being so.
 * @throws TrustError `metadata_expired` or `metadata_invalid`.
 */
export function verifyRootIsCurrent(root: RootFile, gun: string, now: Date): Date {
  return atOnce(currentRootSteps(root, gun, now));
}

/** The same, with pauses. */
export function* currentRootSteps(root: RootFile, gun: string, now: Date): Steps<Date> {
  requireUnexpired('root', root.metadata.expires, now);
  const keys = yield* requireRootKeys(root.metadata, gun, now);
  const signers = new Set(yield* verifySelfSigned(root, keys));
  const signed = keys.filter(({ key }) => signers.has(key.id));
  return new Date(
    Math.min(root.metadata.expires.getTime(), reachesUntil(signed, root.metadata.roles.root.threshold)),
  );
}

/** A root stops verifying when fewer different signers than its threshold are left; in ms since the epoch. */
function reachesUntil(signed: readonly RootKey[], threshold: number): number {
  const longest = [...signed].sort((a, b) => lifetimeOf(b) - lifetimeOf(a));
  const last = longest.find((_, index) => {
    const lasting = longest.slice(0, index + 1).map(({ key }) => key);
    return countSigners(lasting) >= threshold;
  });
  return last === undefined ? 0 : lifetimeOf(last);
}

/**
 * An intermediate that expires is dropped from the bundle, which changes the key's ID (notary-semantics.md §4.4 step 6).
 */
function lifetimeOf({ leaf, intermediates }: RootKey): number {
  return Math.min(...[leaf, ...intermediates].map(({ notAfter }) => notAfter.getTime()));
}

/** @throws TrustError `metadata_expired`. Equality is still valid (notary-semantics.md §7). */
export function requireUnexpired(role: string, expires: Date, now: Date): void {
  if (expires.getTime() >= now.getTime()) return;
  throw new TrustError('metadata_expired', 'expired', `${role} expired at ${expires.toISOString()}`, {
    role,
  });
}

export function rollback(role: string, got: number, least: number, isLag: boolean): TrustError {
  return new TrustError(
    'metadata_rollback',
    'rollback',
    `${role} version ${got} is older than version ${least}, the least that may follow what was seen before`,
    { role, isLag },
  );
}

function* requireRootKeys(root: RootMetadata, gun: string, now: Date | undefined): Steps<readonly RootKey[]> {
  const keys = yield* usableKeySteps(root, gun, now);
  if (keys.length > 0) return keys;
  const [expiredKey] = yield* usableKeySteps(root, gun, undefined);
  if (expiredKey !== undefined) {
    const { notAfter } = expiredKey.leaf;
    throw new TrustError(
      'metadata_expired',
      'expired',
      `the root certificate for ${gun} is valid until ${notAfter.toISOString()} only`,
      {
        role: 'root',
      },
    );
  }
  throw invalid('key_mismatch', 'root', `no root key of ${gun} is a certificate issued for it`);
}

function* verifySelfSigned(root: RootFile, keys: readonly RootKey[]): Steps<readonly string[]> {
  const role = { keys: keys.map(({ key }) => key), threshold: root.metadata.roles.root.threshold };
  return yield* thresholdSteps(role, root.envelope.signatures, root.envelope.message, 'root');
}

/** Every ID a pin may name the key by, the one that outlives its certificate first. */
export function idsOf({ key, publishedId }: RootKey): readonly string[] {
  return [...new Set([key.canonicalId, key.id, publishedId])];
}

function isPinned(candidate: RootKey, pin: RootPin, now: Date | undefined): boolean {
  switch (pin.kind) {
    case 'keys':
      return idsOf(candidate).some((id) => pin.ids.has(id));
    case 'ca':
      return chainsTo(pin.anchors, candidate.leaf, candidate.intermediates, now);
    case 'firstUse':
      // A wildcard certificate would let one repository's metadata be replayed as another's at first use
      // (notary-semantics.md §13); where an operator pins it, he has said that it may.
      return candidate.leaf.commonName?.endsWith('*') !== true;
    case 'refuse':
      return false;
  }
}

function notPinned(gun: string, keys: readonly RootKey[], pin: RootPin): TrustError {
  const seen = keys.map(({ key }) => key.canonicalId).join(', ');
  const why =
    pin.kind === 'refuse'
      ? `no pin covers ${gun} and first use is refused`
      : `the root key of ${gun} is not the one that is pinned`;
  return new TrustError('key_not_pinned', 'key_mismatch', `${why}; canonical root key ID seen: ${seen}`, {
    role: 'root',
  });
}
