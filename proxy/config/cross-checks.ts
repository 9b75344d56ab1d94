/**
 * Checks that look at more than one value. They read unvalidated data and pass over what has the wrong form, which
 * the schema reports, so that one run of `check` finds every fault.
 */
import { canaryFindings } from './canary-checks.ts';
import type { Finding, Path } from './errors.ts';
import { listenFindings } from './listen-checks.ts';
import { at, type Entry, entry, fields, items, lookUp, type TextEntry, texts } from './lookup.ts';
import { patternFindings } from './pattern-checks.ts';
import { registryFindings } from './registry-checks.ts';
import { repeated } from './repeated.ts';

export function crossCheck(value: unknown): readonly Finding[] {
  return [
    ...registryFindings(value),
    ...ports(value),
    ...listenFindings(value),
    ...state(value),
    ...patternFindings(value, ['trust', 'pins']),
    ...items(value, ['trust', 'pins']).flatMap(pinForm),
    ...patternFindings(value, ['policy', 'rules']),
    ...repeated(texts(fields(value, ['policy', 'rules'], 'name')), 'rule name'),
    ...items(value, ['policy', 'rules']).flatMap((rule) =>
      signerForm(entry(value, [...rule.path, 'signers'])),
    ),
    ...unchecked(value),
    ...canaryFindings(value),
  ];
}

/** Metrics and health never show on the pull port. */
function ports(value: unknown): readonly Finding[] {
  const [pull, admin] = [lookUp(value, ['listen', 'port']) ?? 5050, lookUp(value, ['admin', 'port']) ?? 9150];
  if (pull !== admin || typeof pull !== 'number' || pull === 0) return [];
  const what = `${pull} is the pull port already (listen.port)`;
  return [{ path: ['admin', 'port'], what, next: 'use another port' }];
}

function state(value: unknown): readonly Finding[] {
  const path = ['trust', 'state', 'path'];
  if (lookUp(value, ['trust', 'state', 'kind']) !== 'memory' || lookUp(value, path) === undefined) return [];
  return [{ path, what: 'must not be set for kind: memory', next: 'remove it, or write kind: file' }];
}

function pinForm({ path, value }: Entry): readonly Finding[] {
  const [keys, ca] = [at(value, 'rootKeys') !== undefined, at(value, 'ca') !== undefined];
  if (keys !== ca || typeof value !== 'object' || value === null) return [];
  const what = keys ? 'has both rootKeys and ca' : 'has neither rootKeys nor ca';
  return [{ path, what, next: keys ? 'remove one of the two' : 'write one of the two' }];
}

/** Either `all`, or `atLeast` and `of`; no more wanted than there are; no name twice. */
function signerForm({ path, value }: Entry): readonly Finding[] {
  if (typeof value !== 'object' || value === null) return [];
  const [all, atLeast, of] = [at(value, 'all'), at(value, 'atLeast'), at(value, 'of')];
  const isCounted = atLeast !== undefined && of !== undefined;
  const isMixed = all !== undefined && (atLeast !== undefined || of !== undefined);
  const forms = 'write either all: [...], or atLeast: n and of: [...]';
  if (isMixed) return [{ path, what: 'mixes the two forms', next: forms }];
  if (all === undefined && !isCounted)
    return [{ path, what: 'has neither all nor atLeast and of', next: forms }];
  const names = ['all', 'of'].flatMap((key) => repeated(signerNames(value, key), 'signer'));
  return [
    ...names.map((found) => ({ ...found, path: [...path, ...found.path] })),
    ...tooMany(path, atLeast, of),
  ];
}

/** The names, of signers with keys and without. */
function signerNames(value: unknown, key: string): readonly TextEntry[] {
  const named = items(value, [key]).map((item) =>
    typeof item.value === 'string' ? item : entry(value, [...item.path, 'name']),
  );
  return texts(named);
}

function tooMany(path: Path, atLeast: unknown, of: unknown): readonly Finding[] {
  if (typeof atLeast !== 'number' || !Array.isArray(of) || of.length === 0 || atLeast <= of.length) return [];
  const what = `${atLeast} is more than the ${of.length} under of`;
  return [{ path: [...path, 'atLeast'], what, next: `write a number from 1 to ${of.length}` }];
}

/** A proxy that lets everything through unchecked is a mistake in the configuration. */
function unchecked(value: unknown): readonly Finding[] {
  const path = ['policy', 'unmatched'];
  if (lookUp(value, path) !== 'pass' || items(value, ['policy', 'rules']).length > 0) return [];
  return [
    {
      path,
      what: 'pass without any rule would let everything through unchecked',
      next: 'write deny, or add a rule',
    },
  ];
}
