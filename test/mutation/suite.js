/** The tests of one group, loaded once into this process, to be run in any choice and as often as one likes. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getState, resetState } from 'jest-circus';
import { currentGroup } from './groups.js';

/**
 * A test of one file. `blocks` are the describe blocks it stands in, from the outside in.
 *
 * @typedef {{ id: string, fn: () => unknown, blocks: readonly object[] }} Test
 */

/** @returns {Promise<readonly Test[]>} in the order of the files */
export async function loadTests() {
  const { tests: folders, leftOut } = currentGroup();
  const tests = [];
  for (const folder of folders) {
    const url = new URL(`../${folder}/`, import.meta.url);
    const files = readdirSync(fileURLToPath(url)).filter((name) => name.endsWith('.test.ts'));
    for (const file of files) {
      if (leftOut.includes(nameOf(file))) continue;
      // A file of its own for jest: its outermost hooks are not those of the next one.
      resetState();
      await import(new URL(file, url).href);
      collect(getState().rootDescribeBlock, [], `${folder}/${nameOf(file)}`, tests);
    }
  }
  return tests;
}

function nameOf(file) {
  return file.replace('.test.ts', '');
}

function collect(block, around, name, tests) {
  const blocks = [...around, block];
  for (const child of block.children) {
    const path = `${name} › ${child.name}`;
    if (child.type === 'describeBlock') collect(child, blocks, path, tests);
    else tests.push({ id: `${path} (${tests.length + 1})`, fn: child.fn, blocks });
  }
}

const begun = new Set();

/** Runs one test with its hooks; throws what it throws. Hooks of a whole block run before the first test in it. */
export async function runTest({ fn, blocks }) {
  for (const block of blocks) {
    if (!begun.has(block)) await runHooks(block, 'beforeAll');
    begun.add(block);
  }
  for (const block of blocks) await runHooks(block, 'beforeEach');
  try {
    await fn();
  } finally {
    for (const block of blocks.toReversed()) await runHooks(block, 'afterEach');
  }
}

async function runHooks({ hooks }, type) {
  for (const hook of hooks) if (hook.type === type) await hook.fn();
}
