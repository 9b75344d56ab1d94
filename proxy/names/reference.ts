/**
 * Image references, parsed once at the edge into types that cannot be wrong.
 *
 * Grammar: registry-clients.md §6.1 (OCI distribution-spec names and tags; sha256 and sha512 digests in
 * lower-case hex only). Every expression here is anchored and linear: no nested quantifier can match the same
 * text in two ways.
 */

/** `sha256:` + 64 or `sha512:` + 128 lower-case hex digits. */
export type Digest = `sha256:${string}` | `sha512:${string}`;

/** The fully qualified repository name, `<registry>/<repository>`: what Notary calls the Globally Unique Name. */
export type Gun = `${string}/${string}`;

/** What a pull names: a tag (judged) or a digest (content-addressed). */
export type ImageReference =
  | { readonly kind: 'tag'; readonly repository: string; readonly tag: string }
  | { readonly kind: 'digest'; readonly repository: string; readonly digest: Digest };

/** Docker Hub's canonical name. */
export const DOCKER_HUB = 'docker.io';

/** Longest repository name including its registry, in characters (registry-clients.md §6.1). */
export const MAX_NAME_LENGTH = 255;

const SEGMENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';

/** Source text of the grammar's three nouns, for the one anchored route expression. */
export const GRAMMAR = {
  repository: `${SEGMENT}(?:/${SEGMENT})*`,
  tag: '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}',
  digest: 'sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}',
} as const;

const REPOSITORY = new RegExp(`^${GRAMMAR.repository}$`);
const TAG = new RegExp(`^${GRAMMAR.tag}$`);
const DIGEST = new RegExp(`^(?:${GRAMMAR.digest})$`);
/** A registry's name: host name, IPv4 or bracketed IPv6 address, with an optional port. */
const REGISTRY = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/;

/** Docker Hub's official images live in `library/`, which users leave out. */
export function toRepository(registry: string, name: string): string {
  return registry === DOCKER_HUB && !name.includes('/') ? `library/${name}` : name;
}

export function isRepository(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function isRegistry(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REGISTRY.test(text);
}

/** The name Notary's metadata is kept under (notary-semantics.md §2.1). */
export function toGun(registry: string, repository: string): Gun {
  return `${registry}/${repository}`;
}

export type ParsedImage = {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
};

/**
 * Parses what a person types, `[registry/]repository[:tag][@digest]`, with Docker's rules for a missing registry
 * (`docker.io`) and a missing organisation (`library/`): notary-semantics.md §2.1, registry-clients.md §6.1.
 *
 * @returns undefined when the text is no image reference.
 */
export function parseImage(text: string, defaultRegistry: string = DOCKER_HUB): ParsedImage | undefined {
  const [named, digest, ...rest] = text.split('@');
  if (named === undefined || rest.length > 0) return undefined;
  if (digest !== undefined && !isDigest(digest)) return undefined;
  const { name, tag } = splitTag(named);
  if (tag !== undefined && !isTag(tag)) return undefined;
  const { registry, path } = splitRegistry(name, defaultRegistry);
  const repository = toRepository(registry, path);
  if (!isRegistry(registry) || !isRepository(repository)) return undefined;
  return { registry, repository, tag, digest };
}

function splitTag(text: string): { readonly name: string; readonly tag: string | undefined } {
  const colon = text.lastIndexOf(':');
  // A colon before the last slash belongs to the registry's port.
  if (colon <= text.lastIndexOf('/')) return { name: text, tag: undefined };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function splitRegistry(
  name: string,
  defaultRegistry: string,
): { readonly registry: string; readonly path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  if (!isHost) return { registry: defaultRegistry, path: name };
  const registry = first === 'index.docker.io' ? DOCKER_HUB : first;
  return { registry, path: name.slice(slash + 1) };
}
