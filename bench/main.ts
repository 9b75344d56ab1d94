/**
 * `npm run bench [name]`: figures against the real parts, printed as ratios because machines differ. Exit 0 when
 * every bar was met, 1 when one was not, 2 when nothing could be measured.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanUp } from '../test/real/process.ts';
import { findPart, type Part } from '../test/real/programs.ts';
import { benchHostile } from './hostile.ts';
import { benchPull } from './pull.ts';
import { print, type Report, toText } from './report.ts';
import { benchTrust } from './trust.ts';

type Bench = { readonly needs: readonly Part[]; readonly run: () => Promise<Report> };

const BENCHES: ReadonlyMap<string, Bench> = new Map([
  ['pull', { needs: ['docker-registry', 'nginx', 'notary-server', 'notary', 'openssl'], run: benchPull }],
  ['trust', { needs: ['notary-server', 'notary', 'openssl'], run: benchTrust }],
  ['hostile', { needs: [], run: benchHostile }],
]);
const DEFAULT = 'pull';

/** From the repository's root, where npm starts it; beside what else is built, so that no check reads it. */
const RESULTS = join('.build', 'bench-results');

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  let met = true;
  for (const name of names.length === 0 ? [DEFAULT] : names) {
    const bench = BENCHES.get(name);
    if (bench === undefined) return fail(`no bench "${name}"; there is: ${[...BENCHES.keys()].join(', ')}`);
    const missing = bench.needs.filter((part) => findPart(part) === undefined);
    if (missing.length > 0) return fail(`${name} needs ${missing.join(', ')}: install them and run it again`);
    const report = await runToTheEnd(bench);
    print(toText(report));
    print(`raw figures: ${await keep(name, report)}\n`);
    met &&= report.bars.every(({ met }) => met);
  }
  return met ? 0 : 1;
}

/** Whatever was started is stopped, also after a failure. */
async function runToTheEnd(bench: Bench): Promise<Report> {
  try {
    return await bench.run();
  } finally {
    await cleanUp();
  }
}

function fail(message: string): number {
  process.stderr.write(`bench: ${message}\n`);
  return 2;
}

async function keep(name: string, report: Report): Promise<string> {
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, `${name}-${new Date().toISOString().replaceAll(':', '-')}.json`);
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
  return file;
}
