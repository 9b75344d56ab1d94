/** Simulated repositories behind the read side of notary-server's HTTP API (notary-semantics.md §1). */
import type { IncomingMessage } from 'node:http';
import type { Gun } from '../../names/reference.ts';
import { type AccessCheck, openAccess } from '../access.ts';
import {
  type Answer,
  errorAnswer,
  jsonAnswer,
  type ServerOptions,
  SimulatedServer,
  textAnswer,
} from '../simulated-server.ts';
import type { SimulatedRepository } from './notary-repository.ts';

export type NotaryServerOptions = ServerOptions & {
  readonly repositories?: readonly SimulatedRepository[];
  /** Everybody may read when absent. */
  readonly access?: AccessCheck;
};

const ROLE = '(root|targets(?:/[^/\\s]+)*|snapshot|timestamp)';
const BASE = '^/v2/([^*]+)/_trust/tuf/';

/** The metadata routes in the order the server tries them (notary-semantics.md §1.1). */
const BY_CHECKSUM = new RegExp(`${BASE}${ROLE}\\.([a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})\\.json$`);
const BY_VERSION = new RegExp(`${BASE}([1-9]*[0-9]+)\\.${ROLE}\\.json$`);
const CURRENT = new RegExp(`${BASE}${ROLE}\\.json$`);

/** What each class of file says about caching (notary-semantics.md §1.2). */
const CONSISTENT = 'public, max-age=2592000, s-maxage=2592000';
const MUST_REVALIDATE = 'public, max-age=300, s-maxage=300, must-revalidate';

type FileRequest = { readonly gun: string; readonly name: string; readonly cacheControl: string };

export class NotaryServer extends SimulatedServer {
  readonly repositories = new Map<string, SimulatedRepository>();
  readonly #access: AccessCheck;

  constructor(options: NotaryServerOptions = {}) {
    super(options);
    this.#access = options.access ?? openAccess;
    for (const repository of options.repositories ?? []) this.add(repository);
  }

  add(repository: SimulatedRepository): void {
    this.repositories.set(repository.gun, repository);
  }

  /** Takes a repository's trust data away, as `notary delete --remote` does. */
  remove(gun: Gun): void {
    this.repositories.delete(gun);
  }

  protected override answer(request: IncomingMessage): Answer {
    const { method = '', headers } = request;
    const [path = ''] = (request.url ?? '').split('?');
    if (path === '/_notary_server/health') return jsonAnswer(200, {});
    if (method === 'GET' && path === '/v2/')
      return this.#access(headers.authorization, undefined) ?? jsonAnswer(200, {});
    // Only GET reaches a metadata route; HEAD falls to the catch-all like anything unknown (notary-semantics.md §1.1).
    const wanted = method === 'GET' ? parseFileRequest(path) : undefined;
    const resource = wanted && { repository: wanted.gun, action: 'pull' };
    return this.#access(headers.authorization, resource) ?? this.#file(wanted);
  }

  #file(wanted: FileRequest | undefined): Answer {
    const bytes = wanted && this.repositories.get(wanted.gun)?.files.get(wanted.name);
    if (wanted === undefined || bytes === undefined) {
      return errorAnswer(404, 'METADATA_NOT_FOUND', 'You have requested metadata that does not exist.');
    }
    return { ...textAnswer(200, '', { 'Cache-Control': wanted.cacheControl }), body: bytes };
  }
}

function parseFileRequest(path: string): FileRequest | undefined {
  const [, gun1, role1, checksum] = BY_CHECKSUM.exec(path) ?? [];
  if (gun1 !== undefined) {
    return { gun: gun1, name: `${role1}.${checksum?.toLowerCase()}`, cacheControl: CONSISTENT };
  }
  const [, gun2, version, role2] = BY_VERSION.exec(path) ?? [];
  if (gun2 !== undefined) return { gun: gun2, name: `${Number(version)}.${role2}`, cacheControl: CONSISTENT };
  const [, gun3, role3] = CURRENT.exec(path) ?? [];
  return gun3 === undefined ? undefined : { gun: gun3, name: `${role3}`, cacheControl: MUST_REVALIDATE };
}
