/**
 * One request-target in, one `Route` or one refusal out. Pure.
 *
 * The raw target is matched by one anchored expression and never decoded or normalised: what two pieces of software
 * could read in two ways is refused, not repaired (registry-clients.md §6.2).
 */

import { GRAMMAR, isDigest, isTag, MAX_NAME_LENGTH, toGun, toRepository } from '../names/reference.ts';
import { type RegistryTable, registryAt, toAuthority } from '../names/registry-table.ts';
import { FAULTS, SENTENCES } from '../words.ts';
import { explainPath } from './explain-path.ts';
import { parseQuery, type Query } from './query.ts';
import type { Addressed, Route, RoutedBy, RouteResult, TagOrDigest } from './types.ts';

export type RawRequest = {
  readonly method: string;
  /** The request-target exactly as it came over the wire. */
  readonly target: string;
  /** As the request line had it; absent: 1.1. */
  readonly httpVersion?: string | undefined;
  /** Names and values in turn, as Node gives them: the only place where a second `Host` is visible. */
  readonly rawHeaders: readonly string[];
  /** The authority of the CONNECT the request came through, as `toAuthority` writes it. */
  readonly connectedTo?: string | undefined;
};

/** Longest request-target, in characters: name, reference and query together fit well below. */
const MAX_TARGET_LENGTH = 2048;

/** A registry with a port as the first segment; it counts only if it is in the table, and is no name otherwise. */
const PORTED = '[a-z0-9][a-z0-9.-]*:[0-9]{1,5}';
/** notary-semantics.md §1.1, §3.3: only what a client reads, never `*.key`, which makes a server create one. */
const TRUST_FILE =
  '(?:[0-9]{1,10}\\.)?(?:root|snapshot|timestamp|targets(?:/[-a-z0-9_]+){0,8})(?:\\.[a-f0-9]{64})?\\.json';

/**
 * Every quantifier is followed by something it cannot match, so the time is linear. The repository takes all it can:
 * the last `/manifests/` or `/blobs/` is the one that counts (registry-clients.md §6.1).
 */
