/** Where our answer differs from a program's on purpose. Everything else that differs is a failure. */
export interface KnownDifference {
  /** What the program does, by document and section. */
  readonly section: string;
  /** What the program says and we do not, or the other way round. */
  readonly what: string;
  /** The setting that takes the difference away; absent: there is none, and none is needed. */
  readonly switch?: string;
}

export const KNOWN_DIFFERENCES = {
  'third role': {
    section: 'notary-semantics.md §2.2, §8',
    what: 'notary lists a tag with a delegation that is neither targets nor targets/releases; Docker refuses it there, and so do we',
  },
  'no sha256': {
    section: 'notary-semantics.md §2.3, §3.2',
    what: 'notary and docker trust inspect list a tag with SHA-512 only, without a digest; Docker cannot pull it, and for us it is not signed',
  },
  'lookup order': {
    section: 'notary-semantics.md §8',
    what: 'notary lookup takes targets first; Docker and we take targets/releases first',
  },
  'inspect shows every role': {
    section: 'notary-semantics.md §2.2, §8',
    what: 'docker trust inspect shows the digests of targets and of targets/releases side by side; we show the one that a pull takes',
  },
  'inspect ignores paths': {
    section: 'notary-semantics.md §8',
    what: 'docker trust inspect of a whole repository shows entries outside the paths of their delegation; with a tag it does not',
  },
  'hidden below releases': {
    section: 'notary-semantics.md §8',
    what: 'docker trust inspect shows an entry of targets that a delegation below targets/releases hides from a pull',
  },
  'wildcard root': {
    section: 'notary-semantics.md §13',
    what: 'at first use notary trusts a root certificate for a whole prefix; we do once it is pinned',
    switch: 'a pin',
  },
  'one key twice': {
    section: 'notary-semantics.md §5.3, §13',
    what: 'notary counts two certificates around one key as two signatures; for us the threshold is not met and the delegation is passed over',
  },
  'recreated repository': {
    section: 'notary-semantics.md §6.3, §11.10',
    what: 'a client without state trusts a repository that was made anew; one with state, such as us and a docker that knew it, does not',
    switch: 'trust reset',
  },
  'same root version': {
    section: 'notary-semantics.md §6.3, §13',
    what: 'docker with state accepts another root of the same or a lower version; we want a higher one',
    switch: 'trust reset',
  },
  'signer declared again': {
    section: 'notary-semantics.md §8, §13',
    what: 'a signer that was removed and declared again under the same keys, and has not signed since, looks like one whose file is hidden; with state we want its file',
    switch: 'a signature of that signer, or trust reset',
  },
  'delegation keys replaced': {
    section: 'notary-semantics.md §8, §13',
    what: 'between new keys for targets/releases and their first signature docker takes its tags from targets, where an older entry may be left; with state we refuse them',
    switch: 'a signature with the new keys, or trust reset',
  },
  'cached after 404': {
    section: 'notary-semantics.md §7.4, §13',
    what: 'docker with state goes on showing a repository that the server says is gone; for us it has no trust data',
  },
} as const satisfies Readonly<Record<string, KnownDifference>>;

export type DifferenceName = keyof typeof KNOWN_DIFFERENCES;
