/**
 * Every bound of the trust client, with its unit. A trust server is hostile until verified, and even a verified
 * length was chosen by whoever holds the snapshot and timestamp keys, so nothing is read, counted or nested without
 * a limit from this file (notary-semantics.md §13, "endless data"). Honest repositories stay far below: 75,000 tags
 * are about 6.5 MB (notary-semantics.md §11.14).
 */
const MIB = 1024 * 1024;

export const LIMITS = {
  /**
   * Bytes of one root. One with a few certificates is about 3 KB, and each earlier key that Notary leaves in it adds
   * 1.5 KB: room for 170 rotations. Checking one takes a fifth of a second, in turns with everything else.
   */
  rootBytes: 256 * 1024,
  /** Bytes of all roots of one repository; every one of them is read and checked again after a restart. */
  chainBytes: 16 * MIB,
  /** Bytes of the timestamp; Notary's own limit (notary-semantics.md §7). */
  timestampBytes: MIB,
  /** Bytes of a snapshot, targets or delegation file, whatever its parent says. */
  fileBytes: 32 * MIB,
  /** Bytes of a snapshot that is read although nobody vouches for it, to tell which root it goes with. */
  unsignedSnapshotBytes: 256 * 1024,
  /** How often one update looks at all files while they go with another root than the newest. */
  looks: 8,
  /** How often a file is asked for that the trust server names and does not have. */
  asksForNamed: 3,
  /** Bytes of an error's body; Notary's own are below 300. */
  errorBytes: 16 * 1024,
  /** Bytes of all files of one update together. */
  updateBytes: 64 * MIB,
  /** Bytes one update may hold without asking what the others hold; 45,000 honest tags are below it. */
  freeBytes: 4 * MIB,
  /** Bytes all updates of this process hold together, above what is free to each (held-bytes.ts). */
  sharedBytes: 256 * MIB,
  /** New roots followed in one update. */
  rootsPerUpdate: 1024,
  /** Delegations used of one repository. */
  delegations: 256,
  /** Levels of delegation below `targets`. */
  delegationDepth: 8,
  /** Path prefixes of one delegation; each is compared with each of its parent's. */
  paths: 256,
  /** Metadata files asked for at the same time, for one repository. */
  parallelFetches: 8,
  /** Levels of JSON nesting. */
  jsonDepth: 64,
  /** JSON values in one file, member names aside; 32 MiB of honest targets are 1.6 million (four for each tag). */
  jsonValues: 2_000_000,
  /** Characters of one JSON number; a 64-bit integer has 20. */
  numberCharacters: 64,
  /** Lower versions remembered of one role, each signed by others: as many sets of signers as take turns at it. */
  earlierFloors: 16,
  /**
   * Key IDs in all floors of one repository, above which those of delegations that are declared no more are forgotten, the
   * longest known first: a publisher may declare others every minute. About 1 MiB of the state, read in 15 ms.
   */
  rememberedIds: 16_384,
  /** Signatures looked at in one file. */
  signatures: 128,
  /** Bytes read to check the signatures of one file: its own, times the signatures that name a key of the role. */
  signedBytes: 256 * MIB,
  /** Bits of an RSA modulus. */
  rsaBits: 8192,
  /** Keys declared in one file. */
  keys: 1024,
  /** Bytes of all keys declared in one file; a certificate is about 1 KB. */
  keyBytes: 2 * MIB,
  /** Keys remembered as they were read, of all repositories, and bytes of the largest. */
  knownKeys: 2048,
  knownKeyBytes: 4 * 1024,
  /** Bytes of all of them with what OpenSSL holds, which known-keys.ts estimates; honest ones need less than 16 MiB. */
  knownKeysBytes: 32 * MIB,
  /** Key IDs in all roles of one file together. */
  keyReferences: 8192,
  /** Paths of all delegations of one file together, and characters of each; a tag has 128. */
  pathsOfFile: 4096,
  pathCharacters: 1024,
  /** Delegations that a snapshot names; those of which the metadata was removed stay named. */
  snapshotNames: 4096,
  /** Certificates in one x509 key. */
  certificates: 16,
} as const;
