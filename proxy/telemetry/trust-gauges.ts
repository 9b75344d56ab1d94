/**
 * What is known about the age of trust data, per repository, as it may appear in metrics.
 *
 * A repository's name is a label value only when the configuration spells it out: a stranger can ask for any name,
 * and must not be able to create a series (peers.md §9.1). All others share the value `other`, which shows the
 * worst of those that are in use.
 */
import type { RoleStatus } from '../trust-client/types.ts';

/** The `repository` label of everything the configuration does not name. */
export const OTHER = 'other';

/** Most repositories, in number, that get series of their own; later ones in the configuration join `other`. */
export const MAX_NAMED_REPOSITORIES = 200;
/** Most repositories, in number, that are remembered for `other`; the one verified longest ago is dropped first. */
export const MAX_OTHER_REPOSITORIES = 10_000;
/**
 * A repository outside the configuration counts for `other` this long after its last pull, in milliseconds. An
 * idle one is left out: its timestamp expires only because no client pulls from it.
 */
export const IN_USE_MS = 24 * 60 * 60 * 1000;

export type RoleLabel = 'root' | 'timestamp' | 'snapshot' | 'targets' | 'delegation';

export type RoleSeries = { readonly repository: string; readonly role: RoleLabel; readonly value: number };
export type RepositorySeries = { readonly repository: string; readonly value: number };

/** Values are Unix seconds, except versions. */
export type TrustSeries = {
  readonly expiry: readonly RoleSeries[];
  readonly versions: readonly RoleSeries[];
  readonly lastSuccess: readonly RepositorySeries[];
};

export interface TrustGauges {
  /** The configuration's patterns, `<registry>/<repository>`; those without a wildcard name a repository. */
  nameRepositories(patterns: readonly string[]): void;
  verified(gun: string, roles: readonly RoleStatus[], at: Date): void;
  /** A client pulled from this repository. */
  used(gun: string, at: Date): void;
  series(now: Date): TrustSeries;
}

type Seen = {
  readonly roles: ReadonlyMap<RoleLabel, { readonly expires: number; readonly version: number }>;
  readonly verifiedAt: number;
  usedAt: number;
};

export function createTrustGauges(): TrustGauges {
  const seen = new Map<string, Seen>();
  let named: ReadonlySet<string> = new Set();
  return {
    nameRepositories: (patterns) => {
      named = literalRepositories(patterns);
    },
    verified: (gun, roles, at) => {
      seen.delete(gun);
      seen.set(gun, { roles: foldRoles(roles), verifiedAt: at.getTime(), usedAt: at.getTime() });
      if (seen.size > MAX_NAMED_REPOSITORIES + MAX_OTHER_REPOSITORIES) dropOldest(seen, named);
    },
    used: (gun, at) => {
      const entry = seen.get(gun);
      if (entry !== undefined) entry.usedAt = at.getTime();
    },
    series: (now) => toSeries(seen, named, now.getTime()),
  };
}

export function literalRepositories(patterns: readonly string[]): ReadonlySet<string> {
  return new Set(
    [...new Set(patterns)].filter((text) => !text.includes('*')).slice(0, MAX_NAMED_REPOSITORIES),
  );
}

function dropOldest(seen: Map<string, Seen>, named: ReadonlySet<string>): void {
  for (const gun of seen.keys()) {
    if (named.has(gun)) continue;
    seen.delete(gun);
    return;
  }
}

/** Delegation names come from outside, so they share one label value: first expiry, highest version. */
function foldRoles(roles: readonly RoleStatus[]): Seen['roles'] {
  const folded = new Map<RoleLabel, { expires: number; version: number }>();
  for (const { role, expires, version, skipped } of roles) {
    // A role that was never verified has no value; an expired delegation must show.
    if (skipped === 'absent' || skipped === 'threshold') continue;
    const label = toRoleLabel(role);
    const known = folded.get(label);
    const seconds = expires.getTime() / 1000;
    folded.set(label, {
      expires: Math.min(known?.expires ?? seconds, seconds),
      version: Math.max(known?.version ?? version, version),
    });
  }
  return folded;
}

function toRoleLabel(role: string): RoleLabel {
  return role === 'root' || role === 'timestamp' || role === 'snapshot' || role === 'targets'
    ? role
    : 'delegation';
}

function toSeries(seen: ReadonlyMap<string, Seen>, named: ReadonlySet<string>, now: number): TrustSeries {
  const expiry: RoleSeries[] = [];
  const versions: RoleSeries[] = [];
  const lastSuccess: RepositorySeries[] = [];
  const otherExpiry = new Map<RoleLabel, number>();
  let otherSuccess: number | undefined;
  for (const [repository, { roles, verifiedAt, usedAt }] of seen) {
    const isNamed = named.has(repository);
    if (!isNamed && now - usedAt > IN_USE_MS) continue;
    for (const [role, { expires, version }] of roles) {
      if (!isNamed) otherExpiry.set(role, Math.min(otherExpiry.get(role) ?? expires, expires));
      else {
        expiry.push({ repository, role, value: expires });
        versions.push({ repository, role, value: version });
      }
    }
    if (isNamed) lastSuccess.push({ repository, value: verifiedAt / 1000 });
    else otherSuccess = Math.min(otherSuccess ?? verifiedAt, verifiedAt);
  }
  for (const [role, value] of otherExpiry) expiry.push({ repository: OTHER, role, value });
  if (otherSuccess !== undefined) lastSuccess.push({ repository: OTHER, value: otherSuccess / 1000 });
  return { expiry, versions, lastSuccess };
}
