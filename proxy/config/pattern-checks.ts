/** Checks of the patterns that rules and pins carry against the registries there are. */
import { compilePattern, coversRegistry, patternFault } from '../policy/pattern.ts';
import { type Finding, type Path, show } from './errors.ts';
import { type Entry, fields, type TextEntry, texts } from './lookup.ts';
import { canonicalNames, noRegistry } from './registry-checks.ts';
import { repeated } from './repeated.ts';

/** Findings on the `match` of each entry of a list. */
export function patternFindings(value: unknown, list: Path): readonly Finding[] {
  const patterns = fields(value, list, 'match');
  const wellFormed = texts(patterns).filter(({ value: text }) => patternFault(text) === undefined);
  return [
    ...patterns.filter(isText).flatMap(malformed),
    ...repeated(wellFormed, 'pattern'),
    ...wellFormed.flatMap((pattern) => withoutRegistry(value, pattern)),
  ];
}

function isText(found: Entry): found is TextEntry {
  return typeof found.value === 'string';
}

function malformed({ path, value }: TextEntry): readonly Finding[] {
  const fault = patternFault(value);
  const next =
    'write registry/repository in lower case, with * within a segment or ** for any number of segments';
  return fault === undefined ? [] : [{ path, what: `invalid pattern ${show(value)}: ${fault}`, next }];
}

function withoutRegistry(value: unknown, found: TextEntry): readonly Finding[] {
  const names = canonicalNames(value);
  const pattern = compilePattern(found.value);
  if (names.length === 0 || names.some((name) => coversRegistry(pattern, name))) return [];
  return [noRegistry(value, found, found.value.split('/')[0] ?? '')];
}
