/** Every file of the fuzzer's corpus in the place of every role, and a short run of the fuzzer itself. */
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { readCorpus } from './corpus.ts';
import { Generator, inputsOf } from './generate.ts';
import { Random } from './random.ts';
import { FuzzTarget } from './target.ts';

const SHORT_RUN = 150;
const corpus = readCorpus(join(import.meta.dirname, '../..'));
let target: FuzzTarget;

beforeAll(async () => {
  target = await FuzzTarget.create();
});

test('the corpus is there', () => {
  expect(corpus.length).toBeGreaterThan(50);
});

const own = corpus.filter(({ name }) => name.startsWith('test/fuzz/'));

test.each(own.map(({ name, bytes }) => [name, bytes] as const))('%s', async (_name, bytes) => {
  for (const input of inputsOf(bytes)) {
    const { role, mode } = input;
    expect({ role, mode, ...(await target.run(input)) }).not.toHaveProperty('failure');
  }
});

test(`${SHORT_RUN} mutated inputs`, async () => {
  const generator = new Generator(
    new Random(1),
    target,
    corpus.map(({ bytes }) => bytes),
  );
  for (let skipped = corpus.length * inputsOf(Buffer.alloc(0)).length; skipped > 0; skipped -= 1)
    generator.next();
  for (let run = 0; run < SHORT_RUN; run += 1) {
    const input = generator.next();
    const verdict = await target.run(input);
    generator.learn(input, verdict.label);
    expect({ ...input, ...verdict }).not.toHaveProperty('failure');
  }
});
