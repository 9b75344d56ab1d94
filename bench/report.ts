/** Runs, their medians, and the ratios that are compared with a bar. */
import { arch, cpus, loadavg, totalmem } from 'node:os';

/** What was measured of one contender: one figure a run, in the order of the runs. */
export type Series = { readonly name: string; readonly runs: readonly number[] };

export type Table = {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
  /** Further lines about how it was measured. */
  readonly notes: readonly string[];
};

/** `claim` says what was measured, `bar` what is asked of it. */
export type Bar = {
  readonly claim: string;
  readonly bar: string;
  readonly measured: number;
  readonly met: boolean;
};

export type Report = {
  readonly tables: readonly Table[];
  readonly bars: readonly Bar[];
  readonly machine: string;
};

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** `claim` names both sides; met when the ratio of the medians is at least `least`. */
export function atLeast(claim: string, ours: Series, theirs: Series, least: number): Bar {
  const measured = median(ours.runs) / median(theirs.runs);
  return { claim, bar: `at least ${least} times`, measured, met: measured >= least };
}

/** Met when the median is no more than `most`. */
export function atMost(claim: string, { runs }: Series, most: number): Bar {
  const measured = median(runs);
  return { claim, bar: `at most ${most}`, measured, met: measured <= most };
}

export function describeMachine(): string {
  const load = loadavg()[0]?.toFixed(2);
  return `${cpus().length} cores ${cpus()[0]?.model ?? ''}, ${arch()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, load ${load} before the runs`;
}

export function toText({ tables, bars, machine }: Report): string {
  const text = tables.map(tableText);
  return [
    machine,
    'Ratios within one invocation are what counts: other work on this machine moves every figure.',
    '',
    ...text,
    verdicts(bars),
    '',
  ].join('\n');
}

function tableText({ title, unit, series, notes }: Table): string {
  const reference = median(series[0]?.runs ?? []);
  const rows = series.map(({ name, runs }) => {
    const middle = median(runs);
    const spread = `${round(Math.min(...runs))} to ${round(Math.max(...runs))}`;
    return `  ${name.padEnd(28)}${round(middle).padStart(10)} ${unit}  ×${round(middle / reference)}  (${spread}, ${runs.length} runs)`;
  });
  return [title, ...rows, ...notes.map((note) => `  ${note}`), ''].join('\n');
}

function verdicts(bars: readonly Bar[]): string {
  const rows = [
    ['measure', 'bar', 'found', ''],
    ...bars.map(({ claim, bar, measured, met }) => [claim, bar, round(measured), met ? 'met' : 'NOT MET']),
  ];
  const widths = [0, 1, 2].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`).join('\n');
}

function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}

export function print(text: string): void {
  process.stdout.write(text);
}
