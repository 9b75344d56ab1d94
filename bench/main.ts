/**
 * `npm run bench -- [name [part…]]…`: figures against the real parts, printed as ratios because machines differ. Exit 0
 * when every bar was met, 1 when one was not, 2 when nothing could be measured.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanUp } from '../test/real/process.ts';
import { findPart, type Part } from '../test/real/programs.ts';
import { benchHostile, HOSTILE_PARTS } from './hostile.ts';
import { benchPull } from './pull.ts';
import { print, type Report, toText } from './report.ts';
import { benchTrust } from './trust.ts';

type Bench = {
  readonly needs: readonly Part[];
  /** What of it can be run alone, by the name behind its own. */
  readonly parts?: readonly string[];
  /** @param parts those to run; none: all. */
  readonly run: (parts: readonly string[]) => Promise<Report>;
};

const BENCHES: ReadonlyMap<string, Bench> = new Map([
  ['pull', { needs: ['docker-registry', 'nginx', 'notary-server', 'notary', 'openssl'], run: benchPull }],
  ['trust', { needs: ['notary-server', 'notary', 'openssl'], run: benchTrust }],
  ['hostile', { needs: [], parts: HOSTILE_PARTS, run: benchHostile }],
]);
const DEFAULT = 'pull';

/** From the repository's root, where npm starts it; beside what else is built, so that no check reads it. */
const RESULTS = join('.build', 'bench-results');

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  let met = true;
  const left = names.length === 0 ? [DEFAULT] : [...names];
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const bench = BENCHES.get(name);
    if (bench === undefined) return fail(`no bench "${name}"; there is: ${listNames()}`);
    const parts: string[] = [];
    while (bench.parts?.includes(left[0] ?? '') === true) parts.push(left.shift() ?? '');
    const missing = bench.needs.filter((part) => findPart(part) === undefined);
    if (missing.length > 0) return fail(`${name} needs ${missing.join(', ')}: install them and run it again`);
    const report = await runToTheEnd(bench, parts);
    print(toText(report));
    print(`raw figures: ${await keep(name, report)}\n`);
    met &&= report.bars.every(({ met }) => met);
  }
  return met ? 0 : 1;
}

/** Whatever was started is stopped, also after a failure. */
async function runToTheEnd(bench: Bench, parts: readonly string[]): Promise<Report> {
  try {
    return await bench.run(parts);
  } finally {
    await cleanUp();
  }
}

function listNames(): string {
  const names = [...BENCHES].map(([name, { parts = [] }]) =>
    parts.length === 0 ? name : `${name} (or parts of it: ${parts.join(', ')})`,
  );
  return names.join(', ');
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
