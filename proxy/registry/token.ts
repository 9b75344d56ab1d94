/**
 * Bearer tokens for one upstream, fetched from the realm its own 401 names (registry-clients.md §4.2).
 *
 * Where our credentials may go: to the upstream's host, or to a host under its parent domain. An upstream could ask
 * for them directly with a Basic challenge, so this guards against mistakes and a rewritten challenge, and it keeps
 * a plain-http or foreign realm from ever seeing them.
 */
import { isIP } from 'node:net';
import type { Dispatcher } from 'undici';
import { readBody } from './body.ts';
import type { Challenge } from './challenge.ts';
import { toUpstreamError, UpstreamError } from './errors.ts';

export type Credentials = { readonly username: string; readonly password: () => string };

export type TokenOptions = {
  readonly upstream: string;
  readonly baseUrl: URL;
  readonly credentials: Credentials | undefined;
  readonly dispatcher: Dispatcher;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly now: () => number;
  /** Told how each token request went. */
  readonly observe: (outcome: 'ok' | UpstreamError, seconds: number) => void;
};

export type TokenSource = {
  /** A token for the scope that is still valid, or undefined. */
  cached(scope: string): string | undefined;
  /** Fetches a token; callers that want the same scope at the same time share one request. */
  fetch(challenge: Challenge, scope: string): Promise<string>;
  forget(scope: string): void;
};

/** Tokens kept per upstream; the oldest goes first. */
const MAX_TOKENS = 4096;
/** Longest token accepted, in characters: it must fit into a request header. */
const MAX_TOKEN_LENGTH = 8 * 1024;
/** A token is usable for at least this long, and for this long when the server does not say, in seconds. */
const MIN_TOKEN_SECONDS = 60;
const MAX_TOKEN_SECONDS = 24 * 3600;
/** Given back this long before the end, so that it does not expire on the way, in seconds. */
const TOKEN_MARGIN_SECONDS = 10;

type Token = { readonly value: string; readonly seconds: number };

export function createTokenSource(options: TokenOptions): TokenSource {
  const tokens = new Map<string, { readonly value: string; readonly until: number }>();
  const flights = new Map<string, Promise<string>>();

  const store = (scope: string, token: Token): string => {
    tokens.delete(scope);
    const oldest = tokens.size >= MAX_TOKENS ? tokens.keys().next().value : undefined;
    if (oldest !== undefined) tokens.delete(oldest);
    tokens.set(scope, {
      value: token.value,
      until: options.now() + (token.seconds - TOKEN_MARGIN_SECONDS) * 1000,
    });
    return token.value;
  };

  return {
    cached(scope) {
      const token = tokens.get(scope);
      return token !== undefined && token.until > options.now() ? token.value : undefined;
    },
    fetch(challenge, scope) {
      const running = flights.get(scope);
      if (running !== undefined) return running;
      const flight = requestToken(options, challenge, scope)
        .then((token) => store(scope, token))
        .finally(() => flights.delete(scope));
      flights.set(scope, flight);
      return flight;
    },
    forget(scope) {
      tokens.delete(scope);
    },
  };
}

async function requestToken(options: TokenOptions, challenge: Challenge, scope: string): Promise<Token> {
  const started = performance.now();
  // The flight is shared by many callers, so it has its own deadline and nobody's signal.
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const realm = parseRealm(options, challenge);
    const { statusCode, headers, body } = await options.dispatcher.request({
      method: 'GET',
      origin: realm.origin,
      path: realm.pathname + toQuery(realm, challenge.params.get('service'), scope, options.credentials),
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...authorizationOf(options.credentials),
      },
      signal,
    });
    if (statusCode !== 200) {
      await body.dump({ limit: options.maxBytes });
      throw refused(options.upstream, statusCode);
    }
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
      throw new UpstreamError('bad_answer', `${options.upstream}: the token server sent a compressed answer`);
    }
    const token = parseToken(options.upstream, await readBody(body, options.maxBytes, signal));
    options.observe('ok', (performance.now() - started) / 1000);
    return token;
  } catch (error) {
    const failure = toUpstreamError(error, `${options.upstream} (token server)`, signal);
    options.observe(failure, (performance.now() - started) / 1000);
    throw failure;
  }
}

