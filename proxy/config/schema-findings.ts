/** What the schema found wrong, in the words of a person. schema-forms.ts has the wording of each form. */
import type * as z from 'zod';
import { type Finding, type Path, show } from './errors.ts';
import { laterFinding } from './later.ts';
import { lookUp } from './lookup.ts';
import { nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** Turns the schema's issues into findings. `value` is what was validated. */
export function toFindings(issues: readonly Issue[], value: unknown): readonly Finding[] {
  return issues.flatMap((issue) => findingsOf(issue, value, []));
}

function findingsOf(issue: Issue, value: unknown, above: Path): readonly Finding[] {
  const path = [...above, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, issue.message));
  const given = lookUp(value, path);
  const inner =
    issue.code === 'invalid_union' && isMapping(given) ? issue.errors.find(isAboutKeys) : undefined;
  if (inner !== undefined) return inner.flatMap((below) => findingsOf(below, value, path));
  return [laterFinding(path, given) ?? wrongValue(path, given, issue.message)];
}

/** A mapping was given where one of the forms is a mapping: what is wrong is inside it. */
function isAboutKeys(issues: readonly Issue[]): boolean {
  return issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys');
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongValue(path: Path, given: unknown, message: string): Finding {
  const split = message.indexOf('; ');
  const [wanted, hint] = [message.slice(0, split), message.slice(split + 2)];
  const next = hint === 'write one of these' ? `write ${wanted}` : hint;
  if (given === undefined) return { path, what: 'is missing', next };
  if (Array.isArray(given) && given.length === 0) return { path, what: 'is empty', next };
  if (given === null)
    return {
      path,
      what: 'is empty',
      next: path.length === 0 ? next : `${next}; or remove the line, if the key is optional`,
    };
  return { path, what: `${show(given)} is not ${wanted}`, next: hint };
}

function unknownKey(path: Path, key: string, known: string): Finding {
  const full = [...path, key];
  const meant = nearest(key, known.split(', '));
  const next = meant === undefined ? `remove it; the keys here are ${known}` : `write ${meant}, or remove it`;
  return laterFinding(full, undefined) ?? { path: full, what: 'is no key of the configuration', next };
}
