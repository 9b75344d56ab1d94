/** A mirror that hands everything on to the proxy, and on demand hides who asks. */
import { createServer, request } from 'node:http';
import { listenOnLoopback } from '../in-process.ts';

export interface Relay {
  readonly url: string;
  hideAgents(hide: boolean): void;
}

export async function startRelay(target: string): Promise<Relay> {
  let isHidden = false;
  const server = createServer((incoming, response) => {
    const { method, url, headers } = incoming;
    const { 'user-agent': agent, ...others } = headers;
    const kept = isHidden || agent === undefined ? others : headers;
    request(`${target}${url}`, { method, headers: kept, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.statusMessage, answer.headers);
      answer.pipe(response);
    })
      .on('error', () => response.destroy())
      .end();
  });
  return {
    url: await listenOnLoopback(server),
    hideAgents: (hide) => {
      isHidden = hide;
    },
  };
}
