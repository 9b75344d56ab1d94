/**
 * Where a token may be asked for (docs/decisions/token-server.md). A realm is an upstream's word, so it leads to hosts
 * the operator named, or, without an account, to a public address: never to what only this machine can reach.
 */
import { isIP } from 'node:net';
import type { Challenge } from '../../wire/challenge.ts';
import { UpstreamError } from '../errors.ts';

export type RealmOptions = {
  readonly upstream: string;
  readonly baseUrl: URL;
  /** `host[:port]` of `tokenServer` in the configuration. */
  readonly tokenServer: string | undefined;
  /** An account of ours would be shown to the realm. */
  readonly hasAccount: boolean;
  /** Where the configuration would name another host, such as `registries[].tokenServer`. */
  readonly key: string;
};

/** `isNamed`: the operator wrote this very host and port, so it may be a private one. */
export type Realm = { readonly url: URL; readonly isNamed: boolean };

/**
 * Upstreams whose token server is another host of the same owner: what the configuration need not say. Only at these
 * very names, over HTTPS on its own port.
 */
const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ['https://registry-1.docker.io', 'auth.docker.io'],
  ['https://index.docker.io', 'auth.docker.io'],
  ['https://registry.hub.docker.com', 'auth.docker.io'],
  ['https://registry.gitlab.com', 'gitlab.com'],
]);

/** The token server in force; undefined: the upstream's own host. */
export function tokenServerOf(baseUrl: URL, configured: string | undefined): string | undefined {
  return configured ?? WELL_KNOWN.get(baseUrl.origin);
}

/** @throws UpstreamError `bad_answer` when the realm is not one we may ask; its message says what to configure. */
export function judgeRealm(options: RealmOptions, challenge: Challenge): Realm {
  const bad = (why: string): UpstreamError => new UpstreamError('bad_answer', `${options.upstream}: ${why}`);
  const text = challenge.params.get('realm');
  if (text === undefined || !URL.canParse(text)) throw bad('the Bearer challenge names no usable realm');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw bad('the token realm is neither http nor https');
  if (url.username !== '' || url.password !== '') throw bad('the token realm carries a user name');
  if (options.baseUrl.protocol === 'https:' && url.protocol !== 'https:')
    throw bad(`the token realm on ${url.host} is not https although the upstream is`);
  if (isNamed(options, url)) return { url, isNamed: true };
  const next = nextStep(options, url);
  if (options.hasAccount)
    throw bad(`the token realm ${url.host} is not the host our account may be shown to; ${next}`);
  // An address would let an upstream point us at a neighbour's services; a name is checked where it leads.
  if (isAddress(url.hostname)) throw bad(`the token realm is the address ${url.host}; ${next}`);
  return { url, isNamed: false };
}

/** What to write when a realm that was not asked, or not reached, is the right one. */
export function nextStep({ upstream, key }: Pick<RealmOptions, 'upstream' | 'key'>, url: URL): string {
  return `if it is the token server of ${upstream}, write ${key}: ${url.host}`;
}

/** Named by the operator, each with its port: the one host of our account, and for an anonymous one the upstream too. */
function isNamed({ baseUrl, tokenServer, hasAccount }: RealmOptions, url: URL): boolean {
  const named = tokenServerOf(baseUrl, tokenServer);
  if (named !== undefined && hostIn(url.protocol, named) === url.host) return true;
  return (named === undefined || !hasAccount) && url.origin === baseUrl.origin;
}

/** `host[:port]` as a URL of that scheme has it: without the port that is the scheme's own. */
export function hostIn(protocol: string, authority: string): string | undefined {
  const text = `${protocol}//${authority}`;
  return URL.canParse(text) ? new URL(text).host : undefined;
}

function isAddress(hostname: string): boolean {
  return hostname === 'localhost' || hostname.startsWith('[') || isIP(hostname) !== 0;
}
