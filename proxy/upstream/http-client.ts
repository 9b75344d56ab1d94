/**
 * One upstream over HTTP(S): pooled connections, bounded answers, no redirects, no compression, and the Bearer flow
 * driven by the 401 of the request itself. Used for registries and for the trust server.
 */

import type { LookupFunction } from 'node:net';
import { createOwnAccount, type OwnAccount } from './account/own-account.ts';
import { createTokenSource } from './account/token.ts';
import { parseBaseUrl } from './base-url.ts';
import { BODY_ROOM, type BodyRoom } from './body-room.ts';
import { type Connections, createConnections } from './connections.ts';
import { isGone, toUpstreamError, UpstreamError } from './errors.ts';
import { headerOf, toHeaders } from './headers.ts';
import { CONFIG_KEYS, explainFailure, nextStepAt } from './next-step.ts';
import {
  outcomeOfError,
  outcomeOfStatus,
  type UpstreamKind,
  type UpstreamObservation,
  type UpstreamOutcome,
} from './outcome.ts';
import type {
  AgentMaker,
  ClientAuth,
  HttpClient,
  Pass,
  RequestOptions,
  UpstreamAnswer,
  UpstreamResponse,
} from './types.ts';

export type HttpClientOptions = {
  /** The configured name, for errors and metrics. */
  readonly upstream: string;
  readonly kind: 'registry' | 'notary';
  /** `http://` or `https://`, with an optional path that goes in front of every path asked for. */
  readonly baseUrl: string;
  /** PEM certificates trusted for the upstream and its token server instead of the system's. */
  readonly ca?: string | Buffer;
  readonly auth: ClientAuth;
  /** `host[:port]`: the one host the proxy's own account may be shown to; absent: the upstream's own (realm.ts). */
  readonly tokenServer?: string;
  /** How names become addresses; the system's way when absent. */
  readonly lookup?: LookupFunction;
  readonly connectTimeoutMs?: number;
  readonly headersTimeoutMs?: number;
  /** Longest silence inside a body; there is no limit on a whole transfer. */
  readonly bodyIdleTimeoutMs?: number;
  /** For a token request in all. */
  readonly tokenTimeoutMs?: number;
  readonly maxTokenBytes?: number;
  readonly maxConnections?: number;
  /** The process's own when absent. */
  readonly bodies?: BodyRoom;
  readonly onRequest?: (observation: UpstreamObservation) => void;
  /** Milliseconds since some fixed moment, for token lifetimes. */
  readonly now?: () => number;
};

/** Bounds that hold when the caller names none. */
const DEFAULTS = {
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  bodyIdleTimeoutMs: 60_000,
  tokenTimeoutMs: 15_000,
  maxTokenBytes: 64 * 1024,
  maxConnections: 64,
};

