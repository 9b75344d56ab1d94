/**
 * What a correct reader finds in each corrupted file, by rule: written from notary-semantics.md, never from what our
 * code answers. corrupter-rules.ts turns it into the outcome for each attacker and state.
 */

import type { TrustCause } from '../../proxy/trust-client/errors.ts';
import type { CorruptibleRole } from '../simulators/corruptions/types.ts';

export type Finding = {
  /**
   * Found before any signature is looked at: the order is size, hash, form, signatures, version, expiry
   * (notary-semantics.md §14).
   */
  readonly form?: TrustCause;
  /** Found in the certificates of a first root, before its signatures (notary-semantics.md §6.1). */
  readonly certificate?: 'key_mismatch';
  /** Found when signatures are counted, whoever wrote them (notary-semantics.md §5.3). */
  readonly proof?: 'signature' | 'threshold';
  readonly version?: 'equal' | 'lower' | 'huge';
  readonly expired?: true;
  /** What is wrong with the attacked role once the altered file is believed. */
  readonly about?: 'threshold' | 'hash_mismatch' | 'size';
  /** Accepted, but this tag is not signed any more. */
  readonly unsigned?: '1.0' | '0.9';
  /** Why, for whoever reviews the table. */
  readonly why: string;
};

type ByRole = (role: CorruptibleRole) => Finding;

const NO_JSON = {
  form: 'format',
  why: 'notary-semantics.md §14: one strict parser, nothing but UTF-8 JSON',
} as const;
const CLOSED = { form: 'format', why: 'Cure53 TUF-01-001: nothing unknown outside what is signed' } as const;
const TWICE = { form: 'format', why: 'notary-semantics.md §5.1: two readers see two files' } as const;
const STRUCTURE = { form: 'format', why: 'notary-semantics.md §3.3: structure' } as const;
const INTEGER = {
  form: 'format',
  why: 'notary-semantics.md §3.3: version is an integer literal of at least 1',
} as const;
const UNSIGNABLE = {
  form: 'format',
  why: 'notary-semantics.md §5.1: numbers that are no 64-bit integers cannot be signed',
} as const;
const TIME = { form: 'format', why: 'notary-semantics.md §3: expires is an RFC 3339 time' } as const;
const KEY_IDS = { proof: 'threshold', why: 'notary-semantics.md §5.3: unknown keyid, skip' } as const;
const METHODS = {
  proof: 'threshold',
  why: 'notary-semantics.md §5.2, CVE-2015-9258: the method must fit the key',
} as const;
const SIGNATURE = { proof: 'threshold', why: 'notary-semantics.md §5.3: bad signature, skip' } as const;
const ALLOWED = {
  why: 'notary-semantics.md §3, §5: signed as it stands; every honest reader accepts it',
} as const;

const isDelegation = (role: CorruptibleRole) => role === 'targets/releases';

/**
 * A file other than the root has its keys skipped or refused by them; root keys are rebuilt (notary-semantics.md §4.4
 * step 6).
 */
function keysOf(role: CorruptibleRole, otherwise: Finding): Finding {
  return role === 'root'
    ? { why: 'notary-semantics.md §4.4 step 6: rebuilt from the certificate, whatever is declared' }
    : otherwise;
}

/** The root is compared, not fetched, with what the snapshot says; the others are fetched with it as a limit. */
function lengthOf(role: CorruptibleRole, fault: 'size' | 'hash_mismatch'): Finding {
  return {
    about: role === 'root' ? 'hash_mismatch' : fault,
    why: 'notary-semantics.md §13: honest lengths are exact',
  };
}

/**
 * Only a delegation may lack its sha256 (notary-semantics.md §7.2); then it is refused, where Notary would fetch it without
 * proof.
 */
function hashless(role: CorruptibleRole): Finding {
  if (isDelegation(role))
    return { about: 'hash_mismatch', why: 'notary-semantics.md §7.2 step 5, stricter: never without a hash' };
  return { form: 'format', why: 'notary-semantics.md §3.3: sha256 is required' };
}

