/** How deep YAML text nests, found without recursion: the composer recurses, and deep text would end the process. */
import { type CST, Parser } from 'yaml';

type Nested = { readonly token: CST.Token; readonly depth: number };

/** Whether mappings and lists nest more than `max` levels. */
export function isDeeperThan(max: number, text: string): boolean {
  const pending: Nested[] = [...new Parser().parse(text)].map((token) => ({ token, depth: 0 }));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { token, depth } = next;
    if (depth > max) return true;
    for (const child of children(token)) pending.push({ token: child, depth: depth + 1 });
  }
  return false;
}

function children(token: CST.Token): readonly CST.Token[] {
  const below = 'items' in token ? token.items.flatMap(({ key, value }) => [key, value]) : [];
  const content = token.type === 'document' ? [token.value] : [];
  return [...content, ...below].filter((child) => child !== undefined && child !== null);
}
