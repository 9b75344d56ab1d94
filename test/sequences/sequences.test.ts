import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { play } from './run.ts';
import { ALL, type Step, sequences } from './steps.ts';

const SEED = Number(process.env['PULLWARDEN_SEED'] ?? 20261125);
const RUNS = Number(process.env['PULLWARDEN_SEQUENCES'] ?? 300);

test('x', async () => {
  const t = process.cpuUsage();
  const w = Date.now();
  const details = await fc.check(
    fc.asyncProperty(sequences(ALL), async (steps) => (await play(steps, 'memory')) === undefined),
    { seed: SEED, numRuns: RUNS },
  );
  const u = process.cpuUsage(t);
  process.stdout.write(`runs ${details.numRuns} wall ${Date.now() - w} cpu ${(u.user + u.system) / 1000}\n`);
  if (details.counterexample) {
    const f = await play(details.counterexample[0] as Step[], 'memory');
    process.stdout.write(`${f?.violation}\n${f?.trace.join('\n')}\n`);
  }
  expect(details.failed).toBe(false);
}, 600_000);
