/** podman, CRI-O, skopeo and buildah: registries.conf and policy.json (registry-clients.md §2.4). */
import { DOCKER_HUB } from '../../names/reference.ts';
import { canaryReference, canarySteps, canaryTest } from '../canary/reference.ts';
import { certsFolderSteps } from '../certificates.ts';
import { renderEgress } from '../egress/render.ts';
import { quote } from '../hosts-toml/render.ts';
import { DOCKER_HUB_ALIASES } from '../hub.ts';
import type { ClientKit, Lock, LockedRegistry } from '../types.ts';

export const PODMAN_FORMS = ['mirror', 'remap'] as const;
export type PodmanForm = (typeof PODMAN_FORMS)[number];

/** Read after registries.conf and after every other drop-in, so its entries are the ones that count. */
export const REGISTRIES_DROP_IN = '/etc/containers/registries.conf.d/999-pullwarden.conf';
export const POLICY_JSON = '/etc/containers/policy.json';

export function renderPodman(lock: Lock, as: PodmanForm = 'mirror'): ClientKit {
  const egress = renderEgress(lock, { docker: false });
  return {
    title: `podman, CRI-O, skopeo and buildah (${as === 'mirror' ? 'blocked registry with a mirror' : 'registry rewritten'})`,
    warnings: [
      'A registries.conf in a home folder ($HOME/.config/containers) replaces this file, and so does CONTAINERS_REGISTRIES_CONF: doctor looks for both.',
      'skopeo list-tags and inspect of a digest contact the registry directly, ignoring every mirror: the egress rules reject that. skopeo before 1.10 takes the file as --registries-conf only.',
      ...lock.registries
        .filter(({ path }) => path === undefined)
        .map(
          ({ name }) =>
            `${name} has a port in its name and cannot follow the proxy's address in a reference, so it is blocked; give it its own host (registries[].hosts).`,
        ),
    ],
    files: [
      { path: REGISTRIES_DROP_IN, content: renderRegistries(lock, as), merge: false },
      { path: POLICY_JSON, content: renderPolicy(lock), merge: true },
      ...egress.files,
    ],
    steps: [
      ...certsFolderSteps('/etc/containers/certs.d', lock.proxy),
      `Merge the docker section into the existing ${POLICY_JSON}: "" rejects every registry that is not named.`,
      'Remove $HOME/.config/containers/{registries.conf,policy.json} of every account, and more specific [[registry]] entries.',
      'CRI-O: systemctl reload crio',
      ...egress.steps,
      ...canarySteps(lock),
    ],
    tests: [
      canaryTest(`podman pull ${canaryReference(lock)}`),
      canaryTest(`skopeo inspect --raw docker://${canaryReference(lock)}`),
      ...egress.tests,
    ],
  };
}

function renderRegistries(lock: Lock, as: PodmanForm): string {
  const { proxy } = lock;
  const entries = [...lock.registries, ...unservedHub(lock)].flatMap((registry) =>
    [registry.name, ...registry.aliases].map((prefix) => renderEntry(lock, prefix, registry, as)),
  );
  const why =
    as === 'mirror'
      ? '# "blocked" is the lock: the client never contacts the registry itself, and still uses the mirror.'
      : '# Every name is rewritten to the proxy: the client does not know the registry itself.';
  const served = lock.registries.some(({ name }) => name === DOCKER_HUB);
  return [
    `# Pulls go to ${proxy.url}.`,
    why,
    '# Clients treat each alias as another registry, so each has its own entry.',
    `unqualified-search-registries = [${served ? quote(DOCKER_HUB) : ''}]`,
    '',
    ...entries,
  ].join('\n');
}

function renderEntry({ proxy }: Lock, prefix: string, { path }: LockedRegistry, as: PodmanForm): string {
  const insecure = proxy.scheme === 'http' ? ['insecure = true'] : [];
  const head = ['[[registry]]', `prefix = ${quote(prefix)}`];
  const place = path === undefined ? undefined : quote(`${proxy.authority}${path}`);
  if (as === 'remap' && place !== undefined)
    return [...head, `location = ${place}`, ...insecure, ''].join('\n');
  const mirror =
    place === undefined
      ? []
      : ['  [[registry.mirror]]', `  location = ${place}`, ...insecure.map((line) => `  ${line}`)];
  return [...head, `location = ${quote(prefix)}`, 'blocked = true', ...mirror, ''].join('\n');
}

/** Docker Hub is what a short name means, so it is blocked where the proxy does not serve it. */
function unservedHub({ registries }: Lock): readonly LockedRegistry[] {
  if (registries.some(({ name }) => name === DOCKER_HUB)) return [];
  return [{ name: DOCKER_HUB, aliases: DOCKER_HUB_ALIASES, path: undefined }];
}

/**
 * registries.conf has no entry for all registries; this has. The proxy vouches for what it serves, so nothing more is
 * asked of the named ones; keep stricter requirements that are there.
 */
function renderPolicy({ proxy, registries }: Lock): string {
  const accept = [{ type: 'insecureAcceptAnything' }];
  const names = [...registries.flatMap(({ name, aliases }) => [name, ...aliases]), proxy.authority];
  const docker = { '': [{ type: 'reject' }], ...Object.fromEntries(names.map((name) => [name, accept])) };
  return `${JSON.stringify({ default: accept, transports: { docker } }, undefined, 2)}\n`;
}
