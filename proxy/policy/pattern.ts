/**
 * Patterns over whole names, `<registry>/<repository>`, as rules and trust pins use them.
 *
 * A pattern is anchored at both ends and compared segment by segment, so no part of a name can stand in for
 * another (`evil.com/x.trusted.com/org/a` is not under `x.trusted.com/**`). Within a segment `*` stands for any
 * characters, none included. `**` is a whole segment and stands for any number of segments; at the end of a pattern
 * for at least one, because `registry.example.com/team/**` speaks of what is below `team`, not of `team` itself.
 *
 * Nothing here builds an expression from configured text. Matching takes pieces from left to right and never goes
 * back to one already placed, so the work is at most the pattern's length times the name's.
 */
import { isRegistry, isRepository, MAX_NAME_LENGTH } from '../names/reference.ts';

/** The literal texts around a segment's stars: one text is a segment without a star. */
type Literals = readonly string[];

type Run = readonly Literals[];

export type Pattern = {
  readonly text: string;
  /** undefined stands for `**`. */
  readonly segments: readonly (Literals | undefined)[];
  /** The runs of segments around `**`; the first is anchored at the start, the last at the end. */
  readonly runs: readonly Run[];
};

/** Anything that carries a pattern: a rule, a trust pin. */
export type Matching = { readonly match: string };

const STARRED_REGISTRY = /^[a-z0-9.:*-]+$/;
const STARRED_SEGMENT = /^[a-z0-9._*-]+$/;

/** @returns what is wrong with a pattern, to be read after "invalid pattern:"; undefined when the pattern is valid. */
export function patternFault(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) return `it is longer than ${MAX_NAME_LENGTH} characters`;
  const segments = text.split('/');
  if (segments.length < 2 && text !== '**') return 'it names a registry but no repository';
  if (segments.some((segment, at) => segment === '**' && segments[at + 1] === '**')) return '** follows **';
  return segments.map(segmentFault).find((fault) => fault !== undefined);
}

function segmentFault(segment: string, at: number): string | undefined {
  if (segment === '') return 'it has an empty segment';
  if (segment === '**') return undefined;
  if (segment.includes('**')) return '** must be a whole path segment';
  if (/[A-Z]/.test(segment)) return 'names must be in lower case';
  const isRegistryPart = at === 0;
  if (segment.includes('*')) {
    const allowed = isRegistryPart ? STARRED_REGISTRY : STARRED_SEGMENT;
    return allowed.test(segment) ? undefined : 'it contains a character that names cannot have';
  }
  if (isRegistryPart) return isRegistry(segment) ? undefined : 'its first segment must be a registry name';
  return isRepository(segment) ? undefined : 'it contains a segment that is not valid in a repository name';
}

/** @throws RangeError for text that `patternFault` finds fault with: configuration is checked long before. */
export function compilePattern(text: string): Pattern {
  const fault = patternFault(text);
  if (fault !== undefined) throw new RangeError(`invalid pattern ${JSON.stringify(text)}: ${fault}`);
  const segments = text.split('/').map(toSegment);
  return { text, segments, runs: toRuns(segments) };
}

function toSegment(text: string): Literals | undefined {
  return text === '**' ? undefined : text.split('*');
}

function toRuns(segments: Pattern['segments']): readonly Run[] {
  const runs: Run[] = [];
  let run: Literals[] = [];
  for (const segment of segments) {
    if (segment !== undefined) {
      run.push(segment);
      continue;
    }
    runs.push(run);
    run = [];
  }
  // A trailing `**` takes at least one segment, which is the same as `**` before a `*`.
  const isTrailing = run.length === 0;
  return [...runs, isTrailing ? [['', '']] : run];
}

/** Whether the pattern covers a whole name. What is no `<registry>/<repository>` is covered by no pattern. */
export function matches(pattern: Pattern, name: string): boolean {
  const segments = parseName(name);
  return segments !== undefined && matchesSegments(pattern, segments);
}

/** Whether the pattern can cover a repository of that registry, as far as its first segment tells. */
export function coversRegistry(pattern: Pattern, registry: string): boolean {
  const first = pattern.segments[0];
  return first === undefined || matchesSegment(first, registry);
}

/** Stands for what a `*` stands for; no name and no pattern has it. */
const ANYTHING = '\0';

