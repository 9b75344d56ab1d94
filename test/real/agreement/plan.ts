/** What a shape means in delegations and entries. Pure: the publisher only carries it out. */
import type { Shape } from './shapes.ts';

/** Who can hold a delegation; `anaAgain` is another certificate around ana's key. */
export type Holder = 'ana' | 'anaAgain' | 'bob' | 'cora';

export interface Delegation {
  readonly role: string;
  readonly holders: readonly Holder[];
  /** Prefixes of the tags it may sign. */
  readonly paths: readonly string[];
  readonly threshold: number;
}

export interface Entry {
  readonly tag: string;
  readonly role: string;
  /** Stands for the image: its hashes are what is signed. */
  readonly content: string;
  readonly hashes: 'sha256' | 'both' | 'sha512';
  /** Text of a JSON file. */
  readonly custom?: string;
}

export interface Plan {
  readonly delegations: readonly Delegation[];
  readonly entries: readonly Entry[];
}

/** Only sorted members and integers survive the way from signing to verifying (notary-semantics.md §5.1). */
export const CUSTOM: Readonly<Record<Shape['custom'], string | undefined>> = {
  none: undefined,
  sorted: '{"a":1,"b":{"c":["x",null,true]}}',
  unsorted: '{"b":1,"a":2}',
  fraction: '{"a":1.5}',
};

const TAGS: Readonly<Record<Shape['tags'], number>> = { zero: 0, one: 1, twenty: 20, manyHundred: 500 };
const PATHS: Readonly<Record<Shape['paths'], readonly string[]>> = {
  all: [''],
  prefix: ['v'],
  overlapping: ['v1', 'v'],
  disjoint: ['rel-'],
  empty: [],
};
const HOLDERS: Readonly<Record<Shape['delegationKeys'], readonly Holder[]>> = {
  ecdsa: ['ana'],
  rsa: ['bob'],
  both: ['ana', 'bob'],
};
const ROLES: Readonly<Record<Shape['delegations'], readonly string[]>> = {
  none: [],
  releases: ['targets/releases'],
  signers: ['targets/releases', 'targets/ana', 'targets/bob'],
  signersOnly: ['targets/ana', 'targets/bob'],
  nested: ['targets/releases', 'targets/qa', 'targets/qa/night'],
  belowReleases: ['targets/releases', 'targets/releases/eu'],
};

export function planOf(shape: Shape): Plan {
  const delegations = ROLES[shape.delegations].map((role) => toDelegation(shape, role));
  return { delegations, entries: toEntries(shape, delegations) };
}

/** Tags take turns: signed as `docker trust sign` does it, in `targets` only, in the last or first delegation only. */
export function rolesFor(delegations: readonly Delegation[], turn: number, tag: string): readonly string[] {
  const names = delegations.map(({ role }) => role);
  const released = names.includes('targets/releases') ? names : ['targets', ...names];
  const turns = [released, ['targets'], names.slice(-1), names.slice(0, 1)];
  const wanted = turns[turn % turns.length] ?? [];
  const allowed = wanted.filter((role) => role === 'targets' || isAllowed(delegations, role, tag));
  return allowed.length > 0 ? allowed : ['targets'];
}

/** Every delegation from the role upwards must be allowed to name the tag (notary-semantics.md §8). */
export function isAllowed(delegations: readonly Delegation[], role: string, tag: string): boolean {
  const above = delegations.filter((one) => role === one.role || role.startsWith(`${one.role}/`));
  return above.length > 0 && above.every(({ paths }) => paths.some((path) => tag.startsWith(path)));
}

function toDelegation(shape: Shape, role: string): Delegation {
  const paths = PATHS[shape.paths];
  const isChild = role.split('/').length > 2;
  const holders = shape.threshold === 'oneKeyTwice' ? (['ana', 'anaAgain'] as const) : undefined;
  return {
    role,
    holders: holders ?? HOLDERS[shape.delegationKeys],
    // Notary refuses a child's path that is outside its parent's.
    paths: isChild ? paths.slice(0, 1).map(toChildPath) : paths,
    threshold: shape.threshold === 'one' ? 1 : 2,
  };
}

function toChildPath(path: string): string {
  return path === '' ? '' : `${path}1`;
}

function toEntries(shape: Shape, delegations: readonly Delegation[]): readonly Entry[] {
  const count = TAGS[shape.tags];
  const tags = Array.from({ length: count }, (_, index) => `${index % 7 === 6 ? 'rel-' : 'v'}${index}`);
  const custom = shape.custom === 'sorted' ? CUSTOM.sorted : undefined;
  const entries: readonly Entry[] = tags.flatMap((tag, index) => {
    const hashes = shape.hashes === 'both' ? 'both' : 'sha256';
    const isLast = shape.hashes === 'withoutSha256' && index === count - 1;
    return rolesFor(delegations, index, tag).map((role) => ({
      tag,
      role,
      content: tag,
      hashes: isLast ? 'sha512' : hashes,
      ...(custom === undefined || index > 0 ? {} : { custom }),
    }));
  });
  return [...entries, ...toConflicts(shape, delegations, tags)].filter(isFirstOfItsKind);
}

/** Another digest for a few tags, one of each turn. */
function toConflicts(
  shape: Shape,
  delegations: readonly Delegation[],
  tags: readonly string[],
): readonly Entry[] {
  if (shape.conflict === 'none') return [];
  const role = shape.conflict === 'targets' ? 'targets' : delegations.at(-1)?.role;
  if (role === undefined) return [];
  const named = [0, 1, 2, 10].flatMap((index) => tags[index] ?? []);
  return named
    .filter((tag) => role === 'targets' || isAllowed(delegations, role, tag))
    .map((tag) => ({ tag, role, content: `${tag} conflicting`, hashes: 'sha256' }));
}

/** A role holds a tag once. For a conflict in a signer's delegation the later entry is the one that differs. */
function isFirstOfItsKind(entry: Entry, index: number, all: readonly Entry[]): boolean {
  return all.findLastIndex(({ tag, role }) => tag === entry.tag && role === entry.role) === index;
}
