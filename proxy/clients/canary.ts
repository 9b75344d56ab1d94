/** The image whose pull proves the lock (peers.md §7, idea 2): it exists, and nobody ever signs it. */
import type { Config } from '../config/types.ts';
import { selectRule } from '../policy/rule.ts';
import type { Policy } from '../policy/types.ts';
import { DOCKER_HUB } from './hub.ts';
import type { Canary, ClientTest, Lock } from './types.ts';

/** Prefers a registry somebody can push to: on an open node the pull must succeed, else its failure proves nothing. */
export function chooseCanary({ registries, policy }: Config): Canary {
  const own = registries.find(({ name }) => name !== DOCKER_HUB);
  if (own === undefined) return chooseHubCanary({ policy });
  const repository = 'pullwarden-canary';
  const fault = explainPass(policy, `${own.name}/${repository}`);
  return { registry: own.name, repository, tag: 'never-signed', fault };
}

/** An official image that exists; no Notary server of yours has signed it unless somebody did so on purpose. */
export function chooseHubCanary({ policy }: Pick<Config, 'policy'>): Canary {
  return { ...HUB_CANARY, fault: explainPass(policy, `${HUB_CANARY.registry}/${HUB_CANARY.repository}`) };
}

export const HUB_CANARY = { registry: DOCKER_HUB, repository: 'library/hello-world', tag: 'linux' } as const;

function explainPass(policy: Policy, gun: string): string | undefined {
  const rule = selectRule(policy, gun);
  const mode = rule?.mode ?? policy.unmatched;
  if (mode === 'enforce' || mode === 'deny') return undefined;
  const why = rule === undefined ? 'policy.unmatched is pass' : `rule ${rule.name} has mode ${mode}`;
  return `the policy lets ${gun} through (${why}): give it a rule with mode enforce, or the test proves nothing`;
}

/** `registry/repository:tag`, as clients that are locked by their configuration write it. */
export function canaryReference({ canary }: Pick<Lock, 'canary'>): string {
  return `${canary.registry}/${canary.repository}:${canary.tag}`;
}

export function canaryTest(lock: Pick<Lock, 'canary'>, command: string): ClientTest {
  const { registry, repository } = lock.canary;
  return {
    command,
    expected: `fails, and the proxy's log and status page show the refusal of ${registry}/${repository}; an image that arrives, or no refusal there, is a way around`,
  };
}

/** What has to be done once before the canary proves anything. */
export function canarySteps({ canary }: Pick<Lock, 'canary'>): readonly string[] {
  const reference = canaryReference({ canary });
  const once =
    canary.registry === DOCKER_HUB
      ? `Never sign ${reference}: it exists at Docker Hub, so a node that is open gets it.`
      : `Once, push any image as ${reference} and never sign it: a node that is open must be able to get it.`;
  return [once, ...(canary.fault === undefined ? [] : [`Mind: ${canary.fault}.`])];
}