/** @throws TypeError when the base URL cannot be one. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new Client(options);
}

class Client implements HttpClient {
  readonly upstream: string;
  readonly auth: ClientAuth['kind'];
  readonly baseUrl: URL;
  readonly bodies: BodyRoom;
  readonly #options: HttpClientOptions;
  readonly #prefix: string;
  readonly #connections: Connections;
  readonly #account: OwnAccount;
  /** Agents by their maker, and how each is retired. */
  readonly #agents = new Map<object, { readonly agent: unknown; readonly retire: () => void }>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.upstream = options.upstream;
    this.auth = options.auth.kind;
    this.bodies = options.bodies ?? BODY_ROOM;
    this.baseUrl = parseBaseUrl(options.baseUrl);
    this.#prefix = this.baseUrl.pathname.replace(/\/+$/, '');
    this.#connections = createConnections({
      ...DEFAULTS,
      ...options,
      origin: this.baseUrl.origin,
      ca: options.ca,
      lookup: options.lookup,
    });
    this.#account = this.#createAccount(options);
  }

  #createAccount(options: HttpClientOptions): OwnAccount {
    const { upstream, baseUrl, bodies } = this;
    const { auth, kind, tokenServer, now = () => performance.now() } = options;
    const about = {
      upstream,
      baseUrl,
      tokenServer,
      key: CONFIG_KEYS[kind].tokenServer,
      accountKey: CONFIG_KEYS[kind].auth,
      credentials: auth.kind === 'basic' ? auth : undefined,
      now,
    };
    const tokens = createTokenSource({
      ...about,
      bodies,
      dispatcherFor: this.#connections.tokenDispatcher,
      maxBytes: options.maxTokenBytes ?? DEFAULTS.maxTokenBytes,
      timeoutMs: options.tokenTimeoutMs ?? DEFAULTS.tokenTimeoutMs,
      observe: (outcome, seconds) =>
        outcome === 'ok'
          ? this.#observe('auth', outcome, seconds)
          : this.#observe('auth', outcomeOfError(outcome), seconds, outcome.message),
    });
    return createOwnAccount({ ...about, tokens });
  }

  async get(path: string, options: RequestOptions = {}): Promise<UpstreamResponse> {
    const response = await this.#request('GET', path, options);
    const encoding = headerOf(response.headers, 'content-encoding');
    if (response.status < 300 && encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      response.body.destroy();
      // Manifests and metadata are hashed as they are; we asked for identity (registry-clients.md §4.4).
      throw new UpstreamError(
        'bad_answer',
        `${this.upstream}: answered with Content-Encoding ${encoding.slice(0, 40)}`,
      );
    }
    return response;
  }

  async head(path: string, options: RequestOptions = {}): Promise<UpstreamAnswer> {
    const response = await this.#request('HEAD', path, options);
    response.body.resume();
    return { status: response.status, headers: response.headers };
  }

  async authorize(path: string, options: RequestOptions): Promise<Pass> {
    const { scope } = options;
    return {
      authorization: await this.#learn(path, options),
      told: (answer, seconds) => {
        if (answer === 401 && scope !== undefined && this.auth !== 'passthrough') this.#account.forget(scope);
        if (typeof answer === 'number') this.#answered(answer, seconds);
        else this.#fail(answer, seconds);
      },
    };
  }

  /** What to send for this scope; the upstream is asked where that is not known. */
  async #learn(path: string, options: RequestOptions): Promise<string | undefined> {
    const scope = options.scope ?? '';
    const known = this.#authorization(options);
    if (known !== undefined || this.auth === 'passthrough') return known;
    if (this.#account.isOpen(scope)) return undefined;
    const { status } = await this.head(path, options);
    if (status === 401 || status === 403) {
      throw new UpstreamError('denied', `${this.upstream}: refused our account (${status})`, { status });
    }
    const learnt = this.#authorization(options);
    // "Later" says nothing about credentials.
    const isAnswer = status !== 429 && status < 500;
    if (learnt === undefined && isAnswer) this.#account.rememberOpen(scope);
    return learnt;
  }

  peer(): string | undefined {
    return this.#connections.peer();
  }

  agentFor<Agent>(maker: AgentMaker<Agent>): Agent {
    const known = this.#agents.get(maker);
    if (known !== undefined) return known.agent as Agent;
    const agent = maker.create({ baseUrl: this.baseUrl, ca: this.#options.ca });
    this.#agents.set(maker, { agent, retire: () => maker.retire(agent) });
    return agent;
  }

  async close(): Promise<void> {
    for (const { retire } of this.#agents.values()) retire();
    this.#agents.clear();
    await this.#connections.close();
  }

  /** Sends once; on a challenge we can meet, meets it and sends once more. */
  async #request(method: 'GET' | 'HEAD', path: string, options: RequestOptions): Promise<UpstreamResponse> {
    const started = performance.now();
    try {
      const first = await this.#send(method, path, options, this.#authorization(options));
      const authorization =
        this.auth === 'passthrough' ? undefined : await this.#account.meet(first, options);
      const answer =
        authorization === undefined ? first : await this.#send(method, path, options, authorization);
      if (answer.status === 401 && options.scope !== undefined) this.#account.forget(options.scope);
      this.#answered(answer.status, (performance.now() - started) / 1000);
      return answer;
    } catch (error) {
      const failure = toUpstreamError(error, this.upstream, options.signal);
      // A caller that went away says nothing about the upstream.
      if (!isGone(options.signal)) this.#fail(failure, (performance.now() - started) / 1000);
      throw failure;
    }
  }

  async #send(
    method: 'GET' | 'HEAD',
    path: string,
    options: RequestOptions,
    authorization: string | undefined,
  ): Promise<UpstreamResponse> {
    const { statusCode, headers, body } = await this.#connections.request({
      method,
      // Put together as text: a URL parser would normalise what we checked byte by byte (registry-clients.md §6.2).
      path: this.#prefix + path,
      headers: {
        ...options.headers,
        'accept-encoding': 'identity',
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    // A body given up or cut off before anyone reads it must not end the process; a reader still gets the error.
    body.on('error', () => undefined);
    return { status: statusCode, headers: toHeaders(headers), body };
  }

  /** What to send without being asked. */
  #authorization({ scope, authorization }: RequestOptions): string | undefined {
    return this.auth === 'passthrough' ? authorization : this.#account.known(scope ?? '');
  }

  #answered(status: number, seconds: number): void {
    const { kind } = this.#options;
    const detail =
      status < 500 ? undefined : `it answered ${status}; ${nextStepAt(status, CONFIG_KEYS[kind])}`;
    this.#observe(kind, outcomeOfStatus(status), seconds, detail);
  }

  #fail(failure: UpstreamError, seconds: number): void {
    const { kind } = this.#options;
    const detail = explainFailure(failure, this.upstream, CONFIG_KEYS[kind]);
    this.#observe(kind, outcomeOfError(failure), seconds, detail);
  }

  #observe(kind: UpstreamKind, outcome: UpstreamOutcome | undefined, seconds: number, detail?: string): void {
    if (outcome === undefined) return;
    const observation = { upstream: this.upstream, kind, outcome, seconds };
    this.#options.onRequest?.(detail === undefined ? observation : { ...observation, detail });
  }
}
