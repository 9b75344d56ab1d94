/** Settings that are valid and weaker than they look: `check` and `serve` warn of them. */
import { compilePattern, coversAll, coversRegistry, type Pattern } from '../policy/pattern.ts';
import type { Finding, Path } from './errors.ts';
import { at, fields, items, lookUp, texts } from './lookup.ts';
import { canonicalNames } from './registry-checks.ts';

/** @param value what passed every check. */
export function weakPoints(value: unknown): readonly Finding[] {
  return items(value, ['policy', 'rules']).flatMap(({ path, value: rule }) => [
    ...(at(rule, 'mode') === 'enforce' ? unpinned(value, path) : []),
    ...['all', 'of'].flatMap((key) => unpinnedSigners(value, [...path, 'signers', key])),
  ]);
}

/** An enforced rule without pinned root keys: the first ones seen are trusted, or none are. */
function unpinned(value: unknown, rule: Path): readonly Finding[] {
  const [match] = texts([{ path: [...rule, 'match'], value: lookUp(value, [...rule, 'match']) }]);
  if (match === undefined) return [];
  const pattern = compilePattern(match.value);
  const pins = texts(fields(value, ['trust', 'pins'], 'match')).map((pin) => compilePattern(pin.value));
  const next = (pin: string) =>
    `compare the root key that "pullwarden pin IMAGE" prints with the publisher's, and write - { match: ${pin}, rootKeys: [ID] } under trust.pins`;
  if (lookUp(value, ['trust', 'firstUse']) === 'accept') {
    if (pins.some((pin) => coversAll(pin, pattern))) return [];
    const what = `no pin covers all of ${match.value}, and with trust.firstUse: accept the root key a repository shows first is trusted, whoever created it`;
    return [{ path: match.path, what, next: next(match.value) }];
  }
  return refused(value, pattern, pins).map((registry) => {
    const what = `no pin covers a repository of ${registry}, and with trust.firstUse: refuse (the default) all its tags are refused`;
    const isOfOne = match.value.startsWith(`${registry}/`);
    return { path: match.path, what, next: next(isOfOne ? match.value : `${registry}/**`) };
  });
}

/** Registries of the rule without any pin. Whether a pin is for the right repositories is the operator's to know. */
function refused(value: unknown, rule: Pattern, pins: readonly Pattern[]): readonly string[] {
  return canonicalNames(value).filter(
    (name) => coversRegistry(rule, name) && !pins.some((pin) => coversRegistry(pin, name)),
  );
}

function unpinnedSigners(value: unknown, list: Path): readonly Finding[] {
  const named = texts(items(value, list));
  const [first] = named;
  if (first === undefined) return [];
  const names = named.map((signer) => `"${signer.value}"`);
  const [who, them] =
    names.length === 1
      ? [`the signer ${names[0]} is`, 'it']
      : [`the signers ${enumerate(names)} are`, 'them'];
  const what = `${who} named without keys, so whoever holds a repository's own key can declare ${them}`;
  const next = `write { name: ${first.value}, keys: [ID] } with the key IDs that "pullwarden inspect IMAGE" prints and the signer confirms`;
  return [{ path: first.path, what, next }];
}

function enumerate(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
