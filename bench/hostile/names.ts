/**
 * A million names of repositories that do not exist, under a rule that covers them all: whether memory stays flat, what a
 * name costs the proxy and the trust server, and whether a neighbour is still answered. From several addresses, because
 * one may have only so many questions waiting.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { atMost, describeMachine, median, type Report } from '../report.ts';
import type { HeapLook } from './live-heap.ts';
import { cpuSeconds, heapWatched, residentMiB } from './memory.ts';
import { startProxy } from './proxy.ts';
import { readStart } from './readers.ts';
import { ADDRESSES, askForNames, startNeighbour, startTrustServer, type Told } from './unknown-names.ts';

const NAMES = 1_000_000;
/** Where memory is looked at; what it grows by is counted from the first. */
const MARKS = [50_000, 250_000, 500_000, 750_000, NAMES];
/** What is not asked for by then is left out, and the bar is not met. */
const MOST_MS = 1_200_000;
/** How far memory may be above what it was after the first mark, in MiB: less than a tenth of a KiB for each name. */
const MOST_GROWTH_MIB = 64;
/** The same of what is no garbage: a few bytes a name. */
const MOST_LIVE_GROWTH_MIB = 8;

type Mark = {
  readonly names: number;
  readonly seconds: number;
  readonly residentMiB: number;
  readonly questions: number;
  readonly connections: number;
  readonly proxyCpu: number;
  readonly benchCpu: number;
  /** At the first mark and the last. */
  readonly heap: HeapLook | undefined;
};

type Found = {
  readonly idle: number;
  readonly marks: readonly Mark[];
  readonly told: Told;
  readonly neighbour: { readonly told: Told; readonly times: readonly number[] };
};

export async function benchNames(): Promise<Report> {
  const machine = describeMachine();
  const trust = await startTrustServer();
  const [start, heap] = [await readStart(), await heapWatched()];
  const proxy = await startProxy({
    upstream: 'http://127.0.0.1:9',
    trustServer: trust.url,
    options: [...start.options, ...heap.options],
    env: { ...start.env, ...heap.env },
  });
  const { pid } = proxy.service;
  const idle = await residentMiB(pid);
  const began = { proxy: await cpuSeconds(pid), bench: await cpuSeconds(process.pid), at: performance.now() };
  const marks: Mark[] = [];
  const load = askForNames(proxy.port);
  const neighbour = startNeighbour(proxy.port);
  const isLate = () => performance.now() - began.at >= MOST_MS;
  for (const names of MARKS) {
    while (load.answered() < names && !isLate()) await delay(100);
    const isLast = names === NAMES || isLate();
    const isLooked = names === MARKS[0] || isLast;
    // First how it is, then what a collection leaves of it.
    marks.push({
      names: load.answered(),
      seconds: (performance.now() - began.at) / 1000,
      residentMiB: await residentMiB(pid),
      questions: trust.asked(),
      connections: trust.connections(),
      proxyCpu: (await cpuSeconds(pid)) - began.proxy,
      benchCpu: (await cpuSeconds(process.pid)) - began.bench,
      heap: isLooked ? await heap.look(pid) : undefined,
    });
    process.stdout.write(`  ${lineOf(marks.at(-1))}\n`);
    if (isLast) break;
  }
  load.end();
  await neighbour.end();
  return toReport(machine, { idle, marks, told: load.told, neighbour });
}

function toReport(machine: string, { idle, marks, told, neighbour }: Found): Report {
  // With one mark alone nothing is known of growth.
  const [first, last] = [marks[0], marks.length > 1 ? marks.at(-1) : undefined];
  const growth = (last?.residentMiB ?? Number.NaN) - (first?.residentMiB ?? Number.NaN);
  const liveGrowth = (last?.heap?.after.used ?? Number.NaN) - (first?.heap?.after.used ?? Number.NaN);
  const missing = Math.max(0, NAMES - (last?.names ?? 0));
  const isFlat = growth <= MOST_GROWTH_MIB && liveGrowth <= MOST_LIVE_GROWTH_MIB;
  const verdict = `${Math.round(first?.residentMiB ?? Number.NaN)} MiB after ${first?.names} names, ${Math.round(last?.residentMiB ?? Number.NaN)} MiB after ${last?.names}: ${Math.round(growth)} MiB more, of which live ${liveGrowth.toFixed(1)}; ${isFlat ? 'flat' : 'NOT FLAT'}`;
  return {
    machine,
    tables: [
      {
        title: `resident memory while unknown names are asked for from ${ADDRESSES} addresses`,
        unit: 'MiB',
        series: [
          { name: 'idle', runs: [idle] },
          ...marks.map(({ names, residentMiB }) => ({ name: `after ${names}`, runs: [residentMiB] })),
        ],
        notes: [
          ...marks.map(lineOf),
          ...marks.flatMap(heapLine),
          `answers: ${toText(told)}`,
          neighbourLine(neighbour),
          verdict,
        ],
      },
    ],
    bars: [
      atMost('unknown names: MiB more than after the first', one(growth), MOST_GROWTH_MIB),
      atMost('unknown names: MiB of them live', one(liveGrowth), MOST_LIVE_GROWTH_MIB),
      atMost('unknown names: not asked for in time', one(missing), 0),
      atMost("unknown names: a neighbour's not answered 403", one(notRefused(neighbour.told)), 0),
    ],
  };
}

function one(value: number) {
  return { name: '', runs: [value] };
}

function lineOf(mark: Mark | undefined): string {
  if (mark === undefined) return '';
  const { names, seconds, residentMiB, questions, connections, proxyCpu, benchCpu } = mark;
  const perName = (value: number) => (value / names).toFixed(2);
  return (
    `${names} names in ${Math.round(seconds)} s: ${Math.round(names / seconds)} a second, ${Math.round(residentMiB)} MiB, ` +
    `${perName(questions)} questions to the trust server each over ${connections} connections, ` +
    `${perName(proxyCpu * 1000)} ms of processor time each, ${perName(benchCpu * 1000)} ms of the bench's own`
  );
}

/** Resident memory is what the engine keeps for objects, garbage included, and what the process takes beside it. */
function heapLine({ names, residentMiB, heap }: Mark): readonly string[] {
  if (heap === undefined) return [];
  const { before, after } = heap;
  const rest = residentMiB - before.young - before.old;
  return [
    `${names} names, what the memory is: ${Math.round(before.young)} MiB kept for young objects, ${Math.round(before.old)} for old ones, ` +
      `${Math.round(before.external)} of buffers and ${Math.round(rest - before.external)} of everything else; ` +
      `live after a full collection: ${after.used.toFixed(1)} of objects, ${after.external.toFixed(1)} of buffers`,
  ];
}

function toText(told: Told): string {
  return [...told]
    .map(([what, { count, lastAt }]) => {
      const when = what === '403' ? '' : ` (the last after ${Math.round(lastAt)} s)`;
      return `${what} ${count} times${when}`;
    })
    .join(', ');
}

function neighbourLine({ told, times }: Found['neighbour']): string {
  return `a neighbour's new name, once a second: ${toText(told)}; median ${Math.round(median(times))} ms, longest ${Math.round(Math.max(...times))} ms`;
}

function notRefused(told: Told): number {
  return [...told].reduce((sum, [what, { count }]) => (what === '403' ? sum : sum + count), 0);
}
