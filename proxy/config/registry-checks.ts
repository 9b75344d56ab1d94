/** Checks of the names of registries. The schema reports invalid names, which are skipped here. */
import { isRegistry } from '../names/reference.ts';
import type { Finding } from './errors.ts';
import { entry, fields, items, type TextEntry, texts } from './lookup.ts';
import { repeated } from './repeated.ts';

export function registryFindings(value: unknown): readonly Finding[] {
  return [...registryNames(value), ...defaultRegistry(value)];
}

/** The valid names of all registries. */
export function canonicalNames(value: unknown): readonly string[] {
  return validNames(texts(fields(value, ['registries'], 'name'))).map((name) => name.value);
}

/** The name of the registry that has this alias. */
export function ownerOf(value: unknown, alias: string): string | undefined {
  const owner = items(value, ['registries']).find(({ path }) => {
    return items(value, [...path, 'aliases']).some((known) => known.value === alias);
  });
  const name = owner === undefined ? [] : validNames(texts([entry(value, [...owner.path, 'name'])]));
  return name[0]?.value;
}

/** What is wrong with a text that begins with `first`, when no registry has that canonical name. */
export function noRegistry(value: unknown, { path, value: text }: TextEntry, first: string): Finding {
  const owner = ownerOf(value, first);
  if (owner !== undefined) {
    const next = `write ${owner}${text.slice(first.length)}`;
    return { path, what: `"${first}" is an alias of ${owner}`, next };
  }
  const what = first.includes('*') ? `"${first}" matches no registry` : `there is no registry "${first}"`;
  const next = `add it under registries, or write one of ${canonicalNames(value).join(', ')}`;
  return { path, what, next };
}

function validNames(entries: readonly TextEntry[]): readonly TextEntry[] {
  return entries.filter(({ value }) => isRegistry(value));
}

/** A name, alias or host leads to one registry. A host may be its own registry's name or alias. */
function registryNames(value: unknown): readonly Finding[] {
  const registries = items(value, ['registries']).map(({ path }) => ({
    names: validNames(texts([entry(value, [...path, 'name']), ...items(value, [...path, 'aliases'])])),
    hosts: validNames(texts(items(value, [...path, 'hosts']))),
  }));
  const names = registries.flatMap((registry) => registry.names);
  const foreign = registries.flatMap((registry) => {
    const own = new Set(registry.names.map((name) => name.value));
    return registry.hosts.filter(
      (host) => !own.has(host.value) && names.some((name) => name.value === host.value),
    );
  });
  return [
    ...repeated(names, 'registry name'),
    ...repeated(
      registries.flatMap((registry) => registry.hosts),
      'host',
    ),
    ...repeated(texts(fields(value, ['registries'], 'prefix')), 'prefix'),
    ...foreign.map(({ path, value: host }) => {
      return { path, what: `"${host}" is the name of another registry`, next: 'remove it here' };
    }),
  ];
}

function defaultRegistry(value: unknown): readonly Finding[] {
  const names = canonicalNames(value);
  return validNames(texts([entry(value, ['defaultRegistry'])]))
    .filter((chosen) => names.length > 0 && !names.includes(chosen.value))
    .map(({ path, value: chosen }) => {
      const owner = ownerOf(value, chosen);
      if (owner !== undefined)
        return { path, what: `"${chosen}" is an alias of ${owner}`, next: `write ${owner}` };
      return { path, what: `there is no registry "${chosen}"`, next: `write one of ${names.join(', ')}` };
    });
}
