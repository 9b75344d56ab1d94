/** Plays many sequences of one mix, and shows the shortest one that fails as a person would tell it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from '@jest/globals';
import fc from 'fast-check';
import type { Store } from './fleet.ts';
import { ALL_KINDS, type Report } from './report.ts';
import { play } from './run.ts';
import { describe, type Step, sequences } from './steps.ts';
import { EVERYTHING, SUITES, type Suite } from './suites.ts';

/**
 * Sequences of a run, half of them with the state in memory, two caches over one state, and half with it in a folder, two
 * processes with a state each over the same files: `PULLWARDEN_SEQUENCES`.
 */
const TOTAL = Number(process.env['PULLWARDEN_SEQUENCES'] ?? 400);
/** `PULLWARDEN_SEED`: a number, or `random`. */
const WANTED_SEED = process.env['PULLWARDEN_SEED'] ?? '20261125';
const SEED = WANTED_SEED === 'random' ? Date.now() % 2 ** 31 : Number(WANTED_SEED);
/** `PULLWARDEN_MIX`: only the mixes with this in their name, each with the whole number of sequences. */
const ONLY = process.env['PULLWARDEN_MIX'];
/** `PULLWARDEN_JUDGED`: only these promises of report.ts, with commas. */
const JUDGED = process.env['PULLWARDEN_JUDGED']?.split(',');
/** `PULLWARDEN_VIOLATION`: only what says this counts, to look for one flaw among others. */
const WANTED = process.env['PULLWARDEN_VIOLATION'] ?? '';
const LIMIT_MS = 3_600_000;
const MEMORY_DISK = '/dev/shm';

/**
 * Two files share the work, so that two cores have as much of it: where one plays a mix in memory, the other plays it with
 * files.
 */
export function checkSequences({ everything }: { readonly everything: 'memory' | 'files' }): void {
  const root = mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'sequences-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  let count = 0;
  const stores = {
    memory: (): Store => 'memory',
    files: (): Store => {
      count += 1;
      return { folder: join(root, `${count}`) };
    },
  };
  const chosen = SUITES.filter(({ name }) => ONLY === undefined || name.includes(ONLY));
  for (const suite of chosen) {
    const part = ONLY === undefined ? suite.share / 100 : 1 / chosen.length;
    const runs = Math.max(1, Math.round((TOTAL / 2) * part));
    const kind = (suite === EVERYTHING) === (everything === 'memory') ? 'memory' : 'files';
    test(
      `${runs} sequences, state in ${kind}: ${suite.name}`,
      () => checkSuite(suite, stores[kind], runs),
      LIMIT_MS,
    );
  }
}

async function checkSuite(suite: Suite, newStore: () => Store, runs: number): Promise<void> {
  const judged = ALL_KINDS.filter((kind) => JUDGED === undefined || JUDGED.includes(kind));
  /** Told when the shortest sequence does not fail again. */
  let last: Report | undefined;
  const attempt = async (steps: readonly Step[]): Promise<Report | undefined> => {
    const store = newStore();
    try {
      const report = await play(steps, store, judged);
      const isWanted = report.violation?.includes(WANTED) === true;
      if (isWanted) last = report;
      return isWanted ? report : undefined;
    } finally {
      if (store !== 'memory') rmSync(store.folder, { recursive: true, force: true });
    }
  };
  const property = fc.asyncProperty(sequences(suite.weights, suite.isAlone), async (steps) => {
    return (await attempt(steps)) === undefined;
  });
  const details = await fc.check(property, { seed: SEED, numRuns: runs });
  process.stdout.write(`sequences: ${details.numRuns} of "${suite.name}", seed ${SEED}\n`);
  const [steps] = details.counterexample ?? [];
  if (steps === undefined) return;
  const again = await attempt(steps);
  const report = again ?? last;
  throw new Error(
    `${again === undefined ? 'fails only sometimes: ' : ''}${report?.violation} (seed ${SEED}, mix "${suite.name}", ` +
      `${details.numShrinks} times shortened):\n${(report?.trace ?? steps.map(describe)).join('\n')}`,
  );
}
