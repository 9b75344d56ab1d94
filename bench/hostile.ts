/** What a hostile side may cost, one scenario after the other; each starts and stops its own parts. */
import { benchDelegations } from './hostile/delegations.ts';
import { benchReaders } from './hostile/readers.ts';
import { describeMachine, type Report } from './report.ts';

const SCENARIOS: readonly (() => Promise<Report>)[] = [benchDelegations, benchReaders];

export async function benchHostile(): Promise<Report> {
  const machine = describeMachine();
  const reports: Report[] = [];
  for (const run of SCENARIOS) reports.push(await run());
  return {
    machine,
    tables: reports.flatMap(({ tables }) => tables),
    bars: reports.flatMap(({ bars }) => bars),
  };
}
