/** Docker Hub as a hostile registry, a real proxy as often as wanted before it, and signed tags to pull. */
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../../proxy/demo/notary/notary-server.ts';
import { onCleanUp } from '../process.ts';
import { type RunningProxy, startProxy } from '../proxy.ts';
import { HostileRegistry, LIES } from './registry.ts';

export const REPOSITORY = 'library/app';

export interface SignedTag {
  readonly tag: string;
  readonly digest: string;
}

export interface HostileWorld {
  readonly registry: HostileRegistry;
  readonly notary: NotaryServer;
  readonly tags: readonly SignedTag[];
  /** One more process, with a state of its own. */
  startReplica(): Promise<RunningProxy>;
}

/** Each tag has a lie of its own in turn. */
export async function startHostileWorld(count: number): Promise<HostileWorld> {
  const registry = new HostileRegistry();
  const trust = new SimulatedRepository(`docker.io/${REPOSITORY}`);
  trust.addDelegation('releases');
  const other = registry.pushImage(REPOSITORY, 'unsigned', { label: 'EVIL unsigned' }).body;
  const tags = Array.from({ length: count }, (_, index) => {
    const tag = `v${index}`;
    const { digest, length } = registry.pushImage(REPOSITORY, tag);
    trust.trustSign('releases', tag, digest, length);
    const lie = LIES[index % LIES.length];
    if (lie !== undefined) registry.lieAbout(digest, lie, other);
    return { tag, digest };
  });
  trust.publish();
  const notary = new NotaryServer({ repositories: [trust] });
  await Promise.all([registry.start(), notary.start()]);
  onCleanUp(async () => void (await Promise.all([registry.stop(), notary.stop()])));
  const startReplica = (): Promise<RunningProxy> =>
    startProxy({
      registry: { address: 'docker.io', url: registry.url },
      trust: { url: notary.url, caFile: '' },
      refresh: '1h',
      settings: {
        registries: [{ name: 'docker.io', upstream: registry.url, trust: { server: notary.url } }],
        log: { level: 'info' },
      },
    });
  return { registry, notary, tags, startReplica };
}
