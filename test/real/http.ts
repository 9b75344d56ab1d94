/** One request, as curl would send it: nothing is followed, decoded or added. */
import { type Agent, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface Answer {
  readonly status: number;
  /** What the status line says after the number. */
  readonly phrase: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

export interface AskOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Authority of an https server, PEM. */
  readonly ca?: Buffer;
  /** Connections that several requests share; absent: each has its own. */
  readonly agent?: Agent;
}

export function ask(
  url: string,
  { method = 'GET', headers = {}, ca, agent }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const call = request(url, { method, headers, agent: agent ?? false, ...(ca && { ca }) }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          phrase: response.statusMessage ?? '',
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    call.on('error', reject).end();
  });
}

/** `detail.reason` of a refusal, or what else the body says. */
export function reasonOf({ body }: Answer): string {
  try {
    const { errors } = JSON.parse(body.toString()) as {
      readonly errors: readonly { readonly detail?: { readonly reason?: string } }[];
    };
    return errors[0]?.detail?.reason ?? body.toString();
  } catch {
    return body.toString();
  }
}

/** Value of the header that holds credentials. */
export function toBasic({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
