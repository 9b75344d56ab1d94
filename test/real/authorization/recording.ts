/** Stands in front of a server, hands everything on, and remembers what came and with which credentials. */
import { readFile } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { listenOnLoopback } from '../in-process.ts';

export interface Recording {
  readonly url: string;
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[];
}

export async function startRecording(target: {
  readonly url: string;
  readonly caFile?: string;
}): Promise<Recording> {
  const requests: { path: string; headers: IncomingHttpHeaders }[] = [];
  const isHttps = target.url.startsWith('https:');
  const call = isHttps ? httpsRequest : httpRequest;
  const ca = isHttps && target.caFile !== undefined ? await readFile(target.caFile) : undefined;
  const server = createServer(({ method, url: path = '', headers }, response) => {
    requests.push({ path, headers });
    call(`${target.url}${path}`, { method, headers, agent: false, ...(ca && { ca }) }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    })
      .on('error', () => response.destroy())
      .end();
  });
  return { url: await listenOnLoopback(server), requests };
}

/** Every Authorization that came, each once; undefined stands for none. */
export function credentialsIn(
  requests: readonly { readonly headers: IncomingHttpHeaders }[],
): ReadonlySet<string | undefined> {
  return new Set(requests.map(({ headers }) => headers.authorization));
}
