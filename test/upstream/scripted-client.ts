/** A client of an upstream that answers what a test tells it to, without a socket, and remembers what it was asked. */
import { Readable } from 'node:stream';
import { BodyRoom } from '../../proxy/upstream/body-room.ts';
import type { ClientAuth, HttpClient, RequestOptions } from '../../proxy/upstream/types.ts';

export type Asked = RequestOptions & { readonly method: 'GET' | 'HEAD'; readonly path: string };

export type Scripted = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

export type ScriptedClient = HttpClient & {
  readonly asked: Asked[];
  /** Bodies handed out, in order. */
  readonly answered: Readable[];
};

/** @param answer may throw what a client throws. */
export function scriptedClient(
  answer: (asked: Asked) => Scripted,
  { auth = 'passthrough', peer }: { readonly auth?: ClientAuth['kind']; readonly peer?: string } = {},
): ScriptedClient {
  const asked: Asked[] = [];
  const answered: Readable[] = [];
  const ask = (method: Asked['method'], path: string, options: RequestOptions = {}) => {
    asked.push({ ...options, method, path });
    const { status, headers = {}, body = '' } = answer({ ...options, method, path });
    const lines = new Map(Object.entries(headers).map(([name, value]) => [name, [value]]));
    return { status, headers: lines, body };
  };
  const client = {
    upstream: 'reg',
    auth,
    baseUrl: new URL('https://registry.test'),
    asked,
    answered,
    bodies: new BodyRoom(),
    peer: () => peer,
    get: async (path: string, options?: RequestOptions) => {
      const found = ask('GET', path, options);
      const body = Readable.from(found.body.length === 0 ? [] : [Buffer.from(found.body)]);
      answered.push(body);
      return { ...found, body };
    },
    head: async (path: string, options?: RequestOptions) => {
      const { status, headers } = ask('HEAD', path, options);
      return { status, headers };
    },
  };
  return client as unknown as ScriptedClient;
}
