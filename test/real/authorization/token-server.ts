/**
 * A token server for docker-registry's `auth: token`: JWTs signed with ES256, for accounts whose grants a test gives
 * and withdraws. The registry knows the key by its libtrust fingerprint (`kid`).
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  X509Certificate,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { parseBasic } from '../../../proxy/demo/access.ts';
import {
  type Answer,
  errorAnswer,
  jsonAnswer,
  SimulatedServer,
} from '../../../proxy/demo/simulated-server.ts';
import { createSelfSigned, type KeyPair } from '../certificates.ts';
import { toBasic } from '../http.ts';
import { makeTempDir, onCleanUp } from '../process.ts';
import type { TokenAuth } from '../registry.ts';

export interface Account {
  readonly username: string;
  readonly password: string;
}

/** docker-registry takes a token for this long after it expired, in seconds (its `Leeway`). */
export const LEEWAY_SECONDS = 60;
const SERVICE = 'registry.test';
const ISSUER = 'tokens.test';

export class JwtServer extends SimulatedServer {
  /** Every token it signed, in the order it did. */
  readonly issued: string[] = [];
  /** Of the tokens it gives from now on. */
  lifetimeSeconds = 300;
  readonly #certFile: string;
  readonly #key: KeyObject;
  readonly #keyId: string;
  readonly #accounts = new Map<string, Account & { readonly grants: Map<string, readonly string[]> }>();

  static async create(): Promise<JwtServer> {
    const pair = await createSelfSigned(await makeTempDir('tokens'), 'token signer', 'ecdsa');
    const server = new JwtServer(pair, await readFile(pair.keyFile), await readFile(pair.certFile));
    await server.start();
    onCleanUp(() => server.stop());
    return server;
  }

  private constructor({ certFile }: KeyPair, key: Buffer, certificate: Buffer) {
    super();
    this.#certFile = certFile;
    this.#key = createPrivateKey(key);
    this.#keyId = toKeyId(new X509Certificate(certificate).publicKey);
  }

  /** What the registry is told. */
  get auth(): TokenAuth {
    return { realm: `${this.url}/token`, service: SERVICE, issuer: ISSUER, certFile: this.#certFile };
  }

  register(account: Account, grants: Readonly<Record<string, readonly string[]>> = {}): Account {
    this.#accounts.set(account.username, { ...account, grants: new Map(Object.entries(grants)) });
    return account;
  }

  /** Tokens from now on no longer hold it; those that are out there hold it until they expire. */
  withdraw({ username }: Account, repository: string): void {
    this.#accounts.get(username)?.grants.delete(repository);
  }

  /** As a client gets one: over HTTP, with Basic credentials. */
  async tokenFor(account: Account, repositories: readonly string[], actions = 'pull'): Promise<string> {
    const query = new URLSearchParams({ service: SERVICE, account: account.username });
    for (const name of repositories) query.append('scope', `repository:${name}:${actions}`);
    const answer = await fetch(`${this.url}/token?${query}`, {
      headers: { authorization: toBasic(account) },
    });
    if (answer.status !== 200) throw new Error(`the token server answered ${answer.status}`);
    return ((await answer.json()) as { readonly token: string }).token;
  }

  /** The same claims under a key that the registry does not know, or under none. */
  forge(token: string, how: 'other key' | 'no algorithm'): string {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;
    if (how === 'no algorithm') return `${toPart({ typ: 'JWT', alg: 'none' })}.${toPart(claims)}.`;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return toToken({ typ: 'JWT', alg: 'ES256', kid: this.#keyId }, claims, privateKey);
  }

  protected override answer(request: IncomingMessage): Answer {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://tokens');
    if (pathname !== '/token' || request.method !== 'GET')
      return errorAnswer(404, 'NOT_FOUND', 'GET /token is all there is.');
    const credentials = parseBasic(request.headers.authorization ?? '');
    const account = this.#accounts.get(credentials?.username ?? '');
    if (account === undefined || account.password !== credentials?.password)
      return errorAnswer(401, 'UNAUTHORIZED', 'Wrong user name or password.');
    const access = searchParams.getAll('scope').flatMap((scope) => {
      const [, name = '', wanted = ''] = scope.split(':');
      const actions = wanted.split(',').filter((action) => account.grants.get(name)?.includes(action));
      return actions.length === 0 ? [] : [{ type: 'repository', name, actions }];
    });
    return jsonAnswer(200, {
      token: this.#issue(account.username, access),
      expires_in: this.lifetimeSeconds,
    });
  }

  #issue(subject: string, access: readonly object[]): string {
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, nbf: now - LEEWAY_SECONDS, exp: now + this.lifetimeSeconds };
    const claims = { iss: ISSUER, sub: subject, aud: SERVICE, ...times, jti: randomUUID(), access };
    const token = toToken({ typ: 'JWT', alg: 'ES256', kid: this.#keyId }, claims, this.#key);
    this.issued.push(token);
    return token;
  }
}

function toToken(header: object, claims: object, key: KeyObject): string {
  const text = `${toPart(header)}.${toPart(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function toPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** libtrust: 240 bits of the SHA-256 of the SubjectPublicKeyInfo, base32, in groups of four. */
function toKeyId(key: KeyObject): string {
  const hash = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
  return (toBase32(hash.subarray(0, 30)).match(/.{4}/g) ?? []).join(':');
}

function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)])
    .join('');
}
