/** What the demo shows: a registry and a Notary server with one repository and four tags, each with a story. */
import type { Digest, Gun } from '../names/reference.ts';
import { SimulatedRepository } from './notary/notary-repository.ts';
import { NotaryServer } from './notary/notary-server.ts';
import { RegistryServer } from './registry.ts';

export const REGISTRY_NAME = 'registry.example.com';
export const REPOSITORY = 'shop/web';

/** One tag, and what a pull of it through the proxy must give: a digest, or a refusal with this reason. */
export type Story = {
  readonly tag: string;
  readonly told: string;
  readonly expected: { readonly digest: Digest } | { readonly reason: string };
};

export type DemoWorld = {
  readonly registry: RegistryServer;
  readonly notary: NotaryServer;
  readonly stories: readonly Story[];
  /** Canonical ID of the repository's root key: what an operator pins. */
  readonly rootKeyId: string;
  stop(): Promise<void>;
};

export async function startDemoWorld(): Promise<DemoWorld> {
  const registry = new RegistryServer();
  const gun: Gun = `${REGISTRY_NAME}/${REPOSITORY}`;
  const trust = new SimulatedRepository(gun, { snapshotKey: 'ed25519', timestampKey: 'ed25519' });
  for (const delegation of ['releases', 'ci']) trust.addDelegation(delegation);
  const push = (tag: string, label = tag) => registry.pushImage(REPOSITORY, tag, { label });
  const sign = (tag: string) => {
    const image = push(tag);
    trust.trustSign('ci', tag, image.digest, image.length);
    return image;
  };

  const signed = sign('signed');
  const overwritten = sign('overwritten');
  sign('revoked');
  trust.publish();
  push('unsigned');
  push('overwritten', 'pushed over the signed one by somebody else');
  for (const delegation of ['releases', 'ci']) trust.removeTag('revoked', delegation);
  trust.publish();

  const notary = new NotaryServer({ repositories: [trust] });
  await Promise.all([registry.start(), notary.start()]);
  const [rootKey] = trust.keys('root');
  return {
    registry,
    notary,
    rootKeyId: rootKey?.canonicalId ?? '',
    stories: [
      { tag: 'signed', told: 'was signed by ci', expected: { digest: signed.digest } },
      {
        tag: 'overwritten',
        told: 'was signed by ci, then somebody pushed another image over it: the signed one must come',
        expected: { digest: overwritten.digest },
      },
      { tag: 'unsigned', told: 'was pushed and never signed', expected: { reason: 'unsigned_tag' } },
      { tag: 'revoked', told: 'was signed by ci, then revoked', expected: { reason: 'unsigned_tag' } },
    ],
    stop: async () => {
      await Promise.all([registry.stop(), notary.stop()]);
    },
  };
}
