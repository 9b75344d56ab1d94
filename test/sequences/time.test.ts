/** What happens in a sequence depends on its steps alone: otherwise a failure comes back only on a machine as slow. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Store } from './fleet.ts';
import { play } from './run.ts';
import { type Step, sequences } from './steps.ts';
import { EVERYTHING, SUITES } from './suites.ts';

const root = mkdtempSync(join(tmpdir(), 'sequences-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

async function traceOf(steps: readonly Step[], kind: 'memory' | 'files'): Promise<readonly string[]> {
  folders += 1;
  const store: Store = kind === 'memory' ? 'memory' : { folder: join(root, `${folders}`) };
  return (await play(steps, store)).trace;
}

/** As on a machine where something else runs most of the time: each turn of the loop comes this much later, in ms. */
async function slowly<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let turn = setImmediate(function again() {
    const until = performance.now() + ms;
    while (performance.now() < until);
    turn = setImmediate(again);
  });
  return await work().finally(() => clearImmediate(turn));
}

const OVERTAKEN = SUITES.find(({ name }) => name.includes('overtaken')) ?? EVERYTHING;

describe.each(['memory', 'files'] as const)('on a slow machine, state in %s', (kind) => {
  test.each([EVERYTHING, OVERTAKEN])('$name', async ({ weights, isAlone }) => {
    for (const steps of fc.sample(sequences(weights, isAlone), { numRuns: 3, seed: 7 })) {
      const trace = await traceOf(steps, kind);
      expect(await slowly(2, () => traceOf(steps, kind))).toEqual(trace);
    }
  });
});

test('a pull whose question is held is answered when its patience ends, and not before', async () => {
  const pull: Step = { do: 'pull', by: 'A', tag: 'a', wait: 0 };
  const held: Step = { do: 'hold', by: 'A', on: 'timestamp' };
  const later: Step = { ...pull, wait: 6 };
  expect((await traceOf([pull, held, pull, { do: 'release' }], 'memory')).slice(2)).toEqual([
    'hold, by A, on timestamp',
    '   … is still waiting',
    'pull, by A, tag a, wait 0',
    '   … is still waiting',
    'release',
    expect.stringContaining('→ A: cold'),
    expect.stringContaining('→ A: cold'),
  ]);
  expect((await traceOf([pull, held, later], 'memory')).slice(2)).toEqual([
    'hold, by A, on timestamp',
    '   … is still waiting',
    'pull, by A, tag a, wait 6',
    expect.stringContaining('→ A: stale'),
    '   … is still waiting',
    expect.stringContaining('→ A: '),
  ]);
});
