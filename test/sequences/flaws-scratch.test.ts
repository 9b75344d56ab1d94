import { mkdtempSync, rmSync } from 'node:fs';
import { test } from '@jest/globals';
import fc from 'fast-check';
import { type Kind, play } from './run.ts';
import { type Step, sequences } from './steps.ts';
import { SUITES } from './suites.ts';

const SEED = Number(process.env['PULLWARDEN_SEED'] ?? 20261125);
const RUNS = Number(process.env['PULLWARDEN_SEQUENCES'] ?? 300);
const KINDS = (process.env['KINDS']?.split(',') ?? ['less', 'broken']) as Kind[];
const ONLY = process.env['ONLY'];
const FILE = process.env['FILE'];
const dir = mkdtempSync('/dev/shm/pws-');
let n = 0;
const store = () => (FILE ? { folder: `${dir}/${n++}` } : ('memory' as const));

for (const suite of SUITES)
  test(suite.name, async () => {
    if (ONLY && !suite.name.includes(ONLY)) return;
    const t = process.cpuUsage();
    const w = Date.now();
    const details = await fc.check(
      fc.asyncProperty(
        sequences(suite.weights),
        async (steps) => (await play(steps, store(), KINDS)) === undefined,
      ),
      { seed: SEED, numRuns: RUNS },
    );
    const u = process.cpuUsage(t);
    process.stdout.write(
      `\n=== ${suite.name}: runs ${details.numRuns} shrinks ${details.numShrinks} wall ${Date.now() - w} cpu ${(u.user + u.system) / 1000}\n`,
    );
    if (details.counterexample) {
      const f = await play(details.counterexample[0] as Step[], store(), KINDS);
      process.stdout.write(`${f?.violation}\n${f?.trace.join('\n')}\n`);
    }
    rmSync(dir, { recursive: true, force: true });
  }, 600_000);