/**
 * Whether every name that `inner` covers is covered by `outer` too. A yes is certain; a no may be wrong where `outer` takes
 * several segments to say what `inner` says with one `**`.
 */
export function coversAll(outer: Pattern, inner: Pattern): boolean {
  const segments = inner.segments.map((literals) => literals?.join(ANYTHING));
  // A trailing `**` takes at least one segment.
  const last = segments.at(-1) === undefined ? [ANYTHING] : [];
  return matchesSegments(outer, [...segments, ...last]);
}

function parseName(name: string): readonly string[] | undefined {
  const slash = name.indexOf('/');
  const valid = slash > 0 && isRegistry(name.slice(0, slash)) && isRepository(name.slice(slash + 1));
  return valid ? name.split('/') : undefined;
}

/** The segments of a name; undefined is any number of segments, and what only `**` takes. */
type Name = readonly (string | undefined)[];

function matchesSegments(pattern: Pattern, name: Name): boolean {
  const [first = [], ...rest] = pattern.runs;
  const last = rest.pop();
  if (last === undefined) return name.length === first.length && matchesRun(first, name, 0);
  const end = name.length - last.length;
  if (first.length > end || !matchesRun(first, name, 0) || !matchesRun(last, name, end)) return false;
  let from = first.length;
  for (const run of rest) {
    const at = findRun(run, name, from, end);
    if (at === undefined) return false;
    from = at + run.length;
  }
  return true;
}

/** The leftmost place is always a right one: it leaves the most room for the runs that follow. */
function findRun(run: Run, name: Name, from: number, end: number): number | undefined {
  for (let at = from; at + run.length <= end; at += 1) {
    if (matchesRun(run, name, at)) return at;
  }
  return undefined;
}

function matchesRun(run: Run, name: Name, from: number): boolean {
  return run.every((literals, index) => {
    const text = name[from + index];
    return text !== undefined && matchesSegment(literals, text);
  });
}

function matchesSegment(literals: Literals, text: string): boolean {
  const [first = '', ...rest] = literals;
  const last = rest.pop();
  if (last === undefined) return text === first;
  const end = text.length - last.length;
  if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  for (const literal of rest) {
    const at = text.indexOf(literal, from);
    if (at < 0 || at + literal.length > end) return false;
    from = at + literal.length;
  }
  return true;
}

/**
 * Orders patterns from the most to the least specific (proxy/README.md, "2. Match"): segment by segment from the
 * left a literal comes before a segment with `*` in it, of two such the one with more literal characters comes
 * first, and `**` comes last. Where all that is equal the longer pattern comes first, then the one whose text is
 * smaller by character code, so two different patterns never tie and the order in the file never matters.
 *
 * @returns a negative number when `a` is more specific than `b`, 0 only for the same text.
 */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [rank(a, at), rank(b, at)];
    if (left !== right) return left > right ? -1 : 1;
  }
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}

/** A literal, then the number of literal characters beside a star, then `**`, then no segment at all. */
function rank({ segments }: Pattern, at: number): number {
  if (at >= segments.length) return -2;
  const literals = segments[at];
  if (literals === undefined) return -1;
  return literals.length === 1 ? Number.POSITIVE_INFINITY : literals.join('').length;
}

type Compiled<T> = readonly { readonly pattern: Pattern; readonly item: T }[];

/** Compiled once for each list. The lists are parts of a frozen configuration and do not change. */
const compiledLists = new WeakMap<readonly Matching[], Compiled<Matching>>();

/** The item with the most specific pattern that covers the name, whatever the order of the items. */
export function mostSpecific<T extends Matching>(items: readonly T[], name: string): T | undefined {
  const segments = parseName(name);
  if (segments === undefined) return undefined;
  return compiled(items).find(({ pattern }) => matchesSegments(pattern, segments))?.item;
}

function compiled<T extends Matching>(items: readonly T[]): Compiled<T> {
  const known = compiledLists.get(items) as Compiled<T> | undefined;
  if (known !== undefined) return known;
  const fresh = items
    .map((item) => ({ pattern: compilePattern(item.match), item }))
    .sort((a, b) => compareSpecificity(a.pattern, b.pattern));
  compiledLists.set(items, fresh);
  return fresh;
}
