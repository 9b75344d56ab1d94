/**
 * What was verified of a delegation whose keys were replaced before the new ones signed anything. Docker passes such a
 * delegation over and takes its tags from `targets`, where an entry of before there were signers may be left. Here the
 * remembered file proves nothing any more, but what it names is not looked up in `targets` (targets.ts).
 */
import type { DelegatedRole } from './metadata.ts';
import type { Role } from './signatures.ts';
import type { RoleName } from './types.ts';
import type { CheckFile, VerifiedDelegation } from './verified.ts';

/** Where tags are looked up before `targets` (notary-semantics.md §8). */
export const RELEASES = 'targets/releases';

const NO_KEYS: Role = { keys: [], threshold: 1 };

/**
 * Reads the remembered file of a delegation, and of every delegation below it, into `replaced`; only of those that are
 * looked up before `targets`.
 *
 * @param held the very files that set the floors.
 * @throws TrustError when a remembered file cannot be read.
 */
export async function readReplaced(
  replaced: Map<RoleName, VerifiedDelegation>,
  held: ReadonlyMap<RoleName, Uint8Array>,
  check: CheckFile,
  declared: DelegatedRole,
): Promise<void> {
  const { name: role, keys, threshold, paths } = declared;
  const bytes = held.get(role);
  if (bytes === undefined || !isLookedUpFirst(role)) return;
  const file = { kind: 'remembered', role, bytes, keys: NO_KEYS, meta: undefined } as const;
  const { metadata, sha256, content, signers } = await check(file);
  const remembered = { role, metadata, keys: { keys, threshold }, bytes, sha256, content, signers, paths };
  replaced.set(role, remembered);
  for (const below of metadata.delegations) {
    if (!held.has(below.name) || replaced.has(below.name)) continue;
    await readReplaced(replaced, held, check, { ...below, paths: permittedBy(remembered, below) });
  }
}

/** The paths of a delegation, cut down to what the role that declares it may sign itself (notary-semantics.md §8). */
export function permittedBy(parent: VerifiedDelegation, { paths }: DelegatedRole): readonly string[] {
  return paths.filter((path) => parent.paths.some((allowed) => path.startsWith(allowed)));
}

function isLookedUpFirst(role: RoleName): boolean {
  return role === RELEASES || role.startsWith(`${RELEASES}/`);
}
