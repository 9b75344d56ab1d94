/** What a hostile side may cost, one part after the other; each starts and stops what it needs. */
import { cleanUp } from '../test/real/process.ts';
import { benchDelegations } from './hostile/delegations.ts';
import { benchNames } from './hostile/names.ts';
import { benchReaders } from './hostile/readers.ts';
import { benchTags } from './hostile/tags.ts';
import { describeMachine, type Report } from './report.ts';

const PARTS: ReadonlyMap<string, () => Promise<Report>> = new Map([
  ['tags', benchTags],
  ['delegations', benchDelegations],
  ['readers', benchReaders],
  ['names', benchNames],
]);

export const HOSTILE_PARTS: readonly string[] = [...PARTS.keys()];

/** @param names the parts to run; none: all. */
export async function benchHostile(names: readonly string[]): Promise<Report> {
  const machine = describeMachine();
  const reports: Report[] = [];
  for (const [name, run] of PARTS) {
    if (names.length > 0 && !names.includes(name)) continue;
    process.stdout.write(`hostile: ${name} …\n`);
    reports.push(await run());
    // The next part has the machine to itself.
    await cleanUp();
  }
  return {
    machine,
    tables: reports.flatMap(({ tables }) => tables),
    bars: reports.flatMap(({ bars }) => bars),
  };
}
