/**
 * One exchange through http-proxy, which streams and knows nothing of tokens or refusals. No other file uses http-proxy.
 *
 * Neither the client's path nor its headers reach the upstream by themselves: the path is `forward.path`, and of the
 * headers what headers.ts lets on (registry-clients.md §4.4, §6.2).
 */
import type { ClientRequest, Agent as HttpAgent, IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import httpProxy from 'http-proxy';
import { toUpstreamError, type UpstreamError } from '../upstream/errors.ts';
import type { HttpClient, Pass } from '../upstream/types.ts';
import { CAUSES } from '../words.ts';
import { toRequestHeaders } from './headers.ts';
import type { Lease } from './room.ts';
import type { Forward, ForwardFailure } from './types.ts';
import { limitSilence, readFor } from './upstream-agent.ts';

/** One request to hand on, and the room its answer has. */
export type Admitted = Forward & { readonly lease: Lease };

export class Failure {
  readonly reason: ForwardFailure;
  readonly what: string;
  /** The upstream closed a kept connection just as we used it: nothing was heard, and asking again is right. */
  readonly isStaleSocket: boolean;
  readonly retryAfter: string | undefined;
  constructor(reason: ForwardFailure, what: string, isStaleSocket = false, retryAfter?: string) {
    this.reason = reason;
    this.what = what;
    this.isStaleSocket = isStaleSocket;
    this.retryAfter = retryAfter;
  }
}

export type Ask = (
  req: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
  pass: Pass,
) => Promise<IncomingMessage | Failure | undefined>;

type AskOptions = {
  readonly agentFor: (client: HttpClient) => HttpAgent;
  /** Told how each request went. */
  readonly tell: (pass: Pass, outcome: number | UpstreamError, seconds: number) => void;
  readonly idleTimeoutMs: number;
};

/** One exchange as http-proxy reports it: through events of the whole proxy, told apart by the request. */
type ProxyEvents = { out(request: ClientRequest): void; answered(answer: IncomingMessage): void };

export function createAsk({ agentFor, tell, idleTimeoutMs }: AskOptions): Ask {
  const proxy = httpProxy.createProxyServer();
  const exchanges = new WeakMap<IncomingMessage, ProxyEvents>();
  proxy.on('proxyReq', (out, req) => exchanges.get(req)?.out(out));
  proxy.on('proxyRes', (answer, req) => exchanges.get(req)?.answered(answer));
  return (req, res, forward, pass) =>
    new Promise((resolve) => {
      const started = performance.now();
      const seconds = (): number => (performance.now() - started) / 1000;
      let request: ClientRequest | undefined;
      let isOver = false;
      const leave = (): void => {
        isOver = true;
        request?.destroy();
        resolve(undefined);
      };
      const fail = (error: Error | undefined): void => {
        if (isOver) return;
        isOver = true;
        res.off('close', leave);
        const fault = toUpstreamError(error ?? { code: 'ECONNRESET' }, forward.client.upstream);
        const isTimeout = fault.kind === 'timeout';
        tell(pass, fault, seconds());
        const what = isTimeout ? CAUSES.upstreamIsLate : CAUSES.cannotBeReached;
        const isStaleSocket = !isTimeout && isReset(error) && request?.reusedSocket === true;
        resolve(new Failure('registry_unreachable', what, isStaleSocket));
      };
      if (res.destroyed) return leave();
      res.once('close', leave);
      exchanges.set(req, {
        out(created) {
          request = created;
          if (res.destroyed) return void created.destroy();
          if (created.socket !== null) readFor(created.socket, forward.lease);
          limitSilence(created, res, idleTimeoutMs);
          // An upstream that changes the protocol ends the connection, and that is no error to Node.
          created.once('close', () => fail(undefined));
        },
        answered(answer) {
          isOver = true;
          res.off('close', leave);
          tell(pass, answer.statusCode ?? 0, seconds());
          resolve(answer);
        },
      });
      const headers = toRequestHeaders(req, forward, pass.authorization);
      // http-proxy copies every header of the request; this leaves it nothing else to copy.
      req.headers = headers;
      proxy.web(req, res, toProxyOptions(forward, agentFor(forward.client)), fail);
    });
}

function toProxyOptions({ client, path }: Forward, agent: HttpAgent): httpProxy.ServerOptions {
  const { protocol, hostname, port, pathname } = client.baseUrl;
  const bare = hostname.replace(/^\[|\]$/g, '');
  return {
    target: {
      protocol,
      host: bare,
      hostname: bare,
      port: port === '' ? null : port,
      path: pathname.replace(/\/+$/, '') + path,
    },
    // Neither the client's path nor its query reaches the upstream: `path` above is all of it (registry-clients.md §6.2).
    ignorePath: true,
    toProxy: true,
    agent,
    selfHandleResponse: true,
    // An empty body in place of the client's: GET bodies are never handed on (registry-clients.md §6.2).
    buffer: Readable.from([]),
  };
}

function isReset(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
