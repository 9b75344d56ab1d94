/**
 * `npm run test:mutation [-- group …] [-- Stryker's own options]`: runs Stryker once for each group, all of them when
 * none is named, and prints their scores. A group below its least score fails the run.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { GROUPS } from './groups.js';

const REPORT = '.build/mutation.json';

function runGroup(name, options) {
  const config = 'test/mutation/stryker.config.js';
  const { status } = spawnSync('stryker', ['run', config, ...options], {
    stdio: 'inherit',
    env: { ...process.env, MUTATION_GROUP: name },
  });
  if (status !== 0 && status !== 1) throw new Error(`Stryker ended with ${status} in ${name}`);
  const report = `.build/mutation-${name}.json`;
  renameSync(REPORT, report);
  const { files } = JSON.parse(readFileSync(report, 'utf8'));
  return { name, report, ...scoreOf(Object.values(files).flatMap(({ mutants }) => mutants)) };
}

/** As Stryker counts: what a test noticed or what never ended, of all that was tried. */
function scoreOf(mutants) {
  const count = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length;
  const noticed = count('Killed', 'Timeout');
  const all = noticed + count('Survived', 'NoCoverage');
  return { noticed, all, score: (100 * noticed) / all };
}

function main(args) {
  const named = args.filter((arg) => Object.hasOwn(GROUPS, arg));
  const options = args.filter((arg) => !Object.hasOwn(GROUPS, arg));
  if (options.length > 0 && !options[0].startsWith('-')) {
    throw new Error(`unknown group ${options[0]}: expected ${Object.keys(GROUPS).join(', ')}`);
  }
  const scores = (named.length > 0 ? named : Object.keys(GROUPS)).map((name) => runGroup(name, options));
  for (const { name, noticed, all, score, report } of scores) {
    const { least } = GROUPS[name];
    const verdict = score >= least ? 'at least' : 'BELOW';
    process.stdout.write(
      `${name}: ${score.toFixed(2)} % (${noticed} of ${all} mutants), ${verdict} ${least} % · ${report}\n`,
    );
  }
  process.exitCode = scores.every(({ name, score }) => score >= GROUPS[name].least) ? 0 : 1;
}

main(process.argv.slice(2));
