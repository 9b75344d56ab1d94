/**
 * What streams by, through http-proxy: blobs, referrers, whole tag lists and trust files. No manifest does (manifest.ts).
 *
 * The path upstream is built from parsed parts. Of the client's headers only an allow-list goes on, and so it is the
 * other way (registry-clients.md §4.4). There is no limit on a whole transfer, only on silence (registry-clients.md §0.10).
 */
import type { ClientRequest, Agent as HttpAgent, IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import httpProxy from 'http-proxy';
import { toFailure, toUpstreamError, UpstreamError } from '../upstream/errors.ts';
import type { HttpClient } from '../upstream/types.ts';
import { sendResponse } from '../wire/send-response.ts';
import { CAUSES } from '../words.ts';
import { keep, toRefusal } from './bodies.ts';
import { type Passage, passageOf, toRequestHeaders, writeHeaders } from './headers.ts';
import { admit, sendHeld } from './held-answers.ts';
import { type Lease, Room } from './room.ts';
import { transfer } from './transfer.ts';
import type { Forward, Forwarder, ForwardFailure } from './types.ts';
import { createAgent, limitSilence, readFor, retire } from './upstream-agent.ts';

export type ForwarderOptions = {
  /** Longest silence of an upstream, before and inside its answer, in milliseconds. */
  readonly idleTimeoutMs?: number;
  /** For what waits for clients; one of its own when absent. */
  readonly room?: Room;
};

const IDLE_TIMEOUT_MS = 60_000;

export function createForwarder(options: ForwarderOptions = {}): Forwarder {
  const room = options.room ?? new Room();
  const agents = new Map<HttpClient, HttpAgent>();
  const agentFor = (client: HttpClient): HttpAgent => {
    const known = agents.get(client);
    if (known !== undefined) return known;
    const agent = createAgent(client);
    agents.set(client, agent);
    client.onClose(() => {
      agents.delete(client);
      retire(agent);
    });
    return agent;
  };
  let isClosed = false;
  const askOnce = createAsk({
    agentFor,
    // What this forwarder itself cuts is nobody's fault.
    observe: (client, outcome, seconds) => {
      if (!isClosed) client.observe(outcome, seconds);
    },
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
  });
  const ask: Ask = async (...exchange) => {
    const answer = await askOnce(...exchange);
    return answer instanceof Failure && answer.isStaleSocket ? askOnce(...exchange) : answer;
  };
  return {
    async forward(req, res, asked) {
      const lease = await admit(room, req, res);
      if (res.destroyed) return;
      if (lease === undefined)
        return sendResponse(res, asked.onFailed('deadline_exceeded', CAUSES.noRoomForAnswers));
      const forward = { ...asked, lease };
      const answer = await obtain(ask, req, res, forward);
      if (answer instanceof Failure)
        return sendResponse(res, forward.onFailed(answer.reason, answer.what, answer.retryAfter));
      if (answer !== undefined) await relay(answer, res, forward, room);
    },
    respond(res, response, busy) {
      sendHeld(room, res, response, busy);
    },
    close() {
      isClosed = true;
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

/** One request to hand on, and the room its answer has. */
type Admitted = Forward & { readonly lease: Lease };

class Failure {
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

type Ask = (
  req: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
  authorization: string | undefined,
) => Promise<IncomingMessage | Failure | undefined>;

/** The upstream's answer; undefined: the client is gone. A token that was refused is replaced once. */
async function obtain(
  ask: Ask,
  req: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
): Promise<IncomingMessage | Failure | undefined> {
  const { client, path, scope } = forward;
  // A client with its own account never hands on the caller's credentials (registry-clients.md §4.1).
  if (client.auth === 'passthrough') return ask(req, res, forward, req.headers.authorization);
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  res.once('close', abort);
  try {
    const options = { scope, signal: gone.signal };
    const answer = await ask(req, res, forward, await client.authorize(path, options));
    if (!isStale(answer)) return answer;
    answer.resume();
    client.forget(scope);
    return await ask(req, res, forward, await client.authorize(path, options));
  } catch (error) {
    if (gone.signal.aborted) return undefined;
    if (error instanceof UpstreamError) {
      const why = toFailure(error, CAUSES.didNotLetUsIn(error.kind));
      return new Failure(why.reason, why.what, false, why.retryAfter);
    }
    return new Failure('registry_unreachable', CAUSES.cannotBeAsked);
  } finally {
    res.off('close', abort);
  }
}

function isStale(answer: IncomingMessage | Failure | undefined): answer is IncomingMessage {
  return answer !== undefined && !(answer instanceof Failure) && answer.statusCode === 401;
}

type AskOptions = {
  readonly agentFor: (client: HttpClient) => HttpAgent;
  /** Told how each request went. */
  readonly observe: (client: HttpClient, outcome: number | UpstreamError, seconds: number) => void;
  readonly idleTimeoutMs: number;
};

/** One exchange as http-proxy reports it: through events of the whole proxy, told apart by the request. */
type ProxyEvents = { out(request: ClientRequest): void; answered(answer: IncomingMessage): void };

function createAsk({ agentFor, observe, idleTimeoutMs }: AskOptions): Ask {
  const proxy = httpProxy.createProxyServer();
  const exchanges = new WeakMap<IncomingMessage, ProxyEvents>();
  proxy.on('proxyReq', (out, req) => exchanges.get(req)?.out(out));
  proxy.on('proxyRes', (answer, req) => exchanges.get(req)?.answered(answer));
  return (req, res, forward, authorization) =>
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
        observe(forward.client, fault, seconds());
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
          observe(forward.client, answer.statusCode ?? 0, seconds());
          resolve(answer);
        },
      });
      const headers = toRequestHeaders(req, forward, authorization);
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

async function relay(
  answer: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
  room: Room,
): Promise<void> {
  const passage: Passage = passageOf(answer, forward, res.req);
  if (passage.kind === 'failed') {
    answer.destroy();
    return sendResponse(res, forward.onFailed(passage.reason, passage.what, passage.retryAfter));
  }
  const status = answer.statusCode ?? 502;
  if (status >= 400 && forward.onRefused !== undefined) {
    forward.onServed(status);
    const refusal = await toRefusal(answer, forward.client);
    // It stays while something is asked in its place, and is nobody else's meanwhile.
    forward.lease.waits(refusal.body?.length ?? 0);
    const response = await forward.onRefused(refusal);
    forward.lease.waits(0);
    return sendHeld(room, res, response, () =>
      forward.onFailed('deadline_exceeded', CAUSES.noRoomForAnswers),
    );
  }
  forward.onServed(status);
  writeHeaders(answer, res, forward);
  res.statusCode = status;
  // At once, before the first byte of the body (registry-clients.md §0.10).
  res.flushHeaders();
  if (status === 200 && forward.keep !== undefined && res.req.method === 'GET')
    keep(answer, forward.client.upstream, forward.keep);
  await transfer(answer, res, forward.lease);
}
