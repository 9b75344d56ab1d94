/** Names that must be given once. */
import { type Finding, show } from './errors.ts';
import type { TextEntry } from './lookup.ts';

/** Each entry whose text an earlier one has. */
export function repeated(entries: readonly TextEntry[], what: string): readonly Finding[] {
  const seen = new Set<string>();
  return entries.flatMap(({ path, value }) => {
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [{ path, what: `duplicate ${what} ${show(value)}`, next: 'remove or change one of the two' }];
  });
}
