/** Who asks for repositories that do not exist, a trust server that knows none, and a neighbour with a place of its own. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { onCleanUp } from '../../test/real/process.ts';

export const ADDRESSES = 8;
const CONNECTIONS = 64;
/** Requests under way on each connection: fewer than the pull port takes. */
const PIPELINED = 24;
const NEIGHBOUR = '127.0.0.100';
/** Between two questions of the neighbour, in milliseconds. */
const NEIGHBOUR_EVERY_MS = 1_000;

const NOT_FOUND = answerOf('{"errors":[{"code":"METADATA_NOT_FOUND","message":"unknown"}]}');

/** Answers by their status, and by their sentence where they are no refusal: how many, and when the last one came. */
export type Told = ReadonlyMap<string, { readonly count: number; readonly lastAt: number }>;

export type Asking = {
  readonly told: Told;
  readonly answered: () => number;
  readonly end: () => void;
};

/** HEAD, so that an answer is its headers; raw, because a client that parses costs more than the proxy. */
export function askForNames(port: number): Asking {
  const told = createTold();
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
        told.add(answer.slice(9, 12), () => answer.slice(13, answer.indexOf('\r\n')));
        answered += 1;
        ask(socket);
      }
    });
    for (let count = 0; count < PIPELINED; count += 1) ask(socket);
    return socket;
  });
  const end = (): void => sockets.forEach((socket) => void socket.destroy());
  onCleanUp(async () => end());
  return { told: told.all, answered: () => answered, end };
}

/** Asks for a new name every second, as somebody whose repository is not signed yet, from an address of its own. */
export function startNeighbour(port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const told = createTold();
  const times: number[] = [];
  let isOver = false;
  const pull = async (name: string): Promise<void> => {
    const started = performance.now();
    const path = `/v2/neighbour/${name}/manifests/1`;
    const req = request({ host: '127.0.0.1', port, path, method: 'HEAD', agent, localAddress: NEIGHBOUR });
    const [res] = await once(req.end(), 'response');
    res.resume();
    times.push(performance.now() - started);
    told.add(String(res.statusCode), () => res.statusMessage);
  };
  const run = async (): Promise<void> => {
    for (let count = 1; !isOver; count += 1) {
      await pull(`name-${count}`).catch((error: unknown) => isOver || told.add('none', () => String(error)));
      await delay(NEIGHBOUR_EVERY_MS);
    }
  };
  const done = run();
  const end = async (): Promise<void> => {
    isOver = true;
    agent.destroy();
    await done;
  };
  onCleanUp(end);
  return { told: told.all, times, end };
}

function createTold() {
  const all = new Map<string, { count: number; lastAt: number }>();
  const started = performance.now();
  return {
    all: all as Told,
    add: (status: string, sentence: () => string): void => {
      const what = status === '403' ? status : `${status} ${withoutName(sentence())}`;
      const entry = all.get(what) ?? { count: 0, lastAt: 0 };
      all.set(what, entry);
      entry.count += 1;
      entry.lastAt = (performance.now() - started) / 1000;
    },
  };
}

function withoutName(sentence: string): string {
  return sentence.replace(/\S*name-\d+\S*/g, '…');
}

/** Knows nothing, and says it at once: how fast names are resolved is then up to the proxy. */
export async function startTrustServer() {
  let asked = 0;
  let connections = 0;
  const server = createServer((socket) => {
    let rest = '';
    connections += 1;
    socket.setNoDelay(true).on('error', () => undefined);
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
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked: () => asked, connections: () => connections };
}

function answerOf(body: string): string {
  return `HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
