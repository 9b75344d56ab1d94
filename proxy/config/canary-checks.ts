/** Checks of the canary's name against the registries there are. The schema reports malformed names. */
import { toRepository } from '../names/reference.ts';
import type { Finding } from './errors.ts';
import { entry, texts } from './lookup.ts';
import { parseTaggedImage } from './names.ts';
import { canonicalNames, noRegistry } from './registry-checks.ts';

export function canaryFindings(value: unknown): readonly Finding[] {
  return texts([entry(value, ['canary', 'image'])]).flatMap(({ path, value: text }) => {
    const image = parseTaggedImage(text);
    const names = canonicalNames(value);
    if (image === undefined || names.length === 0) return [];
    const { registry, repository, tag } = image;
    if (!names.includes(registry)) return [noRegistry(value, { path, value: text }, registry)];
    const full = toRepository(registry, repository);
    if (full === repository) return [];
    const what = `Docker Hub has no repository "${repository}"`;
    return [{ path, what, next: `write ${registry}/${full}:${tag}` }];
  });
}
