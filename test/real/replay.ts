import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority } from './certificates.ts';
import { ask } from './http.ts';
import type { NotaryServer } from './notary-server.ts';
import { makeTempDir, onCleanUp } from './process.ts';

/** What a trust server answered, by path: the very bytes. */
export type Recording = ReadonlyMap<string, Buffer>;

const ABSENT = JSON.stringify({ errors: [{ code: 'METADATA_NOT_FOUND', message: 'not in the recording' }] });

/** Stands before a Notary server, writes down what it answers, and can go back to an earlier moment. */
export interface ReplayingServer {
  readonly url: string;
  readonly caFile: string;
  /** Everything answered so far. */
  record(): Recording;
  /** From now on only what the recording has is answered, and nothing is asked; undefined: forward again. */
  replay(recording: Recording | undefined): void;
}

export async function startReplayingServer(
  notary: Pick<NotaryServer, 'url' | 'caFile'>,
): Promise<ReplayingServer> {
  const folder = await makeTempDir('replay');
  const authority = await createAuthority(folder);
  const { keyFile, certFile } = await authority.issue('server', 'serverAuth');
  const ca = await readFile(notary.caFile);
  const recorded = new Map<string, Buffer>();
  let replayed: Recording | undefined;

  const forward = async (path: string, response: ServerResponse): Promise<void> => {
    const { status, body } = await ask(`${notary.url}${path}`, { ca });
    if (status === 200) recorded.set(path, body);
    response.writeHead(status).end(body);
  };
  const server = createServer(
    { key: await readFile(keyFile), cert: await readFile(certFile) },
    (request, response) => {
      const path = request.url ?? '';
      if (replayed === undefined) {
        forward(path, response).catch(() => response.destroy());
        return;
      }
      const body = replayed.get(path);
      // As Notary says it: a 404 in other words is an outage.
      response.writeHead(body === undefined ? 404 : 200).end(body ?? ABSENT);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject).listen(0, '127.0.0.1', resolve);
  });
  onCleanUp(async () => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    caFile: authority.caFile,
    record: () => new Map(recorded),
    replay: (recording) => {
      replayed = recording;
    },
  };
}
