/**
 * A registry as docker-registry 2.8 is, of which the OCI suite's read-only run says three things (registry-clients.md §7):
 * no referrers route, `last` is ignored in tag lists, and an invalid digest is answered with 500.
 */

import { type PushedImage, RegistryServer } from '../../proxy/demo/registry.ts';
import { jsonAnswer } from '../../proxy/demo/simulated-server.ts';
import { status } from '../simulators/faults.ts';

export const REPOSITORY = 'conformance/app';
export const TAGS = ['test0', 'test1', 'test2', 'test3'] as const;

export type Bare = {
  readonly registry: RegistryServer;
  readonly url: string;
  /** By tag. */
  readonly images: ReadonlyMap<string, PushedImage>;
};

export async function startBareRegistry(): Promise<Bare> {
  const registry = new RegistryServer();
  const url = await registry.start();
  const images = new Map(
    TAGS.map(
      (tag, at) =>
        [tag, registry.pushImage(REPOSITORY, tag, { kind: at === 0 ? 'oci-index' : 'oci' })] as const,
    ),
  );
  // The simulator knows `n` and `last`, and has no referrers route anyway.
  registry.fault(/\/tags\/list/, () => jsonAnswer(200, { name: REPOSITORY, tags: [...TAGS] }));
  registry.fault(/\/(?:manifests|blobs)\/[^/]*:(?![0-9a-f]{64}$)/, status(500));
  return { registry, url, images };
}
