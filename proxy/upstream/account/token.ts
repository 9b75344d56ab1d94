/**
 * Bearer tokens for one upstream, fetched from the realm its own 401 names (registry-clients.md §4.2), where
 * realm.ts allows it. A token goes to the upstream that named the realm, and to no other one.
 */
import type { Dispatcher } from 'undici';
import type { Challenge } from '../../wire/challenge.ts';
import type { BodyRoom } from '../body-room.ts';
import { toUpstreamError, UNNAMED_UPSTREAM, UpstreamError } from '../errors.ts';
import { sharedByKey } from '../flights.ts';
import { toHeaders } from '../headers.ts';
import { readSmallBody } from '../held-body.ts';
import { retryAfterOf } from '../retry-after.ts';
import type { Credentials } from '../types.ts';
import { judgeRealm, nextStep, type Realm } from './realm.ts';

export type TokenOptions = {
  readonly upstream: string;
  readonly baseUrl: URL;
  readonly tokenServer: string | undefined;
  /** Where the configuration names it. */
  readonly key: string;
  /** Where it names our account. */
  readonly accountKey: string;
  readonly credentials: Credentials | undefined;
  /** Connections to a realm: one the operator named, or one that may be at a public address only. */
  readonly dispatcherFor: (realm: Realm) => Dispatcher;
  readonly maxBytes: number;
  readonly bodies: BodyRoom;
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

/** Tokens kept per upstream, in characters with their scopes and what an entry costs; the oldest goes first. */
const MAX_KEPT_CHARACTERS = 4 * 1024 * 1024;
const ENTRY_CHARACTERS = 128;
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
  const shared = sharedByKey<string>();
  let kept = 0;

  const remove = (scope: string): void => {
    const token = tokens.get(scope);
    if (token !== undefined && tokens.delete(scope)) kept -= costOf(scope, token.value);
  };
  const store = (scope: string, token: Token): string => {
    remove(scope);
    kept += costOf(scope, token.value);
    for (const oldest of tokens.keys()) {
      if (kept <= MAX_KEPT_CHARACTERS) break;
      remove(oldest);
    }
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
    fetch: (challenge, scope) =>
      shared(scope, async () => store(scope, await requestToken(options, challenge, scope))),
    forget: remove,
  };
}

function costOf(scope: string, value: string): number {
  return scope.length + value.length + ENTRY_CHARACTERS;
}

async function requestToken(options: TokenOptions, challenge: Challenge, scope: string): Promise<Token> {
  const started = performance.now();
  // The flight is shared by many callers, so it has its own deadline and nobody's signal.
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const realm = judgeRealm({ ...options, hasAccount: options.credentials !== undefined }, challenge);
    const token = await askRealm(options, realm, { service: challenge.params.get('service'), scope, signal });
    options.observe('ok', (performance.now() - started) / 1000);
    return token;
  } catch (error) {
    const failure = toUpstreamError(error, serverName(options), signal);
    options.observe(failure, (performance.now() - started) / 1000);
    throw failure;
  }
}

type Asked = { readonly service: string | undefined; readonly scope: string; readonly signal: AbortSignal };

async function askRealm(options: TokenOptions, realm: Realm, asked: Asked): Promise<Token> {
  const { upstream, maxBytes } = options;
  const { signal } = asked;
  const { statusCode, headers, body } = await sendTo(options, realm, asked);
  // One that is given up must not end the process.
  body.on('error', () => undefined);
  if (statusCode !== 200) {
    await body.dump({ limit: maxBytes });
    throw refused(options, realm, statusCode, retryAfterOf(toHeaders(headers)));
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    body.destroy();
    throw new UpstreamError('bad_answer', `${upstream}: the token server sent a compressed answer`);
  }
  const answer = { headers: toHeaders(headers), body };
  try {
    return parseToken(upstream, await readSmallBody(options, answer, { maxBytes, signal }));
  } catch (error) {
    throw named(toUpstreamError(error, UNNAMED_UPSTREAM, signal), serverName(options));
  }
}

async function sendTo(options: TokenOptions, realm: Realm, asked: Asked): Promise<Dispatcher.ResponseData> {
  const { url } = realm;
  try {
    return await options.dispatcherFor(realm).request({
      method: 'GET',
      origin: url.origin,
      path: url.pathname + toQuery(url, asked, options.credentials),
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        ...authorizationOf(options.credentials),
      },
      signal: asked.signal,
    });
  } catch (error) {
    throw explain(options, realm, toUpstreamError(error, serverName(options), asked.signal));
  }
}

function serverName({ upstream }: TokenOptions): string {
  return `${upstream} (token server)`;
}

/** The error of a body, which knows no server, as one of this server: nobody else's address is to be checked. */
function named(error: UpstreamError, server: string): UpstreamError {
  const { kind, code, about } = error;
  // One without a server is about its own, such as a token that is none, or about this proxy.
  if (about?.server !== UNNAMED_UPSTREAM) return error;
  const context = {
    cause: error,
    about: { server, why: about.why },
    ...(code === undefined ? {} : { code }),
  };
  return new UpstreamError(kind, `${server}: ${about.why}`, context);
}

/** A realm nobody named may be at a public address only, and the operator may mean a private one. */
function explain(options: TokenOptions, realm: Realm, failure: UpstreamError): UpstreamError {
  if (realm.isNamed || failure.kind !== 'unreachable') return failure;
  const why = `${options.upstream}: the token realm ${realm.url.host} cannot be reached at a public address`;
  return new UpstreamError('unreachable', `${why}; ${nextStep(options, realm.url)}`, { cause: failure });
}

function refused(
  { upstream, credentials, accountKey }: TokenOptions,
  { url }: Realm,
  status: number,
  retryAfter: string | undefined,
): UpstreamError {
  const context = { status, retryAfter };
  const server = `${upstream}: the token server ${url.host}`;
  if (status !== 401 && status !== 403)
    return new UpstreamError('bad_answer', `${server} answered ${status}`, context);
  const what =
    credentials === undefined
      ? `lets nobody in without an account (${status}); write one under ${accountKey}`
      : `refused the account ${credentials.username} (${status}); check username and passwordFile of ${accountKey}`;
  return new UpstreamError('denied', `${server} ${what}`, context);
}

function toQuery(realm: URL, { service, scope }: Asked, credentials: Credentials | undefined): string {
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

/** @throws UpstreamError `denied` when the password cannot be read. */
export function basicAuthorization({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${read(password)}`, 'utf8').toString('base64')}`;
}

function read(password: () => string): string {
  try {
    return password();
  } catch (error) {
    throw new UpstreamError('denied', `the password of our account cannot be read: ${String(error)}`);
  }
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
