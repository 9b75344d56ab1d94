/** The grammars of names that only the configuration knows. */
import { isIP } from 'node:net';
import { isRegistry, isRepository, isTag, MAX_NAME_LENGTH } from '../names/reference.ts';

/** A rule's name is a metrics label and part of refusals: ASCII, and nothing that needs escaping. */
export function isRuleName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

/**
 * A delegation below `targets/`, such as `qa` or `team/alice` (notary-semantics.md §3.3: `[-a-z0-9_/]`, a clean
 * path, less than 256 characters with its prefix). `releases` is not a signer: it is where Docker takes the tag from.
 */
export function isSignerName(text: string): boolean {
  return (
    text !== 'releases' &&
    /^[a-z0-9_-]+(?:\/[a-z0-9_-]+)*$/.test(text) &&
    !text.startsWith('targets/') &&
    text.length < 248
  );
}

/** A TUF or canonical key ID: 64 lower-case hex digits. */
export function isKeyId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** `registry/repository:tag` with nothing left out, so that it is compared as it stands. */
export function parseTaggedImage(
  text: string,
): { readonly registry: string; readonly repository: string; readonly tag: string } | undefined {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/([^:]+):([^:]+)$/.exec(text) ?? [];
  const isName = isRegistry(registry) && isRepository(repository) && isTag(tag);
  const isShort = `${registry}/${repository}`.length <= MAX_NAME_LENGTH;
  return isName && isShort ? { registry, repository, tag } : undefined;
}

/** What Basic authentication can carry: no colon and no control character (RFC 7617 §2). */
export function isUsername(text: string): boolean {
  return /^[^:\p{Cc}]{1,255}$/u.test(text);
}

/**
 * What a mirror URL may have in front of `/v2/`: `/hub`, `/mirrors/hub`. Without a segment `v1` or `v2`, so that the
 * first `/v2/` of a path is always where the API begins.
 */
export function isPathPrefix(text: string): boolean {
  const isPath = /^(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*){1,4}$/.test(text) && text.length <= 64;
  return isPath && !text.split('/').some((segment) => segment === 'v1' || segment === 'v2');
}

/** A host name without a port; one label is enough, as for a service of a Compose file. */
export function isBareHost(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/.test(text);
}

export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}