const PATH = new RegExp(
  `^/v2/(?:(?:(?<ported>${PORTED})/)?(?<name>${GRAMMAR.repository})/(?:` +
    `manifests/(?:(?<tag>${GRAMMAR.tag})|(?<manifest>${GRAMMAR.digest}))|` +
    `blobs/(?<blob>${GRAMMAR.digest})|` +
    `referrers/(?<subject>${GRAMMAR.digest})|` +
    `(?<list>tags/list)|` +
    `_trust/tuf/(?<trust>${TRUST_FILE})))?$`,
);
const HOST = /^(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** Reads one request against the table of configured registries. */
export function parseRoute(request: RawRequest, table: RegistryTable): RouteResult {
  const { method, target, httpVersion = '1.1' } = request;
  // Node's parser takes 0.9 and 2.0 in the same clothes; a hop in front of us might not.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return badName(FAULTS.httpVersion(httpVersion));
  if (method !== 'GET' && method !== 'HEAD') {
    const message = SENTENCES.methodRefused(method);
    return { kind: 'refused', refusal: { reason: 'method_not_allowed', message } };
  }
  if (target.length > MAX_TARGET_LENGTH) return badName(FAULTS.targetTooLong(MAX_TARGET_LENGTH));
  if (valuesOf(request.rawHeaders, 'transfer-encoding').some((coding) => coding !== 'chunked')) {
    // Node hands the request over before its parser refuses such a body (registry-clients.md §6.2).
    return badName(FAULTS.transferEncoding);
  }
  const host = parseHost(request.rawHeaders);
  if (host === undefined) return badName(FAULTS.host);
  const { connectedTo } = request;
  if (connectedTo !== undefined && toAuthority(host) !== connectedTo)
    return badName(FAULTS.otherHost(connectedTo));
  const [path, query] = splitQuery(target);
  // A client that connected to a registry by its name reaches that one, without a prefix.
  const [prefix, rest] = connectedTo === undefined ? splitPrefix(path, table) : ['', path];
  const match = PATH.exec(rest)?.groups;
  if (match === undefined)
    return { kind: 'refused', refusal: { reason: 'bad_request', ...explainPath(path) } };
  const parsed = parseQuery(query, allowedKeys(match));
  if (parsed.kind === 'refused')
    return { kind: 'refused', refusal: { reason: 'bad_request', ...parsed.problem } };
  return toRoute({ path, prefix, match, query: parsed.query, host, table, connectedTo });
}

type Groups = Readonly<Record<string, string | undefined>>;
type Matched = {
  readonly path: string;
  readonly prefix: string;
  readonly match: Groups;
  readonly query: Query;
  readonly host: string;
  readonly table: RegistryTable;
  readonly connectedTo: string | undefined;
};

function toRoute(matched: Matched): RouteResult {
  const { match } = matched;
  const chosen = chooseRegistry(matched);
  const reference = toReference(match);
  const { registry, by, asked } = chosen;
  const addressed = { by, ns: matched.query.ns, isOwnName: isOwnName(matched, registry) };
  const isBase = match['name'] === undefined;
  if (isBase && (registry !== undefined || asked === ''))
    return { kind: 'route', route: { kind: 'base', registry, ...addressed } };
  if (registry === undefined) return unknownNamespace(chosen, reference, addressed);
  // A registry with a port is no part of a repository's name (registry-clients.md §6.1).
  if (match['ported'] !== undefined && by !== 'path') return badName(FAULTS.portInName(match['ported']));
  // A GUN of the trust server is taken as it is: its signatures say which name they are for.
  const repository = match['trust'] === undefined ? toRepository(registry, chosen.name) : chosen.name;
  const gun = toGun(registry, repository);
  if (gun.length > MAX_NAME_LENGTH) return badName(FAULTS.nameTooLong(MAX_NAME_LENGTH));
  const named = { registry, ...addressed, repository, gun } as const;
  if (reference !== undefined) return { kind: 'route', route: { ...named, kind: 'manifest', reference } };
  return { kind: 'route', route: toOtherRoute(matched, named) };
}

type Named = Omit<Extract<Route, { kind: 'blob' }>, 'kind' | 'digest'>;

function toOtherRoute({ path, match, query }: Matched, named: Named): Route {
  const { blob, subject, trust } = match;
  if (blob !== undefined && isDigest(blob)) return { ...named, kind: 'blob', digest: blob };
  if (subject !== undefined && isDigest(subject)) {
    const { artifactType, page } = query;
    return { ...named, kind: 'referrers', digest: subject, artifactType, page, path };
  }
  if (trust !== undefined) return { ...named, kind: 'trust', file: trust };
  return { ...named, kind: 'tags', n: query.n, last: query.last, path };
}

function toReference({ tag, manifest }: Groups): TagOrDigest | undefined {
  // A tag can never contain `:` and a digest always does, so no text is both (registry-clients.md §6.1).
  if (tag !== undefined && isTag(tag)) return { kind: 'tag', tag };
  return manifest !== undefined && isDigest(manifest) ? { kind: 'digest', digest: manifest } : undefined;
}

type Chosen = {
  /** undefined: none that is configured; `asked` is what was named. */
  readonly registry: string | undefined;
  readonly asked: string;
  readonly by: RoutedBy;
  /** The path's name without the registry in front of it. */
  readonly name: string;
};

/** proxy/README.md, "1. Route": `ns`, else a mirror's path prefix, the Host table, the first path segment, the default. */
function chooseRegistry({ prefix, match, query, host, table, connectedTo }: Matched): Chosen {
  const name = match['name'] ?? '';
  const slash = name.indexOf('/');
  const first = match['ported'] ?? name.slice(0, Math.max(slash, 0));
  const rest = match['ported'] === undefined ? name.slice(slash + 1) : name;
  if (match['trust'] !== undefined) {
    // The GUN in the path is the whole name, however the proxy itself is addressed (registry-clients.md §3).
    const registry = table.names.get(first) ?? table.hosts.get(first);
    return { registry, asked: first, by: 'path', name: rest };
  }
  if (query.ns !== undefined) {
    // A key into the table, never an address (registry-clients.md §2.1).
    return { registry: table.names.get(query.ns), asked: query.ns, by: 'ns', name };
  }
  const byPrefix = table.prefixes.get(prefix);
  if (byPrefix !== undefined) return { registry: byPrefix, asked: byPrefix, by: 'prefix', name };
  const byHost = registryAt(table, host);
  if (byHost !== undefined) return { registry: byHost, asked: byHost, by: 'host', name };
  // A reload removed the registry: a client that named it must not get images of another one.
  if (connectedTo !== undefined) return { registry: undefined, asked: connectedTo, by: 'host', name };
  const byPath = table.names.get(first);
  if (byPath !== undefined) return { registry: byPath, asked: byPath, by: 'path', name: rest };
  if (match['ported'] !== undefined) return { registry: undefined, asked: first, by: 'path', name: rest };
  return { registry: table.defaultRegistry, asked: '', by: 'default', name };
}

function unknownNamespace(
  { asked, by, name }: Chosen,
  reference: TagOrDigest | undefined,
  addressed: Addressed,
): RouteResult {
  if (by === 'path' && asked.includes(':')) return badName(FAULTS.neitherRegistryNorName(asked));
  const message = asked === '' ? SENTENCES.noDefaultRegistry : SENTENCES.unknownRegistry(asked);
  const unknown = { registry: asked, repository: name, reference };
  return { kind: 'refused', refusal: { reason: 'namespace_unknown', message }, unknown, addressed };
}

/**
 * @returns '' without a Host header (HTTP/1.0), undefined when it is ambiguous or no host name (registry-clients.md §6.2).
 */
function parseHost(rawHeaders: readonly string[]): string | undefined {
  const hosts = valuesOf(rawHeaders, 'host');
  const [host = ''] = hosts;
  if (hosts.length > 1 || (host !== '' && !HOST.test(host))) return undefined;
  return host.toLowerCase();
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

function splitQuery(target: string): readonly [path: string, query: string | undefined] {
  const mark = target.indexOf('?');
  return mark < 0 ? [target, undefined] : [target.slice(0, mark), target.slice(mark + 1)];
}

/** What is in front of `/v2/`, when the table has exactly that; no prefix has a segment `v2` in it. */
function splitPrefix(path: string, { prefixes }: RegistryTable): readonly [prefix: string, rest: string] {
  const at = path.indexOf('/v2/');
  const prefix = path.slice(0, Math.max(at, 0));
  return prefixes.has(prefix) ? [prefix, path.slice(at)] : ['', path];
}

/** Such a client came by DNS or through us as its HTTPS proxy. */
function isOwnName({ host, table }: Matched, registry: string | undefined): boolean {
  return registry !== undefined && table.names.get(toAuthority(host)) === registry;
}

function allowedKeys(match: Groups): ReadonlySet<string> {
  if (match['list'] !== undefined) return LIST_KEYS;
  return match['subject'] !== undefined ? REFERRERS_KEYS : COMMON_KEYS;
}

const COMMON_KEYS: ReadonlySet<string> = new Set(['ns']);
const LIST_KEYS: ReadonlySet<string> = new Set(['ns', 'n', 'last']);
const REFERRERS_KEYS: ReadonlySet<string> = new Set(['ns', 'artifactType', 'page']);

function badName(message: string): RouteResult {
  return { kind: 'refused', refusal: { reason: 'bad_request', code: 'NAME_INVALID', message } };
}
