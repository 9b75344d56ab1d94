/** How one upstream's challenges are met: with our own account, anonymously, or, for a passthrough client, not at all. */

import { parseChallenges } from '../../wire/challenge.ts';
import { discard } from '../body.ts';
import { UpstreamError } from '../errors.ts';
import { headerOf } from '../headers.ts';
import type { Credentials, RequestOptions, UpstreamResponse } from '../types.ts';
import { hostIn, tokenServerOf } from './realm.ts';
import { basicAuthorization, type TokenSource } from './token.ts';

export type OwnAccountOptions = {
  readonly upstream: string;
  readonly baseUrl: URL;
  readonly tokenServer: string | undefined;
  readonly key: string;
  /** undefined: anonymous. */
  readonly credentials: Credentials | undefined;
  readonly tokens: TokenSource;
  readonly now: () => number;
};

export type OwnAccount = {
  /** What to send without being asked. */
  known(scope: string): string | undefined;
  /** The Authorization that answers a 401, or undefined when the answer stands as it is. @throws UpstreamError */
  meet(response: UpstreamResponse, options: RequestOptions): Promise<string | undefined>;
  /** The upstream lately answered this scope without credentials. */
  isOpen(scope: string): boolean;
  rememberOpen(scope: string): void;
  forget(scope: string): void;
};

/** How long "no credentials wanted" is remembered for a scope, in milliseconds. */
const OPEN_SCOPE_MS = 60_000;
/** Such scopes kept per upstream; a scope is a repository's name, which the grammar bounds. */
const MAX_OPEN_SCOPES = 4096;

export function createOwnAccount(options: OwnAccountOptions): OwnAccount {
  const { credentials, tokens, now } = options;
  /** Scopes, and until when they are believed to be open. */
  const open = new Map<string, number>();
  /** True once the upstream asked for Basic; it then gets it without being asked again. */
  let wantsBasic = false;
  const known = (scope: string): string | undefined => {
    const token = tokens.cached(scope);
    if (token !== undefined) return `Bearer ${token}`;
    return wantsBasic && credentials !== undefined ? basicAuthorization(credentials) : undefined;
  };
  return {
    known,
    async meet(response, { scope = '' }) {
      if (response.status !== 401) return undefined;
      const challenges = parseChallenges(headerOf(response.headers, 'www-authenticate') ?? '');
      const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
      const basic = challenges.find(({ scheme }) => scheme === 'basic');
      if (bearer === undefined && (basic === undefined || credentials === undefined)) return undefined;
      await discard(response.body);
      if (bearer !== undefined) return `Bearer ${await tokens.fetch(bearer, scope)}`;
      requireUpstreamIsShown(options);
      wantsBasic = true;
      return known(scope);
    },
    isOpen: (scope) => (open.get(scope) ?? 0) > now(),
    rememberOpen(scope) {
      open.delete(scope);
      // The oldest goes, so that names nobody has cannot make us forget all the others at once.
      const oldest = open.size >= MAX_OPEN_SCOPES ? open.keys().next().value : undefined;
      if (oldest !== undefined) open.delete(oldest);
      open.set(scope, now() + OPEN_SCOPE_MS);
    },
    forget(scope) {
      tokens.forget(scope);
      open.delete(scope);
    },
  };
}

/** @throws UpstreamError when the account is for a token server, and the upstream asks for it itself. */
function requireUpstreamIsShown({ upstream, baseUrl, tokenServer, key }: OwnAccountOptions): void {
  const named = tokenServerOf(baseUrl, tokenServer);
  if (named === undefined || hostIn(baseUrl.protocol, named) === baseUrl.host) return;
  const why = `${upstream}: asks for our account itself, which may be shown to ${named} alone`;
  const next = `to show it to the upstream, write ${key}: ${baseUrl.host}`;
  throw new UpstreamError('denied', `${why}; ${next}`, { status: 401 });
}
