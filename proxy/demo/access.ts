/** How the simulated registry and Notary server ask who is calling: not at all, Basic, or Bearer. */
import { type Answer, errorAnswer } from './simulated-server.ts';

/** What a request touches; undefined for the ping, which only needs some valid identity. */
export type Resource = { readonly repository: string; readonly action: string } | undefined;

/** @returns the refusal to send, or undefined when the caller may go on */
export type AccessCheck = (authorization: string | undefined, resource: Resource) => Answer | undefined;

/** The part of a token server that the services which trust it need. */
export type TokenAuthority = {
  readonly realm: string;
  allows(token: string, repository: string, action: string, service?: string): boolean;
  knows(token: string, service?: string): boolean;
};

export type Credentials = { readonly username: string; readonly password: string };

/** @returns undefined when the header is not Basic credentials */
export function parseBasic(authorization: string): Credentials | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The value of an Authorization header. */
export function toBasic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

export const openAccess: AccessCheck = () => undefined;

/** @param users name → password; each may do everything */
export function basicAccess(users: Readonly<Record<string, string>>, realm = 'Pullwarden demo'): AccessCheck {
  const passwords = new Map(Object.entries(users));
  return (authorization) => {
    const credentials = authorization === undefined ? undefined : parseBasic(authorization);
    const password = credentials && passwords.get(credentials.username);
    if (password !== undefined && password === credentials?.password) return undefined;
    return unauthorized(`Basic realm="${realm}"`);
  };
}

/** @param service the name tokens for this server are asked for under */
export function bearerAccess(tokens: TokenAuthority, service: string): AccessCheck {
  return (authorization, resource) => {
    const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? [];
    const challenge = `Bearer realm="${tokens.realm}",service="${service}"`;
    if (resource === undefined) return tokens.knows(token, service) ? undefined : unauthorized(challenge);
    const { repository, action } = resource;
    if (tokens.allows(token, repository, action, service)) return undefined;
    return unauthorized(
      `${challenge},scope="repository:${repository}:${action}"${tokenError(tokens, token, service)}`,
    );
  };
}

function tokenError(tokens: TokenAuthority, token: string, service: string): string {
  if (token === '') return '';
  return `,error="${tokens.knows(token, service) ? 'insufficient_scope' : 'invalid_token'}"`;
}

function unauthorized(challenge: string): Answer {
  return errorAnswer(401, 'UNAUTHORIZED', 'authentication required', { 'WWW-Authenticate': challenge });
}
