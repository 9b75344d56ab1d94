/** Our view of a repository against `docker trust inspect`: digests, signers, and keys. */
import { RELEASES } from '../../../proxy/trust-client/replaced.ts';
import type { TrustInspection } from '../docker.ts';
import type { ListedTarget } from '../notary.ts';
import { isUnderSigned } from './compare-notary.ts';
import type { Findings } from './findings.ts';
import type { DifferenceName } from './known-differences.ts';
import type { NotaryView, OurView } from './views.ts';

export interface DockerEvidence {
  readonly inspected: TrustInspection;
  /** What notary says of the same repository at the same time. */
  readonly notary: NotaryView;
  /** What notary lists of one role, where it does respect the paths of delegations. */
  listRole(role: string): Promise<ReadonlyMap<string, ListedTarget>>;
  /** One tag, for which Docker respects the paths too. */
  inspectTag(tag: string): Promise<readonly Row[]>;
}

type Row = TrustInspection['SignedTags'][number];

const REPOSITORY_ADMIN = 'Repo Admin';

export async function compareWithDocker(
  label: string,
  ours: OurView,
  evidence: DockerEvidence,
  findings: Findings,
): Promise<void> {
  const rows = evidence.inspected.SignedTags;
  for (const [tag, { digest }] of ours.targets) {
    if (rows.some((row) => row.SignedTag === tag && `sha256:${row.Digest}` === digest)) continue;
    findings.settle(undefined, `${label} ${tag}: ours ${digest}, not in docker trust inspect`);
  }
  for (const row of rows) {
    findings.targets += 1;
    await compareRow(label, ours, row, evidence, findings);
  }
  await compareOneTag(label, ours, evidence, findings);
  compareKeys(label, ours, evidence.inspected, findings);
}

/** The last tag that has signers: asked for by itself, its signers are ours, whatever the paths. */
async function compareOneTag(
  label: string,
  ours: OurView,
  { inspected, inspectTag }: DockerEvidence,
  findings: Findings,
): Promise<void> {
  const signed = inspected.SignedTags.filter((row) => signersOf(row).length > 0);
  const tag = signed.at(-1)?.SignedTag ?? '';
  const our = ours.targets.get(tag);
  if (our === undefined) return;
  findings.targets += 1;
  const row = (await inspectTag(tag)).find(({ Digest }) => `sha256:${Digest}` === our.digest);
  const their = row && signersOf(row).filter((signer) => !isUnderSigned(ours, `targets/${signer}`));
  if (their !== undefined && sameNames(our.signers, their)) return;
  findings.settle(
    undefined,
    `${label} ${tag}: ours by ${our.signers.join(', ')}, docker by ${their?.join(', ')}`,
  );
}

async function compareRow(
  label: string,
  ours: OurView,
  row: Row,
  evidence: DockerEvidence,
  findings: Findings,
): Promise<void> {
  const our = ours.targets.get(row.SignedTag);
  const what = `${label} ${row.SignedTag}: docker trust inspect ${row.Digest} by ${row.Signers.join(', ')}`;
  if (our?.digest !== `sha256:${row.Digest}`) {
    findings.settle(explainRow(ours, row, evidence), `${what}, ours ${our?.digest ?? 'nothing'}`);
    return;
  }
  if (sameNames(our.signers, signersOf(row))) return;
  findings.settle(await explainSigners(ours, row, evidence), `${what}, ours by ${our.signers.join(', ')}`);
}

/** Docker shows what is in `targets` or in `targets/releases`; notary shows which of them it is. */
function explainRow(ours: OurView, row: Row, { notary }: DockerEvidence): DifferenceName | undefined {
  const [listed, first] = [notary.listed.get(row.SignedTag), notary.byDefault.get(row.SignedTag)];
  if (row.Digest === '') return 'no sha256';
  if (ours.refused?.has(row.SignedTag) === true) return 'delegation keys replaced';
  if (listed !== undefined && isUnderSigned(ours, listed.role)) return 'one key twice';
  const isInTargets = first?.role === 'targets' && first.digest === row.Digest;
  // It is in `targets/releases` then, which comes first for us, unless it may not name the tag.
  if (!isInTargets) return listed?.role === RELEASES ? undefined : 'inspect ignores paths';
  if (listed?.role === 'targets') return undefined;
  if (ours.targets.has(row.SignedTag)) return 'inspect shows every role';
  if (listed?.digest === '') return 'no sha256';
  return listed?.role.startsWith(`${RELEASES}/`) === true ? 'hidden below releases' : undefined;
}

async function explainSigners(
  ours: OurView,
  row: Row,
  evidence: DockerEvidence,
): Promise<DifferenceName | undefined> {
  const our = ours.targets.get(row.SignedTag)?.signers ?? [];
  const more = signersOf(row).filter((signer) => !our.includes(signer));
  if (our.some((signer) => !row.Signers.includes(signer))) return undefined;
  if (more.every((signer) => isUnderSigned(ours, `targets/${signer}`))) return 'one key twice';
  for (const signer of more) {
    const role = `targets/${signer}`;
    const listed = (await evidence.listRole(role)).get(row.SignedTag);
    if (listed?.role === role && listed.digest === row.Digest) return undefined;
  }
  return 'inspect ignores paths';
}

/** Who may sign: each signer's keys, and those of root and targets. */
function compareKeys(label: string, ours: OurView, inspected: TrustInspection, findings: Findings): void {
  const { roles } = ours.trust;
  const signers = roles.filter(({ role }) => role.startsWith('targets/') && role !== RELEASES);
  const ourKeys = new Map([
    ...signers.map((it) => [it.role.slice('targets/'.length), sorted(it.canonicalKeyIds)] as const),
    ...roles.filter(({ role }) => role === 'root').map((it) => ['Root', sorted(it.keyIds)] as const),
    ...roles.filter(({ role }) => role === 'targets').map((it) => ['Repository', sorted(it.keyIds)] as const),
  ]);
  const named = [...inspected.Signers, ...inspected.AdministrativeKeys];
  const theirKeys = new Map(named.map(({ Name, Keys }) => [Name, sorted(Keys.map(({ ID }) => ID))] as const));
  for (const name of new Set([...ourKeys.keys(), ...theirKeys.keys()])) {
    const [our, their] = [ourKeys.get(name) ?? 'none', theirKeys.get(name) ?? 'none'];
    if (our === their) continue;
    const isBelowUnderSigned = our === 'none' && isUnderSigned(ours, `targets/${name}`);
    findings.settle(
      isBelowUnderSigned ? 'one key twice' : undefined,
      `${label}: keys of ${name} are ${our}, for docker ${their}`,
    );
  }
}

function signersOf({ Signers }: Row): readonly string[] {
  return Signers.filter((signer) => signer !== REPOSITORY_ADMIN);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return sorted(a) === sorted(b);
}

function sorted(names: readonly string[]): string {
  return [...names].sort().join(' ');
}
