/**
 * The canary: one tag that the proxy refuses regardless of policy and signatures, so that a pull of it shows
 * whether the pull came through the proxy (peers.md §7, idea 2).
 */
import { DOCKER_HUB, type ImageReference } from '../names/reference.ts';
import type { Canary } from './types.ts';

/** An official image that exists, so that a client that bypasses the proxy gets it. */
export const HUB_CANARY: Canary = { registry: DOCKER_HUB, repository: 'library/hello-world', tag: 'linux' };

/**
 * Where none is configured. A registry that the operator can push to is preferred: the tag has to be put there once, and
 * then an open client gets it in a network without Docker Hub too.
 *
 * @param registries names of the configured registries, in their order.
 */
export function chooseCanary(registries: readonly string[]): Canary {
  const own = registries.find((name) => name !== DOCKER_HUB);
  if (own === undefined) return HUB_CANARY;
  return { registry: own, repository: 'pullwarden-canary', tag: 'never-signed' };
}

/** Only the tag is owned: its digest names content, and passes like every other. */
export function isCanary(canary: Canary, registry: string, reference: ImageReference): boolean {
  return (
    reference.kind === 'tag' &&
    reference.tag === canary.tag &&
    reference.repository === canary.repository &&
    registry === canary.registry
  );
}

/** `registry/repository:tag`. */
export function formatCanary({ registry, repository, tag }: Canary): string {
  return `${registry}/${repository}:${tag}`;
}
