/** Two accounts on a registry with token authentication: both may pull `shared/app`, alice alone `private/app`. */
import { NotaryClient } from '../notary.ts';
import { type NotaryServer, startNotaryServer } from '../notary-server.ts';
import { type Registry, startRegistry } from '../registry.ts';
import { type Published, publish, signTags } from './publish.ts';
import { type Account, JwtServer } from './token-server.ts';

export const PRIVATE = 'private/app';
export const SHARED = 'shared/app';
/** Signed in both repositories. */
export const TAG = '1.0';
/** A signed tag of the private one that nobody else may learn of. */
export const CODENAME = 'osprey';
/** In the private one, not signed. */
export const UNSIGNED = 'nightly';

export interface World {
  readonly registry: Registry;
  readonly tokens: JwtServer;
  readonly trust: NotaryServer;
  /** Whoever signed the images. */
  readonly notary: NotaryClient;
  readonly alice: Account;
  readonly bob: Account;
  /** The account of a proxy that has one. */
  readonly robot: Account;
  readonly images: { readonly private: Published; readonly shared: Published };
}

export async function startWorld(): Promise<World> {
  const [tokens, trust] = await Promise.all([JwtServer.create(), startNotaryServer()]);
  const pull = ['pull'];
  const alice = tokens.register(
    { username: 'alice', password: 'wonderland-alice' },
    { [PRIVATE]: pull, [SHARED]: pull },
  );
  const bob = tokens.register({ username: 'bob', password: 'builder-bob' }, { [SHARED]: pull });
  const robot = tokens.register(
    { username: 'robot', password: 'machine-robot' },
    { [PRIVATE]: pull, [SHARED]: pull },
  );
  const push = ['pull', 'push'];
  const publisher = tokens.register(
    { username: 'publisher', password: 'press-publisher' },
    { [PRIVATE]: push, [SHARED]: push },
  );
  const registry = await startRegistry({ token: tokens.auth });
  const token = await tokens.tokenFor(publisher, [PRIVATE, SHARED], 'pull,push');
  const toImage = (repository: string, tags: readonly string[], label: string) =>
    publish(registry.url, token, repository, tags, label);
  const images = {
    private: await toImage(PRIVATE, [TAG, CODENAME], 'for alice alone'),
    shared: await toImage(SHARED, [TAG], 'for both'),
  };
  await toImage(PRIVATE, [UNSIGNED], 'not signed');
  const notary = await NotaryClient.create(trust);
  await signTags(notary, `${registry.address}/${PRIVATE}`, [TAG, CODENAME], images.private.manifest);
  await signTags(notary, `${registry.address}/${SHARED}`, [TAG], images.shared.manifest);
  return { registry, tokens, trust, notary, alice, bob, robot, images };
}
