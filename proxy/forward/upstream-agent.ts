/** Connections to upstreams for what streams: how many are kept, how much is read at once, how long one may be silent. */
import { type ClientRequest, Agent as HttpAgent, type ServerResponse } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { UpstreamError } from '../upstream/errors.ts';
import type { AgentMaker } from '../upstream/types.ts';
import type { Lease } from './room.ts';

/** Free connections kept to each upstream. */
const MAX_FREE_SOCKETS = 64;
/** The most that is read from an upstream at once, and what is read before it is known for whom, in bytes. */
const MAX_READ_BYTES = 64 * 1024;
const FIRST_READ_BYTES = 8 * 1024;
const READ_BUFFER = Buffer.alloc(MAX_READ_BYTES);

type ReadSize = () => number;
/** How much is read at once from a connection that has a transfer. */
const readSizes = new WeakMap<Duplex, ReadSize>();

/** What comes over this connection from now on waits for the client of this lease. */
export function readFor(socket: Duplex, lease: Lease): void {
  readSizes.set(socket, () => Math.min(MAX_READ_BYTES, lease.window()));
}

/**
 * Connections that read into one buffer all of them share, because the parser copies what belongs to a body. One that
 * is paused then holds nothing, where a stream would read ahead, and how much one read brings can be chosen.
 */
function createReadingAgent(isTls: boolean, options: AgentOptions): HttpAgent {
  // Without a mark of its own, a paused answer asks for nothing more.
  const all = { ...options, highWaterMark: 0 };
  const agent = isTls ? new HttpsAgent(all) : new HttpAgent(all);
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (at, done) => {
    let socket: Duplex | undefined;
    const size = (): number => (socket && readSizes.get(socket)?.()) ?? FIRST_READ_BYTES;
    const onread = {
      buffer: () => READ_BUFFER.subarray(0, size()),
      callback: (length: number, buffer: Buffer) =>
        socket?.emit('data', buffer.subarray(0, length)) !== undefined,
    };
    socket = create({ ...at, ...{ onread } }, done) ?? undefined;
    return socket;
  };
  return agent;
}

export function createAgent({ baseUrl, ca }: Parameters<AgentMaker<HttpAgent>['create']>[0]): HttpAgent {
  const options = { keepAlive: true, maxFreeSockets: MAX_FREE_SOCKETS, ...(ca === undefined ? {} : { ca }) };
  return createReadingAgent(baseUrl.protocol !== 'http:', options);
}

/** Ends the connections nobody uses now, and each of the others when its transfer is over. */
export function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}

/**
 * Ends a request without headers in time, or in silence, with an UpstreamError `timeout`, but not one whose client does
 * not take what has come.
 */
export function limitSilence(request: ClientRequest, res: ServerResponse, idleTimeoutMs: number): void {
  const { socket } = request;
  if (socket === null) return;
  const end = (): void => {
    request.destroy(new UpstreamError('timeout', `nothing came in ${idleTimeoutMs / 1000} s`));
  };
  const onSilence = (): void => {
    // Then it is we who do not read, and the pull port's own limit is the one that counts (limits.ts).
    if (res.writableNeedDrain) socket.setTimeout(idleTimeoutMs);
    else end();
  };
  // Headers that trickle in are no silence.
  const late = setTimeout(end, idleTimeoutMs);
  request.once('response', () => clearTimeout(late));
  socket.setTimeout(idleTimeoutMs);
  socket.on('timeout', onSilence);
  // Comes before the agent gives the connection to the next request.
  request.once('close', () => {
    clearTimeout(late);
    socket.off('timeout', onSilence);
    socket.setTimeout(0);
  });
}
