/**
 * The few query parameters a pull may carry (registry-clients.md §6.2). Each key is literal and comes at most once;
 * of percent-encoding, only the characters a Go client encodes in legitimate values are read.
 */

import { isRegistry, isTag } from '../names/reference.ts';
import type { OciCode } from '../reason.ts';
import { FAULTS, type Fault } from '../words.ts';
import { parsePage } from './link.ts';

export type Query = {
  readonly ns: string | undefined;
  readonly n: number | undefined;
  readonly last: string | undefined;
  readonly artifactType: string | undefined;
  /** The upstream's own query for a later page of referrers. */
  readonly page: string | undefined;
};

export type QueryResult =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refused'; readonly problem: Fault };

const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const COUNT = /^[0-9]{1,9}$/;

/** @param text what follows the `?`; undefined without one. @param allowed the keys this path takes. */
export function parseQuery(text: string | undefined, allowed: ReadonlySet<string>): QueryResult {
  const values = new Map<string, string>();
  for (const pair of text === undefined ? [] : text.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (!allowed.has(key)) return refused('NAME_INVALID', FAULTS.parameter(key));
    if (values.has(key)) return refused('NAME_INVALID', FAULTS.parameterTwice(key));
    values.set(key, equals < 0 ? '' : pair.slice(equals + 1));
  }
  return check({
    ns: decode(values.get('ns'), NS_ESCAPES),
    n: values.get('n'),
    // An empty `last` is a list from its beginning.
    last: values.get('last') === '' ? undefined : values.get('last'),
    artifactType: decode(values.get('artifactType'), TYPE_ESCAPES),
    page: values.get('page'),
  });
}

type Raw = { readonly [Key in keyof Query]: string | undefined };

function check({ ns, n, last, artifactType, page }: Raw): QueryResult {
  if (ns !== undefined && !isRegistry(ns))
    return refused('NAME_INVALID', FAULTS.parameterValue('ns', ns, 'the name of a registry'));
  if (n !== undefined && !COUNT.test(n))
    return refused('NAME_INVALID', FAULTS.parameterValue('n', n, 'a number of tags'));
  if (last !== undefined && !isTag(last))
    return refused('TAG_INVALID', FAULTS.parameterValue('last', last, 'a tag'));
  if (artifactType !== undefined && !MEDIA_TYPE.test(artifactType)) {
    return refused('NAME_INVALID', FAULTS.parameterValue('artifactType', artifactType, 'a media type'));
  }
  const next = page === undefined ? undefined : parsePage(page);
  if (page !== undefined && next === undefined)
    return refused('NAME_INVALID', FAULTS.parameterValue('page', page, 'a page this proxy linked to'));
  const count = n === undefined ? undefined : Number(n);
  return { kind: 'query', query: { ns, n: count, last, artifactType, page: next } };
}

/** `ns=quay.io%3A443`, as containerd sends it (registry-clients.md §2.1), and the brackets of an IPv6 address. */
const NS_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['%3A', ':'],
  ['%5B', '['],
  ['%5D', ']'],
]);
const TYPE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['%2F', '/'],
  ['%2B', '+'],
]);

/** Replaces the given escapes once; any other `%` stays and fails the grammar behind. */
function decode(text: string | undefined, escapes: ReadonlyMap<string, string>): string | undefined {
  return text?.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => escapes.get(triplet.toUpperCase()) ?? triplet);
}

function refused(code: OciCode, message: string): QueryResult {
  return { kind: 'refused', problem: { code, message } };
}