function swapped(other: CorruptibleRole): ByRole {
  return (role) => {
    if (role === 'targets' && isDelegation(other))
      return { proof: 'threshold', why: 'notary-semantics.md §3: same form, other keys' };
    if (isDelegation(role) && other === 'targets')
      return { form: 'format', why: 'notary-semantics.md §3.3: declares itself its child' };
    return { form: 'format', why: 'notary-semantics.md §3: _type is exact per role' };
  };
}

const REDECLARED = {
  form: 'format',
  why: 'notary-semantics.md §3.3, CVE-2026-23992: threshold at least 1',
} as const;
const MISNAMED: ByRole = (role) =>
  keysOf(role, { form: 'key_mismatch', why: 'notary-semantics.md §4.3: the ID is that of the content' });
const UNUSABLE: ByRole = (role) =>
  keysOf(role, { about: 'threshold', why: 'notary-semantics.md §3.1: it can never verify' });
const HASH = {
  about: 'hash_mismatch',
  why: 'notary-semantics.md §7: every supported hash given must match',
} as const;

const TABLE: Readonly<Record<string, Finding | ByRole>> = {
  missing: { why: 'notary-semantics.md §1.3: 404' },
  empty: NO_JSON,
  'cut in half': NO_JSON,
  'without its last byte': NO_JSON,
  'an HTML page': NO_JSON,
  'text after the end': NO_JSON,
  'a byte that is not UTF-8': NO_JSON,
  'a byte order mark': NO_JSON,
  'white space between members': ALLOWED,
  'an unknown unsigned member': CLOSED,
  'an unsigned member in another case': CLOSED,
  'signed twice': TWICE,
  'signatures twice': TWICE,
  'signatures under another name': CLOSED,
  'an unknown member in a signature': CLOSED,
  'signed is null': STRUCTURE,
  'a bare array': STRUCTURE,

  'version twice': TWICE,
  'version as 1.0': INTEGER,
  'version as 1e0': INTEGER,
  'version as 1e400': NO_JSON,
  'version 2^53': {
    form: 'format',
    why: 'notary-semantics.md §14, NCC-3: beyond 2^53-1 two readers may differ',
  },
  'version with a leading zero': NO_JSON,
  'nested 100 levels deep': { form: 'format', why: 'limits.ts: 64 levels' },
  'a fraction in an unknown member': UNSIGNABLE,
  'a number of 65 bits': UNSIGNABLE,
  'a letter as an escape': ALLOWED,
  'a name twice through an escape': TWICE,

  '_type of another role': STRUCTURE,
  '_type in lower case': STRUCTURE,
  '_type missing': STRUCTURE,
  'Version beside version': {
    form: 'format',
    why: "notary-semantics.md §5.1: Go's decoder reads it as version",
  },
  'expires with a long s beside expires': {
    form: 'format',
    why: "notary-semantics.md §5.1: Go's decoder folds it to expires",
  },
  'an unknown signed member': ALLOWED,
  'a member named __proto__': ALLOWED,
  'a member named constructor': ALLOWED,
  'nested 30 levels deep': ALLOWED,
  'a string of more than 1 MiB': (role) =>
    role === 'root' || role === 'timestamp'
      ? { form: 'size', why: 'limits.ts: 1 MiB for root and timestamp' }
      : { why: 'limits.ts: below 32 MiB, and its parent gives its length' },
  'version missing': INTEGER,
  'version null': INTEGER,
  'version as a string': INTEGER,
  'version 0': INTEGER,
  'version -1': INTEGER,
  'version equal to the last': {
    version: 'equal',
    why: 'notary-semantics.md §7.5: no lower, and for the timestamp no other content',
  },
  'version lower than the last': { version: 'lower', why: 'notary-semantics.md §7.5, §13 rollback' },
  'version 2^31-1': { version: 'huge', why: 'NCC-3: lawful for a 53-bit reader' },
  'expires missing': TIME,
  'expires null': TIME,
  'expires in words': TIME,
  'expires without a time': TIME,
  'expires on February 30th': TIME,
  'expired a second ago': { expired: true, why: 'notary-semantics.md §7: expires < now' },
  'expires this very moment': { why: 'notary-semantics.md §7: equality is valid' },
  'expires in the year 9999': { why: 'notary-semantics.md §7: no upper bound; an owner may choose it' },
  'no base role targets': STRUCTURE,
  'roles as an array': STRUCTURE,
  'meta missing': STRUCTURE,
  'targets missing': STRUCTURE,
  'a target without hashes': STRUCTURE,
  'no sha256 for any target': (role) => ({
    unsigned: isDelegation(role) ? '1.0' : '0.9',
    why: 'notary-semantics.md §2.3: no valid hash, expecting sha256',
  }),
  'a target named __proto__': ALLOWED,

  'no signature': {
    proof: 'signature',
    why: 'notary-semantics.md §5.3 step 1: fatal, also for a delegation',
  },
  'signed by a key nobody knows': KEY_IDS,
  'key ID in upper case': KEY_IDS,
  'method of another algorithm': METHODS,
  'unknown method': METHODS,
  'method named __proto__': METHODS,
  'method in upper case': { why: 'notary-semantics.md §3.1: method is lower-cased before lookup' },
  'one bit flipped': SIGNATURE,
  'as ASN.1': SIGNATURE,
  'one byte short': SIGNATURE,
  'not base64': SIGNATURE,
  'URL-safe base64': SIGNATURE,
  'the same signature twice': { why: 'notary-semantics.md §5.3: counts once, and once is enough' },
  'a bad signature before the good one': { why: 'notary-semantics.md §5.3: bad signature, skip' },
  'a signature by a retired key beside the good one': { why: 'notary-semantics.md §9: skip unknown keyids' },
  '200 signatures': { form: 'size', why: 'limits.ts: 128 signatures' },
  'a signature over something else': SIGNATURE,

  'threshold 0': REDECLARED,
  'threshold -1': REDECLARED,
  'threshold above the number of keys': {
    about: 'threshold',
    why: 'notary-semantics.md §5.3: never satisfiable',
  },
  'a key under an ID that is not its own': MISNAMED,
  'a key named __proto__': MISNAMED,
  'a key of unknown type': UNUSABLE,
  'an ecdsa key declared as rsa': UNUSABLE,
  'an ecdsa key declared as ed25519': UNUSABLE,
  'two certificates on one key, threshold 2': {
    about: 'threshold',
    why: 'notary-semantics.md §13: unique public keys count',
  },

  'sha256 off by one bit': HASH,
  'sha512 wrong but sha256 right': HASH,
  'length one too small': (role) => lengthOf(role, 'size'),
  'length one too large': (role) => lengthOf(role, 'hash_mismatch'),
  'length -1': { form: 'format', why: 'notary-semantics.md §7: "unknown" to Notary; no honest file says it' },
  'length as a string': STRUCTURE,
  'length 33 MiB': (role) => lengthOf(role, 'size'),
  'hashes absent': STRUCTURE,
  'hashes empty': hashless,
  'sha512 without sha256': hashless,
  'sha256 without sha512': { why: 'notary-semantics.md §3.2: sha512 is optional' },
  'an unknown hash beside sha256': { why: 'notary-semantics.md §3.2: unknown names are ignored' },
  'sha256 one byte short': STRUCTURE,
  'sha256 in hex': STRUCTURE,
  'nothing said of the file': (role) =>
    isDelegation(role)
      ? { unsigned: '1.0', why: 'notary-semantics.md §8: declared, absent from the snapshot: no metadata' }
      : STRUCTURE,

  'the file of root': swapped('root'),
  'the file of timestamp': swapped('timestamp'),
  'the file of snapshot': swapped('snapshot'),
  'the file of targets': swapped('targets'),
  'the file of targets/releases': swapped('targets/releases'),
  'the file of another repository': (role) =>
    role === 'root'
      ? {
          certificate: 'key_mismatch',
          why: 'notary-semantics.md §4.4: the common name is not this repository',
        }
      : { proof: 'threshold', why: 'notary-semantics.md §9: bound by the keys the root lists' },
};

export const NAMED_FINDINGS: readonly string[] = Object.keys(TABLE);

export function findingOf(corruption: string, role: CorruptibleRole): Finding {
  const finding = TABLE[corruption];
  if (finding === undefined) throw new Error(`no rule for "${corruption}"`);
  return typeof finding === 'function' ? finding(role) : finding;
}
