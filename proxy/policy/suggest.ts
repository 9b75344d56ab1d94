/** Which signed tags a refusal may name instead of the one that was asked for. */
import { isTag } from '../names/reference.ts';
import type { VerifiedTrust } from '../trust-client/types.ts';

/** Suggestions in one refusal. */
const MAX_SUGGESTIONS = 5;
/** Of them, how many may be newer than the tag that was asked for. */
const NEWER = 2;
/** Names looked at on each side of the asked tag in the sorted list: bounds the work of one refusal. */
const NEARBY = 100;

/** Signed tags of a verified repository to name in place of one that is not signed. */
export function signedNear(trust: VerifiedTrust, tag: string, now: Date): readonly string[] {
  return suggestTags(trust.tagsNear(tag, now, NEARBY), tag);
}

/**
 * The signed tags nearest to one that is not signed, the newest first: at most five, two of them newer where older
 * ones exist. A tag's digits compare as numbers (`3.9` < `3.20`), and a `-suffix` is older than none
 * (`3.20-rc1` < `3.20`).
 *
 * @param tags signed names, sorted by character code as `VerifiedTrust.tagsNear` gives them. Names that are not tags are
 * left out: a signer may sign any text, and this one goes into a message.
 */
export function suggestTags(tags: readonly string[], wanted: string): readonly string[] {
  const candidates = near(tags, wanted)
    .filter((tag) => tag !== wanted && isTag(tag))
    .map((tag) => ({ tag, parts: toParts(tag) }))
    .sort((a, b) => compareParts(b.parts, a.parts));
  const parts = toParts(wanted);
  const firstOlder = candidates.filter((candidate) => compareParts(candidate.parts, parts) > 0).length;
  const start = Math.max(0, Math.min(firstOlder - NEWER, candidates.length - MAX_SUGGESTIONS));
  return candidates.slice(start, start + MAX_SUGGESTIONS).map(({ tag }) => tag);
}

function near(tags: readonly string[], wanted: string): readonly string[] {
  if (tags.length <= 2 * NEARBY) return tags;
  let [low, high] = [0, tags.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tags[middle] ?? '') < wanted) low = middle + 1;
    else high = middle;
  }
  return tags.slice(Math.max(0, low - NEARBY), low + NEARBY);
}

/** A run of digits without leading zeros, or a run of other characters; both orders come first in the tuple. */
type Part = { readonly order: number; readonly text: string };

const SUFFIX = 0;
const END = 1;
const DIGITS = 2;
const TEXT = 3;

function toParts(tag: string): readonly Part[] {
  const runs = tag.match(/[0-9]+|[^0-9]+/g) ?? [];
  return runs.map((text) => {
    if (/^[0-9]/.test(text)) return { order: DIGITS, text: text.replace(/^0+(?=.)/, '') };
    return { order: text.startsWith('-') ? SUFFIX : TEXT, text };
  });
}

function compareParts(a: readonly Part[], b: readonly Part[]): number {
  const end = { order: END, text: '' };
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const order = comparePart(a[at] ?? end, b[at] ?? end);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: Part, b: Part): number {
  if (a.order !== b.order) return a.order - b.order;
  if (a.order === DIGITS && a.text.length !== b.text.length) return a.text.length - b.text.length;
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}
