/** Our view of a repository against `notary list` and `notary lookup`, tag by tag. */
import type { TrustedTarget } from '../../../proxy/trust-client/types.ts';
import { DOCKER_ORDER, type ListedTarget } from '../notary.ts';
import type { Findings } from './findings.ts';
import type { DifferenceName } from './known-differences.ts';
import type { NotaryView, OurView } from './views.ts';

export function compareWithNotary(
  label: string,
  ours: OurView,
  notary: NotaryView,
  findings: Findings,
): void {
  for (const tag of new Set([...ours.targets.keys(), ...notary.listed.keys()])) {
    findings.targets += 1;
    const [our, row] = [ours.targets.get(tag), notary.listed.get(tag)];
    if (isSame(our, row)) continue;
    findings.settle(
      row && explainRow(ours, our, row, notary),
      `${label} ${tag}: ours ${show(our)}, notary list ${show(row)}`,
    );
  }
  for (const [tag, digest] of notary.lookups) {
    findings.targets += 1;
    const our = ours.targets.get(tag);
    if (our?.digest === toDigest(digest)) continue;
    findings.settle(
      explainLookup(ours, tag, digest, notary),
      `${label} ${tag}: ours ${show(our)}, notary lookup ${digest}`,
    );
  }
}

function isSame(our: TrustedTarget | undefined, row: ListedTarget | undefined): boolean {
  return (
    our?.digest === toDigest(row?.digest) &&
    our?.length === row?.size &&
    our?.role === row?.role &&
    our?.name === row?.name
  );
}

function explainRow(
  ours: OurView,
  our: TrustedTarget | undefined,
  row: ListedTarget,
  notary: NotaryView,
): DifferenceName | undefined {
  if (isUnderSigned(ours, row.role)) {
    // We go on as if the delegation were not there: to `targets`, which notary prefers when it is not asked for roles.
    const next = notary.byDefault.get(row.name);
    const fallsThrough = next?.role === 'targets' && isSame(our, next);
    return our === undefined || fallsThrough ? 'one key twice' : undefined;
  }
  if (our !== undefined) return undefined;
  if (!DOCKER_ORDER.includes(row.role)) return 'third role';
  return row.digest === '' ? 'no sha256' : undefined;
}

function explainLookup(
  ours: OurView,
  tag: string,
  digest: string | undefined,
  notary: NotaryView,
): DifferenceName | undefined {
  const [first, row] = [notary.byDefault.get(tag), notary.listed.get(tag)];
  // Both take the first role by default; if they differed, no order would explain it.
  if (first === undefined || row === undefined || toDigest(digest) !== toDigest(first.digest))
    return undefined;
  if (first.role !== row.role) return 'lookup order';
  return explainRow(ours, ours.targets.get(tag), row, notary);
}

/** Passed over by us for its threshold, itself or a role above it. */
export function isUnderSigned(ours: OurView, role: string): boolean {
  return ours.trust.roles.some(
    (status) =>
      status.skipped === 'threshold' && (role === status.role || role.startsWith(`${status.role}/`)),
  );
}

function toDigest(hex: string | undefined): string | undefined {
  return hex === undefined || hex === '' ? undefined : `sha256:${hex}`;
}

function show(target: { readonly digest: string; readonly role: string } | undefined): string {
  return target === undefined ? 'nothing' : `${target.role} ${target.digest}`;
}
