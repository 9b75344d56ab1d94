import { setTimeout as delay } from 'node:timers/promises';
import { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import { NotaryServer } from '../../../proxy/demo/notary/notary-server.ts';
import { type PushedImage, RegistryServer } from '../../../proxy/demo/registry.ts';
import { startInProcess } from '../in-process.ts';
import { onCleanUp } from '../process.ts';

export interface Hub {
  readonly registry: RegistryServer;
  readonly notary: NotaryServer;
  /** Pushes an image under a tag of `library/app`, has it signed, and waits until that counts. */
  sign(tag: string, kind?: 'docker' | 'docker-list'): Promise<PushedImage>;
  /** The proxy. */
  readonly url: string;
  readonly address: string;
}

export const REPOSITORY = 'library/app';
const REFRESH_MS = 50;

export async function startHub(): Promise<Hub> {
  const registry = new RegistryServer();
  const trust = new SimulatedRepository(`docker.io/${REPOSITORY}`, {
    snapshotKey: 'ed25519',
    timestampKey: 'ed25519',
  });
  for (const delegation of ['releases', 'ci']) trust.addDelegation(delegation);
  const notary = new NotaryServer({ repositories: [trust] });
  await Promise.all([registry.start(), notary.start()]);
  onCleanUp(async () => void (await Promise.all([registry.stop(), notary.stop()])));
  const proxy = await startInProcess({
    listen: { address: '127.0.0.1', port: 0 },
    admin: { address: '127.0.0.1', port: 0 },
    defaultRegistry: 'docker.io',
    registries: [
      { name: 'docker.io', upstream: registry.url, prefix: '/hub', trust: { server: notary.url } },
    ],
    trust: { state: { kind: 'memory' }, refresh: `${REFRESH_MS}ms`, timeout: '3s', firstUse: 'accept' },
    policy: { rules: [{ name: 'hub', match: 'docker.io/**', mode: 'enforce' }] },
  });
  const sign: Hub['sign'] = async (tag, kind = 'docker') => {
    const image = registry.pushImage(REPOSITORY, tag, { kind });
    trust.trustSign('ci', tag, image.digest, image.length);
    trust.publish();
    // What the proxy verified before counts for as long as this.
    await delay(2 * REFRESH_MS);
    return image;
  };
  return { registry, notary, sign, url: proxy.url, address: new URL(proxy.url).host };
}
