/** The token endpoint of the Bearer flow: `GET /token?service=…&scope=…&account=…`, with Basic or anonymous. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseBasic } from '../../proxy/demo/access.ts';
import {
  type Answer,
  errorAnswer,
  jsonAnswer,
  type ServerOptions,
  SimulatedServer,
} from '../../proxy/demo/simulated-server.ts';

export type User = {
  readonly password: string;
  /** Repository name, `*` for all or `team/*` for those below → actions. */
  readonly repositories: Readonly<Record<string, readonly string[]>>;
};

export type TokenServerOptions = ServerOptions & {
  readonly users?: Readonly<Record<string, User>>;
  /** What a request without credentials may do; such requests are refused when absent. */
  readonly anonymous?: User['repositories'];
  /** 300 when absent. */
  readonly lifetimeSeconds?: number;
  readonly clock?: () => Date;
};

type Grant = {
  readonly service: string;
  readonly access: ReadonlyMap<string, readonly string[]>;
  readonly expires: number;
};

/** `repository:<name>:<actions>`; a class may stand after "repository" (notary-semantics.md §1.4). */
const SCOPE = /^repository(?:\([a-z]+\))?:(.+):([a-z*,]+)$/;

export class TokenServer extends SimulatedServer {
  readonly #users: ReadonlyMap<string, User>;
  readonly #anonymous: User['repositories'] | undefined;
  readonly #lifetimeSeconds: number;
  readonly #clock: () => Date;
  readonly #grants = new Map<string, Grant>();

  constructor(options: TokenServerOptions = {}) {
    super(options);
    this.#users = new Map(Object.entries(options.users ?? {}));
    this.#anonymous = options.anonymous;
    this.#lifetimeSeconds = options.lifetimeSeconds ?? 300;
    this.#clock = options.clock ?? (() => new Date());
  }

  get realm(): string {
    return `${this.url}/token`;
  }

  /** True when the token is one of ours, is still valid and was granted this action on this repository. */
  allows(token: string, repository: string, action: string, service?: string): boolean {
    const grant = this.#valid(token, service);
    const actions = grant?.access.get(repository) ?? [];
    return actions.includes(action) || actions.includes('*');
  }

  /** True for every token of ours that is still valid, whatever it was granted. */
  knows(token: string, service?: string): boolean {
    return this.#valid(token, service) !== undefined;
  }

  /** Makes every token issued so far worthless. */
  revokeAll(): void {
    this.#grants.clear();
  }

  protected override answer(request: IncomingMessage): Answer {
    const url = new URL(request.url ?? '/', 'http://token');
    if (url.pathname !== '/token') return errorAnswer(404, 'NOT_FOUND', 'The token endpoint is /token.');
    // Clients that try OAuth2's POST first go on with GET after a 405.
    if (request.method !== 'GET')
      return errorAnswer(405, 'UNSUPPORTED', 'Tokens are had by GET.', { Allow: 'GET' });
    const rights = this.#rights(request.headers.authorization);
    if (rights === undefined) return errorAnswer(401, 'UNAUTHORIZED', 'Wrong user name or password.');
    return this.#issue(url.searchParams, rights);
  }

  #rights(authorization: string | undefined): User['repositories'] | undefined {
    if (authorization === undefined) return this.#anonymous;
    const credentials = parseBasic(authorization);
    const user = credentials && this.#users.get(credentials.username);
    return user?.password === credentials?.password ? user?.repositories : undefined;
  }

  /** A token is given even when it grants nothing: the service, not we, says no then. */
  #issue(query: URLSearchParams, rights: User['repositories']): Answer {
    const now = this.#clock();
    const access = new Map<string, readonly string[]>();
    for (const scope of query.getAll('scope').flatMap((text) => text.split(' '))) {
      const [, name, actions] = SCOPE.exec(scope) ?? [];
      if (name !== undefined && actions !== undefined)
        access.set(name, grantedActions(rights, name, actions.split(',')));
    }
    const token = randomBytes(32).toString('base64url');
    const expires = now.getTime() + this.#lifetimeSeconds * 1000;
    this.#forgetExpired(now.getTime());
    this.#grants.set(token, { service: query.get('service') ?? '', access, expires });
    const issued = { expires_in: this.#lifetimeSeconds, issued_at: now.toISOString() };
    return jsonAnswer(200, { token, access_token: token, ...issued });
  }

  #valid(token: string, service: string | undefined): Grant | undefined {
    const grant = this.#grants.get(token);
    if (grant === undefined || grant.expires <= this.#clock().getTime()) return undefined;
    return service === undefined || grant.service === service ? grant : undefined;
  }

  #forgetExpired(now: number): void {
    for (const [token, { expires }] of this.#grants) if (expires <= now) this.#grants.delete(token);
  }
}

function grantedActions(
  rights: User['repositories'],
  name: string,
  wanted: readonly string[],
): readonly string[] {
  const allowed = Object.entries(rights)
    .filter(
      ([pattern]) => pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1))),
    )
    .flatMap(([, actions]) => actions);
  return wanted.filter((action) => allowed.includes(action));
}
