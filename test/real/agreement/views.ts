/** What each program says about one repository, in a form that can be compared. */
import type { Gun } from '../../../proxy/names/reference.ts';
import { TrustError } from '../../../proxy/trust-client/errors.ts';
import type { VerifiedRepository } from '../../../proxy/trust-client/targets.ts';
import type { TrustedTarget } from '../../../proxy/trust-client/types.ts';
import {
  restoreTrust,
  type UpdateDeps,
  type UpdateRequest,
  updateTrust,
} from '../../../proxy/trust-client/update.ts';
import type { DockerClient, TrustInspection } from '../docker.ts';
import { DOCKER_ORDER, type ListedTarget, NotaryClient } from '../notary.ts';
import type { NotaryServer } from '../notary-server.ts';

export type Outcome<T> = { readonly kind: 'verified'; readonly view: T } | Refused;
export interface Refused {
  readonly kind: 'refused';
  readonly why: string;
}

export interface OurView {
  readonly trust: VerifiedRepository;
  readonly targets: ReadonlyMap<string, TrustedTarget>;
  /** Tags we refuse because a delegation named them whose keys were replaced since. */
  readonly refused?: ReadonlySet<string>;
}

export interface NotaryView {
  /** With Docker's order of roles. */
  readonly listed: ReadonlyMap<string, ListedTarget>;
  /** In the order of `notary list` itself, which is also that of `notary lookup`: `targets` first. */
  readonly byDefault: ReadonlyMap<string, ListedTarget>;
  /** Hex digests of the tags that were looked up one by one; undefined: not found, or found without a SHA-256. */
  readonly lookups: ReadonlyMap<string, string | undefined>;
}

export async function readOurs(deps: UpdateDeps, request: UpdateRequest): Promise<Outcome<OurView>> {
  return await attempt(() => updateTrust(deps, request), request.now);
}

/** From the state alone, as while the trust server is down. */
export async function readOursOffline(
  deps: UpdateDeps,
  request: Pick<UpdateRequest, 'gun' | 'pin' | 'now'>,
): Promise<Outcome<OurView>> {
  return await attempt(() => restoreTrust(deps.state, request.gun, request.pin, request.now), request.now);
}

async function attempt(resolve: () => Promise<VerifiedRepository>, now: Date): Promise<Outcome<OurView>> {
  try {
    const trust = await resolve();
    const found = trust.tags(now).map((tag) => [tag, trust.target(tag, now)] as const);
    const targets = new Map(found.flatMap(([tag, target]) => (target ? [[tag, target] as const] : [])));
    return { kind: 'verified', view: { trust, targets } };
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return { kind: 'refused', why: `${error.code} (${error.fault}): ${error.message}` };
  }
}

/**
 * What a client says that never saw the repository.
 *
 * @param lookups how many tags are looked up one by one, those that stand in several roles first; all that can be
 *   looked up are listed too.
 */
export async function readNotary(
  server: NotaryServer,
  gun: Gun,
  lookups: number,
): Promise<Outcome<NotaryView>> {
  const client = await NotaryClient.create(server);
  const byDefault = await listOrRefusal(client, gun, []);
  if (byDefault.kind === 'refused') return byDefault;
  const listed = await listOrRefusal(client, gun, DOCKER_ORDER);
  if (listed.kind === 'refused') throw new Error(`${gun} is listed in one order only: ${listed.why}`);
  const found = new Map<string, string | undefined>();
  for (const tag of chooseTags(byDefault.view, listed.view).slice(0, lookups)) {
    found.set(tag, await client.lookup(gun, tag));
  }
  return { kind: 'verified', view: { listed: listed.view, byDefault: byDefault.view, lookups: found } };
}

function chooseTags(
  byDefault: ReadonlyMap<string, ListedTarget>,
  listed: ReadonlyMap<string, ListedTarget>,
): readonly string[] {
  const tags = [...listed.keys()];
  const isAmbiguous = (tag: string) => listed.get(tag)?.digest !== byDefault.get(tag)?.digest;
  const ordered = [...tags.filter(isAmbiguous), tags.at(-1), tags[0], 'signed-by-nobody'];
  return [...new Set(ordered.filter((tag) => tag !== undefined))];
}

/** The entries that one role and those below it may make. */
export async function listRole(
  server: NotaryServer,
  gun: Gun,
  role: string,
): Promise<ReadonlyMap<string, ListedTarget>> {
  const client = await NotaryClient.create(server);
  return new Map((await client.list(gun, [role])).map((row) => [row.name, row]));
}

async function listOrRefusal(
  client: NotaryClient,
  gun: Gun,
  roles: readonly string[],
): Promise<Outcome<ReadonlyMap<string, ListedTarget>>> {
  try {
    const rows = await client.list(gun, roles);
    const view = new Map(rows.map((row) => [row.name, row]));
    if (view.size !== rows.length) throw new Error(`notary list ${gun} names a tag twice`);
    return { kind: 'verified', view };
  } catch (error) {
    const why = /\* fatal: (.*)/.exec(String(error))?.[1];
    if (why === undefined) throw error;
    return { kind: 'refused', why };
  }
}

/**
 * What `docker trust inspect` says of a repository: all its tags, whatever the paths of their delegations
 * (notary-semantics.md §8).
 */
export async function readDocker(docker: DockerClient, reference: string): Promise<Outcome<TrustInspection>> {
  const { status, stdout, stderr } = await docker.docker(['trust', 'inspect', reference]);
  if (status !== 0 || /no signatures or cannot access/i.test(stderr)) {
    return { kind: 'refused', why: stderr.trim() };
  }
  const [view] = JSON.parse(stdout) as TrustInspection[];
  if (view === undefined) throw new Error(`docker trust inspect ${reference}: ${stdout}${stderr}`);
  return { kind: 'verified', view };
}
