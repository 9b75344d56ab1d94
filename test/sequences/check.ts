/** Plays many sequences of one mix, and shows the shortest one that fails as a person would tell it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from '@jest/globals';
import fc from 'fast-check';
import { ALL_KINDS, type Finding, play, type Store } from './run.ts';
import { describe, type Step, sequences } from './steps.ts';
import { SUITES, type Suite } from './suites.ts';

/** Sequences of a run over both kinds of state: `PULLWARDEN_SEQUENCES`. */
const TOTAL = Number(process.env['PULLWARDEN_SEQUENCES'] ?? 400);
/** `PULLWARDEN_SEED`: a number, or `random`. */
const WANTED_SEED = process.env['PULLWARDEN_SEED'] ?? '20261125';
const SEED = WANTED_SEED === 'random' ? Date.now() % 2 ** 31 : Number(WANTED_SEED);
/** `PULLWARDEN_MIX`: only the mixes with this in their name, each with the whole number of sequences. */
const ONLY = process.env['PULLWARDEN_MIX'];
/** `PULLWARDEN_JUDGED`: only these promises of run.ts, with commas. */
const JUDGED = process.env['PULLWARDEN_JUDGED']?.split(',');
/** `PULLWARDEN_VIOLATION`: only what says this counts, to look for one flaw among others. */
const WANTED = process.env['PULLWARDEN_VIOLATION'] ?? '';
const LIMIT_MS = 600_000;
const MEMORY_DISK = '/dev/shm';

/** @param share of all sequences */
export function checkSequences(kind: 'memory' | 'files', share: number): void {
  const root =
    kind === 'files' ? mkdtempSync(join(existsSync(MEMORY_DISK) ? MEMORY_DISK : tmpdir(), 'sequences-')) : '';
  let count = 0;
  const newStore = (): Store => {
    count += 1;
    return kind === 'memory' ? 'memory' : { folder: join(root, `${count}`) };
  };
  afterAll(() => {
    if (kind === 'files') rmSync(root, { recursive: true, force: true });
  });
  const chosen = SUITES.filter(({ name }) => ONLY === undefined || name.includes(ONLY));
  for (const suite of chosen) {
    const part = ONLY === undefined ? suite.share / 100 : 1 / chosen.length;
    const runs = Math.max(1, Math.round(TOTAL * share * part));
    test(`${runs} sequences: ${suite.name}`, () => checkSuite(suite, newStore, runs), LIMIT_MS);
  }
}

async function checkSuite(suite: Suite, newStore: () => Store, runs: number): Promise<void> {
  const judged = ALL_KINDS.filter((kind) => JUDGED === undefined || JUDGED.includes(kind));
  /** Told when the shortest sequence does not fail again. */
  let last: Finding | undefined;
  const attempt = async (steps: readonly Step[]): Promise<Finding | undefined> => {
    const store = newStore();
    try {
      const finding = await play(steps, store, judged);
      const isWanted = finding?.violation.includes(WANTED) === true;
      if (isWanted) last = finding;
      return isWanted ? finding : undefined;
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
  const finding = again ?? last;
  throw new Error(
    `${again === undefined ? 'fails only sometimes: ' : ''}${finding?.violation} (seed ${SEED}, mix "${suite.name}", ` +
      `${details.numShrinks} times shortened):\n${(finding?.trace ?? steps.map(describe)).join('\n')}`,
  );
}
