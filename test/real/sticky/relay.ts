/** A mirror that hands everything on to the proxy, and on demand hides who asks. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onCleanUp } from '../process.ts';

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
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanUp(async () => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hideAgents: (hide) => {
      isHidden = hide;
    },
  };
}
