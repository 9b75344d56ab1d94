/** Docker Hub's names, which every client knows without being told (registry-clients.md §1.1, §2.1, §2.4). */

/** Other spellings in image references. A mirror or an entry for docker.io does not cover them. */
export const DOCKER_HUB_ALIASES = ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];

/** What has to be closed for a pull to fail: registry, aliases, tokens, content (registry-clients.md §1.5 row D). */
export const DOCKER_HUB_HOSTS = [
  'registry-1.docker.io',
  'index.docker.io',
  'registry.hub.docker.com',
  'auth.docker.io',
  'production.cloudflare.docker.com',
];
