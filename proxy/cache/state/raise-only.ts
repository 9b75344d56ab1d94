/** The rule every trust state keeps, whatever it stores entries in: an entry only rises. Pure. */
import type { Gun } from '../../names/reference.ts';
import { TrustError } from '../../trust-client/errors.ts';
import type { RoleName, StoredTrust } from '../../trust-client/types.ts';

/**
 * Refuses to replace `before` by `after` when that takes a root away or lowers a role's version. An update that
 * judged by `before` never asks for that: it is the last line, for mistakes of our own.
 *
 * @param fallen roles whose keys were replaced, so that their floor may go down, and delegations that are declared no more
 *   and may be forgotten.
 * @throws TrustError (`state`).
 */
export function requireNotLower(
  gun: Gun,
  before: StoredTrust,
  after: StoredTrust,
  fallen: ReadonlySet<RoleName> = new Set(),
): void {
  for (const [index, root] of before.roots.entries()) {
    const kept = after.roots[index];
    if (kept === undefined || Buffer.compare(kept, root) !== 0)
      throw lowers(gun, `root ${index + 1} would go`);
  }
  for (const [role, { version }] of before.floors) {
    const next = after.floors.get(role)?.version;
    if (next === undefined && fallen.has(role)) continue;
    if (next === undefined) throw lowers(gun, `the version of ${role} would be forgotten`);
    if (next < version && !fallen.has(role)) throw lowers(gun, `${role} would go from ${version} to ${next}`);
  }
}

function lowers(gun: Gun, what: string): TrustError {
  return new TrustError(
    'trust_unreachable',
    'state',
    `what is remembered of ${gun} may only rise, but ${what}; nothing was written, the entry stays as it was`,
  );
}
