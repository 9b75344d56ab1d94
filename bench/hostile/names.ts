/**
 * A million names of repositories that do not exist, under a rule that covers them all: whether memory stays flat, and
 * how often the trust server is asked. From several addresses, because one may have only so many questions waiting.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onCleanUp } from '../../test/real/process.ts';
import { atMost, describeMachine, type Report } from '../report.ts';
import { residentMiB } from './memory.ts';
import { startProxy } from './proxy.ts';
import { readStart } from './readers.ts';

const MARKS = [50_000, 250_000, 1_000_000];
const ADDRESSES = 8;
const CONNECTIONS = 64;
/** Requests under way on each connection: fewer than the pull port takes. */
const PIPELINED = 24;
/** What is not asked for by then is left out, and the bar is not met. */
const MOST_MS = 1_200_000;
/** How far memory may be above what it was after the first mark, in MiB: less than a tenth of a KiB for each name. */
const MOST_GROWTH_MIB = 64;

const NOT_FOUND = answerOf('{"errors":[{"code":"METADATA_NOT_FOUND","message":"unknown"}]}');

type Mark = {
  readonly names: number;
  readonly seconds: number;
  readonly residentMiB: number;
  readonly heapMiB: number;
  readonly questions: number;
};

export async function benchNames(): Promise<Report> {
  const machine = describeMachine();
  const trust = await startTrustServer();
  const start = await readStart();
  const proxy = await startProxy({ upstream: 'http://127.0.0.1:9', trustServer: trust.url, ...start });
  const idle = await residentMiB(proxy.service.pid);
  const marks: Mark[] = [];
  const started = performance.now();
  const load = askForNames(proxy.port);
  for (const names of MARKS) {
    await load.reached(names);
    const seconds = (performance.now() - started) / 1000;
    const [resident, heapMiB] = [await residentMiB(proxy.service.pid), await heapOf(proxy.admin)];
    marks.push({ names: load.answered(), seconds, residentMiB: resident, heapMiB, questions: trust.asked() });
  }
  load.end();
  return toReport(machine, idle, marks, load.statuses);
}

function toReport(
  machine: string,
  idle: number,
  marks: readonly Mark[],
  statuses: ReadonlyMap<string, number>,
): Report {
  const [first, last] = [marks[0], marks.at(-1)];
  const growth = (last?.residentMiB ?? Number.NaN) - (first?.residentMiB ?? Number.NaN);
  const missing = Math.max(0, (MARKS.at(-1) ?? 0) - (last?.names ?? 0));
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
          ...marks.map(
            ({ names, seconds, heapMiB, questions }) =>
              `${names} names: ${Math.round(names / seconds)} answers/s, ${Math.round(questions / seconds)} questions/s to the trust server, ${Math.round(heapMiB)} MiB of heap`,
          ),
          `statuses: ${[...statuses].map(([status, count]) => `${status} ${count} times`).join(', ')}`,
        ],
      },
    ],
    bars: [
      atMost('unknown names: MiB more than after the first', { name: '', runs: [growth] }, MOST_GROWTH_MIB),
      atMost('unknown names: not asked for in time', { name: '', runs: [missing] }, 0),
    ],
  };
}

/** HEAD, so that an answer is its headers; raw, because a client that parses costs more than the proxy. */
function askForNames(port: number) {
  const statuses = new Map<string, number>();
  const end = Date.now() + MOST_MS;
  let asked = 0;
  let answered = 0;
  const ask = (socket: Socket): void => {
    asked += 1;
    const path = `/v2/made-up/${asked % 97}/name-${asked}/manifests/1`;
    socket.write(`HEAD ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  };
  const sockets = Array.from({ length: CONNECTIONS }, (_, at) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${2 + (at % ADDRESSES)}` });
    let rest = '';
    socket.setNoDelay(true).on('error', () => undefined);
    socket.on('data', (bytes) => {
      const answers = (rest + bytes.toString('latin1')).split('\r\n\r\n');
      rest = answers.pop() ?? '';
      for (const answer of answers) {
        const status = answer.slice(9, 12);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        answered += 1;
        ask(socket);
      }
    });
    for (let count = 0; count < PIPELINED; count += 1) ask(socket);
    return socket;
  });
  onCleanUp(async () => sockets.forEach((socket) => void socket.destroy()));
  return {
    statuses,
    answered: () => answered,
    async reached(names: number): Promise<void> {
      while (answered < names && Date.now() < end) await new Promise((done) => setTimeout(done, 100));
    },
    end: () => sockets.forEach((socket) => void socket.destroy()),
  };
}

/** Knows nothing, and says it at once: how fast names are resolved is then up to the proxy. */
async function startTrustServer() {
  let asked = 0;
  const server = createServer((socket) => {
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const requests = (rest + bytes.toString('latin1')).split('\r\n\r\n');
      rest = requests.pop() ?? '';
      asked += requests.length;
      socket.write(NOT_FOUND.repeat(requests.length));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanUp(async () => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
}

function answerOf(body: string): string {
  return `HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

async function heapOf(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  return Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(text)?.[1] ?? Number.NaN) / 2 ** 20;
}
