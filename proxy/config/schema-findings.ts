/** Turns what the schema found wrong into sentences for a person. schema-forms.ts has the wording of each form. */
import * as z from 'zod';
import { type Finding, type Path, show } from './errors.ts';
import { laterFinding } from './later.ts';
import { at, lookUp } from './lookup.ts';
import { nearest } from './nearest.ts';
import { type Form, formOf } from './schema-forms.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/** What was validated, and against what. */
type Validated = { readonly schema: Schema; readonly value: unknown };

/** Turns the schema's issues into findings. */
export function toFindings(issues: readonly Issue[], validated: Validated): readonly Finding[] {
  return issues.flatMap((issue) => findingsOf(issue, validated, []));
}

function findingsOf(issue: Issue, validated: Validated, above: Path): readonly Finding[] {
  const path = [...above, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  const schema = path.reduce<Schema | undefined>(below, validated.schema);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, keysOf(schema)));
  const given = lookUp(validated.value, path);
  const inner =
    issue.code === 'invalid_union' && isMapping(given) ? issue.errors.find(isAboutKeys) : undefined;
  if (inner !== undefined) return inner.flatMap((found) => findingsOf(found, validated, path));
  return [laterFinding(path, given) ?? wrongValue(path, given, findForm(schema))];
}

/** A mapping was given where one of the forms is a mapping: what is wrong is inside it. */
function isAboutKeys(issues: readonly Issue[]): boolean {
  return issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys');
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A schema without what only says that it may be left out. */
function bare(schema: Schema | undefined): Schema | undefined {
  const isWrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return isWrapper ? bare(schema.unwrap()) : schema;
}

/** The schema of the value under a key or at a place in a list. */
function below(schema: Schema | undefined, step: string | number): Schema | undefined {
  const inner = bare(schema);
  if (inner instanceof z.ZodArray) return inner.element;
  if (inner instanceof z.ZodObject) return at(inner.shape, step) as Schema | undefined;
  if (!(inner instanceof z.ZodUnion)) return undefined;
  return inner.options.map((option) => below(option, step)).find((found) => found !== undefined);
}

/** The keys of a mapping, or of the option that is one. */
function keysOf(schema: Schema | undefined): readonly string[] {
  const inner = bare(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap(keysOf);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** For a schema that was made without schema-forms.ts. */
const ANY_FORM: Form = { wanted: 'a valid value', next: 'see config/pullwarden.example.yaml' };

function findForm(schema: Schema | undefined): Form {
  const inner = bare(schema);
  return (inner && formOf(inner)) ?? ANY_FORM;
}

function wrongValue(path: Path, given: unknown, form: Form): Finding {
  const { next } = form;
  if (given === undefined) return { path, what: 'is missing', next };
  if (Array.isArray(given) && given.length === 0)
    return { path, what: 'is empty', next: form.nextIfEmpty ?? next };
  if (given === null)
    return {
      path,
      what: 'is empty',
      next: path.length === 0 ? next : `${next}; or remove the line, if the key is optional`,
    };
  const told = (typeof given === 'string' ? form.detail?.(given) : undefined) ?? form;
  const what = `must be ${told.wanted}, not ${show(given)}`;
  return { path, what, next: told.choices === undefined ? told.next : chooseNext(given, told.choices) };
}

function chooseNext(given: unknown, choices: readonly string[]): string {
  const meant = typeof given === 'string' ? nearest(given, choices) : undefined;
  return meant === undefined ? 'write one of these' : didYouMean(meant);
}

function didYouMean(word: string): string {
  return `did you mean "${word}"?`;
}

function unknownKey(path: Path, key: string, known: readonly string[]): Finding {
  const full = [...path, key];
  const meant = nearest(key, known);
  const next =
    meant === undefined ? `remove it; the known keys here are ${known.join(', ')}` : didYouMean(meant);
  return laterFinding(full, undefined) ?? { path: full, what: 'unknown key', next };
}
