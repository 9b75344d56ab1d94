/** The image a person names on the command line, as the configuration knows it. */
import type { Config, RegistryConfig } from '../config/types.ts';
import { type Digest, type Gun, parseImage, toGun } from '../names/reference.ts';
import { CommandError } from './io.ts';

export type NamedImage = {
  readonly registry: RegistryConfig;
  readonly gun: Gun;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
};

/** @throws CommandError when the text is no image reference, or of a registry that is not configured. */
export function findImage(text: string, config: Config): NamedImage {
  const parsed = parseImage(text, config.defaultRegistry);
  if (parsed === undefined) {
    throw new CommandError(`invalid image reference "${text}"; write [registry/]repository[:tag]`);
  }
  const registry = config.registries.find(
    ({ name, aliases }) => name === parsed.registry || aliases.includes(parsed.registry),
  );
  if (registry === undefined) {
    const known = config.registries.map(({ name }) => name).join(', ');
    throw new CommandError(`unknown registry ${parsed.registry}; ${config.file} configures ${known}`);
  }
  const { repository, tag, digest } = parsed;
  return { registry, gun: toGun(registry.name, repository), tag, digest };
}