function refused(upstream: string, status: number): UpstreamError {
  const kind = status === 401 || status === 403 ? 'denied' : 'bad_answer';
  return new UpstreamError(kind, `${upstream}: the token server answered ${status}`, { status });
}

/** @throws UpstreamError when the realm is not one we may ask. */
function parseRealm(options: TokenOptions, challenge: Challenge): URL {
  const bad = (why: string): UpstreamError => new UpstreamError('bad_answer', `${options.upstream}: ${why}`);
  const text = challenge.params.get('realm');
  if (text === undefined || !URL.canParse(text)) throw bad('the Bearer challenge names no usable realm');
  const realm = new URL(text);
  if (realm.protocol !== 'https:' && realm.protocol !== 'http:')
    throw bad('the token realm is neither http nor https');
  if (realm.username !== '' || realm.password !== '') throw bad('the token realm carries a user name');
  if (options.baseUrl.protocol === 'https:' && realm.protocol !== 'https:') {
    throw bad(`the token realm on ${realm.host} is not https although the upstream is`);
  }
  if (isAddress(realm.hostname) && realm.hostname !== options.baseUrl.hostname) {
    // An address would let an upstream point us at a neighbour's internal services (registry-clients.md §2.6).
    throw bad(`the token realm is the address ${realm.host}; only the upstream's own address may be asked`);
  }
  if (options.credentials !== undefined && !mayHoldCredentials(options.baseUrl.hostname, realm.hostname)) {
    throw bad(
      `the token realm ${realm.host} is outside the upstream's domain; our credentials are not sent there`,
    );
  }
  return realm;
}

/** The upstream's own host, or one under its parent domain, when that parent has at least two labels. */
export function mayHoldCredentials(upstreamHost: string, realmHost: string): boolean {
  if (realmHost === upstreamHost) return true;
  if (isAddress(upstreamHost) || isAddress(realmHost)) return false;
  const parent = upstreamHost.split('.').slice(1).join('.');
  return parent.includes('.') && (realmHost === parent || realmHost.endsWith(`.${parent}`));
}

function isAddress(hostname: string): boolean {
  return hostname === 'localhost' || hostname.startsWith('[') || isIP(hostname) !== 0;
}

function toQuery(
  realm: URL,
  service: string | undefined,
  scope: string,
  credentials: Credentials | undefined,
): string {
  const query = new URLSearchParams(realm.searchParams);
  if (service !== undefined) query.set('service', service);
  // Our own scope, never the challenge's: an upstream cannot talk us into asking for more than a pull.
  query.delete('scope');
  if (scope !== '') query.set('scope', scope);
  if (credentials !== undefined) query.set('account', credentials.username);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function authorizationOf(credentials: Credentials | undefined): { authorization?: string } {
  return credentials === undefined ? {} : { authorization: basicAuthorization(credentials) };
}

export function basicAuthorization(credentials: Credentials): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password()}`, 'utf8').toString('base64')}`;
}

function parseToken(upstream: string, bytes: Uint8Array): Token {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // The cause would quote the answer, which may hold a token.
    throw new UpstreamError('bad_answer', `${upstream}: the token server's answer is not JSON`);
  }
  const fields = new Map(Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {}));
  const value = fields.get('token') ?? fields.get('access_token');
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || value.length > MAX_TOKEN_LENGTH) {
    throw new UpstreamError('bad_answer', `${upstream}: the token server's answer holds no token`);
  }
  const lifetime = fields.get('expires_in');
  const seconds = typeof lifetime === 'number' && Number.isFinite(lifetime) ? lifetime : MIN_TOKEN_SECONDS;
  return { value, seconds: Math.min(Math.max(seconds, MIN_TOKEN_SECONDS), MAX_TOKEN_SECONDS) };
}
