/** The plainest HTTP client: what came over the wire, nothing decoded, nothing followed. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';

export type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

export type RequestOptions = {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly ca?: string;
  /** Stop reading, and take what came as the body, at this many bytes. */
  readonly stopAt?: number;
};

/** @throws when the connection ends before the answer does. */
export function send(url: string, options: RequestOptions = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, ca, stopAt = Number.POSITIVE_INFINITY } = options;
  const start = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = start(
      url,
      { method, headers, agent: false, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        const chunks: Buffer[] = [];
        const finish = (): void => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          });
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          if (chunks.reduce((total, { length }) => total + length, 0) < stopAt) return;
          finish();
          outgoing.destroy();
        });
        response.on('end', finish);
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export function json(reply: Reply): unknown {
  return JSON.parse(reply.body.toString());
}
