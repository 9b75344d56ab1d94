/** The pull that proves the lock: the proxy always refuses the canary, so a client that gets it bypasses the proxy. */
import { formatCanary, HUB_CANARY } from '../../policy/canary.ts';
import { CANARY_WORDS } from '../../words.ts';
import type { ClientTest, Lock } from '../types.ts';

/** `registry/repository:tag`, as clients that are locked by their configuration write it. */
export function canaryReference({ canary }: Pick<Lock, 'canary'>): string {
  return formatCanary(canary);
}

/** The reference a person writes when the proxy is the registry; undefined: none leads to the canary there. */
export function hostReference({
  proxy,
  registries,
  canary,
}: Pick<Lock, 'proxy' | 'registries' | 'canary'>): string | undefined {
  const path = registries.find(({ name }) => name === canary.registry)?.path;
  return path === undefined ? undefined : `${proxy.authority}${path}/${canary.repository}:${canary.tag}`;
}

export function canaryTest(command: string): ClientTest {
  return {
    command,
    expected: `fails and shows "${CANARY_WORDS}": the pulls of the client go through the proxy. If the image arrives, the client bypasses the proxy; any other failure proves nothing. "pullwarden canary" tells them apart and writes a metric.`,
  };
}

/** The step that is needed once before the canary proves anything. */
export function canarySteps(lock: Pick<Lock, 'canary'>): readonly string[] {
  const reference = canaryReference(lock);
  if (reference === formatCanary(HUB_CANARY)) return [];
  return [
    `Once, push any image as ${reference}, directly to the registry: a client that bypasses the proxy must be able to pull it.`,
  ];
}
