/** Our view of a repository against what `docker pull` with content trust takes: the answer that counts. */
import type { DockerClient } from '../docker.ts';
import { DOCKER_ORDER } from '../notary.ts';
import { isUnderSigned } from './compare-notary.ts';
import type { Findings } from './findings.ts';
import type { DifferenceName } from './known-differences.ts';
import type { NotaryView, OurView } from './views.ts';

/** A process each. */
const PULLED = 2;

/** Pulls the tags over which the programs differ, or any one where there are none. */
export async function compareWithPull(
  label: string,
  ours: OurView,
  notary: NotaryView,
  pull: (tag: string) => Promise<string | undefined>,
  findings: Findings,
): Promise<void> {
  for (const tag of chooseTags(notary)) {
    findings.targets += 1;
    const [our, pulled] = [ours.targets.get(tag)?.digest, await pull(tag)];
    if (our === pulled) continue;
    findings.settle(explain(ours, tag, notary), `${label} ${tag}: ours ${our}, docker pull ${pulled}`);
  }
}

function explain(ours: OurView, tag: string, { listed }: NotaryView): DifferenceName | undefined {
  if (ours.refused?.has(tag) === true) return 'delegation keys replaced';
  const row = listed.get(tag);
  return row !== undefined && isUnderSigned(ours, row.role) ? 'one key twice' : undefined;
}

function chooseTags({ listed, byDefault }: NotaryView): readonly string[] {
  const rows = [...listed.values()];
  const unclear = rows.filter(
    ({ name, digest, role }) =>
      !DOCKER_ORDER.includes(role) || digest === '' || digest !== byDefault.get(name)?.digest,
  );
  const chosen = unclear.length > 0 ? unclear : rows.slice(0, 1);
  return [...new Set([chosen[0], chosen.at(-1)])].flatMap((row) => row?.name ?? []).slice(0, PULLED);
}

/**
 * What Docker says it pulls, before it asks its daemon, of which this client needs none.
 *
 * @returns undefined when it refuses the tag for its trust data.
 */
export async function readPull(docker: DockerClient, reference: string): Promise<string | undefined> {
  const { stdout, stderr } = await docker.pull(reference, { contentTrust: true });
  const digest = /^Pull \(1 of 1\): .*@(sha256:[0-9a-f]{64})$/m.exec(stdout)?.[1];
  if (digest !== undefined) return digest;
  if (/no (?:valid )?trust data for|no valid hash, expecting sha256/i.test(stderr)) return undefined;
  throw new Error(`docker pull ${reference}: ${stdout}${stderr}`);
}
