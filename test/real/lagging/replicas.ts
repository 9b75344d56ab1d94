/** Two replicas behind one address: a real Notary server, and what it answered some publications ago. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ask } from '../http.ts';
import { listenOnLoopback } from '../in-process.ts';
import type { NotaryServer } from '../notary-server.ts';

export type Turns = 'request' | 'connection';

export interface Replicas {
  readonly url: string;
  /** All answers so far are what the replica behind goes on giving, once `lag` says so. */
  record(): ReadonlyMap<string, Buffer>;
  /** Every second request or connection is answered from an earlier moment; undefined: none. */
  lag(behind: ReadonlyMap<string, Buffer> | undefined, turns: Turns): void;
  /** How many answers came from the earlier moment. */
  lagged(): number;
}

/** So that a kept connection does not stay with one replica for good. */
const REQUESTS_PER_CONNECTION = 3;
const ABSENT = JSON.stringify({
  errors: [{ code: 'METADATA_NOT_FOUND', message: 'You have requested metadata that does not exist.' }],
});

export async function startReplicas(notary: Pick<NotaryServer, 'url' | 'caFile'>): Promise<Replicas> {
  const ca = await readFile(notary.caFile);
  const recorded = new Map<string, Buffer>();
  const turnOf = new WeakMap<Socket, number>();
  let behind: ReadonlyMap<string, Buffer> | undefined;
  let turns: Turns = 'request';
  let requests = 0;
  let connections = 0;
  let lagged = 0;

  const forward = async (path: string, response: ServerResponse): Promise<void> => {
    const { status, body } = await ask(`${notary.url}${path}`, { ca });
    if (status === 200) recorded.set(path, body);
    response.writeHead(status).end(body);
  };
  const server = createServer((request: IncomingMessage, response) => {
    const path = request.url ?? '';
    requests += 1;
    const turn = turns === 'request' ? requests : (turnOf.get(request.socket) ?? 0);
    if (behind === undefined || turn % 2 === 0 || !path.includes('/_trust/tuf/')) {
      forward(path, response).catch(() => response.destroy());
      return;
    }
    lagged += 1;
    const body = behind.get(path);
    response.writeHead(body === undefined ? 404 : 200).end(body ?? ABSENT);
  });
  server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION;
  server.on('connection', (socket) => {
    connections += 1;
    turnOf.set(socket, connections);
  });
  return {
    url: await listenOnLoopback(server),
    record: () => new Map(recorded),
    lag: (moment, by) => {
      behind = moment;
      turns = by;
      lagged = 0;
    },
    lagged: () => lagged,
  };
}
