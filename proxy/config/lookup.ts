/** Reading unvalidated data: a step that does not exist, or is of another kind, is undefined and never an error. */
import type { Path } from './errors.ts';

/** The value under a key of a mapping or at a place in a list; own keys only. */
export function at(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string | number, unknown>)[step];
}

export function lookUp(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(at, value);
}

/** Where a value stands, and the value. */
export type Entry = { readonly path: Path; readonly value: unknown };

export function entry(value: unknown, path: Path): Entry {
  return { path, value: lookUp(value, path) };
}

/** The items of the list at a path. */
export function items(value: unknown, path: Path): readonly Entry[] {
  const list = lookUp(value, path);
  if (!Array.isArray(list)) return [];
  return list.map((item: unknown, index) => ({ path: [...path, index], value: item }));
}

/** What stands under one key of each item of a list. */
export function fields(value: unknown, list: Path, key: string): readonly Entry[] {
  return items(value, list).map(({ path }) => entry(value, [...path, key]));
}

/** Text that stands somewhere. */
export type TextEntry = { readonly path: Path; readonly value: string };

/** Those entries that are text and not empty. */
export function texts(entries: readonly Entry[]): readonly TextEntry[] {
  return entries.filter((found): found is TextEntry => typeof found.value === 'string' && found.value !== '');
}
