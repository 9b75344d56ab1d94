/** The pull port: which middleware a request passes, in order, and how an answer is written. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import Koa, { type Context, type Middleware } from 'koa';
import type { Forwarder } from './forward/types.ts';
import { peerOf } from './listen/peer.ts';
import type { FinalAnswer, PullRequest } from './pull/types.ts';
import type { Pull } from './pull.ts';
import { CALLERS_OWN } from './wire/caching.ts';
import { type RouteLabel, toRouteLabel } from './wire/route-label.ts';

/** What the app tells the metrics; telemetry/'s `Metrics` has these. */
export interface HttpMetrics {
  requestStarted(route: RouteLabel): () => void;
  requestAnswered(answer: {
    readonly route: RouteLabel;
    readonly method: string;
    readonly code: number;
    /** Until the first byte of the answer. */
    readonly seconds: number;
  }): void;
}

export type AppDeps = {
  readonly pull: Pull;
  readonly forwarder: Forwarder;
  readonly metrics: HttpMetrics;
  readonly newRequestId: () => string;
  /** Called with errors that occur while a response is written. */
  readonly onError: (error: unknown) => void;
};

/** Creates the Koa application: all that happens to a request, in order. */
export function createApp(deps: AppDeps): Koa {
  const app = new Koa();
  app.use(identify(deps));
  app.use(endAtBody());
  app.use(measure(deps));
  app.use(answer(deps));
  // Koa would print to stderr; a client that hung up is not worth a line.
  app.on('error', deps.onError);
  return app;
}

function identify({ newRequestId }: AppDeps): Middleware {
  return (ctx, next) => {
    // Our own: an ID from outside could make two log lines look like one request.
    ctx.state['requestId'] = newRequestId();
    ctx.set('X-Request-Id', ctx.state['requestId']);
    // First, so that no way of answering can leave it out.
    ctx.set(CALLERS_OWN);
    return next();
  };
}

/**
 * A body has no meaning on a pull and is not read: nothing inside it or behind it is another request
 * (registry-clients.md §6.2).
 */
function endAtBody(): Middleware {
  const ended = new WeakSet<object>();
  return (ctx, next) => {
    const { socket } = ctx.req;
    if (ended.has(socket)) {
      // Came in the same packet; the connection closes when the answer before it is out.
      ctx.respond = false;
      return undefined;
    }
    if (hasBody(ctx.req)) {
      ended.add(socket);
      ctx.set('Connection', 'close');
    }
    return next();
  };
}

function measure({ metrics }: AppDeps): Middleware {
  return async (ctx, next) => {
    const started = performance.now();
    const route = toRouteLabel(ctx.req.url ?? '');
    const ended = metrics.requestStarted(route);
    ctx.res.once('close', ended);
    onFirstByte(ctx.res, () => {
      const seconds = (performance.now() - started) / 1000;
      metrics.requestAnswered({ route, method: ctx.method, code: ctx.res.statusCode, seconds });
    });
    await next();
  };
}

function answer({ pull, forwarder }: AppDeps): Middleware {
  return async (ctx) => {
    const request = toPullRequest(ctx);
    const answered: FinalAnswer = await pull.handle(request);
    // Tells the client which registry served it (OCI distribution-spec, "Registry Proxying").
    if (answered.namespace !== undefined) ctx.set('OCI-Namespace', answered.namespace);
    // From here on Koa catches nothing and writes nothing; that makes a warm tag a tenth cheaper.
    ctx.respond = false;
    if (answered.kind === 'respond') forwarder.respond(ctx.res, answered.response, answered.busy);
    else await forwarder.forward(ctx.req, ctx.res, answered.forward);
  };
}

function toPullRequest({ req, res, state }: Context): PullRequest {
  const { headers } = req;
  let signal: AbortSignal | undefined;
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    httpVersion: req.httpVersion,
    rawHeaders: req.rawHeaders,
    authorization: headers.authorization,
    accept: headers.accept,
    ifNoneMatch: headers['if-none-match'],
    userAgent: headers['user-agent'],
    client: req.socket.remoteAddress ?? '',
    ...peerOf(req.socket),
    requestId: String(state['requestId']),
    /** Made when it is first asked for: an answer from memory never is. */
    get signal() {
      signal ??= goneSignal(res);
      return signal;
    },
  };
}

/** Aborted when the connection closes before the answer is complete. */
function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => {
    if (!res.writableFinished) gone.abort();
  };
  if (res.closed) leave();
  else res.once('close', leave);
  return gone.signal;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Node has no event for it: every way of answering goes through `writeHead`. */
function onFirstByte(res: ServerResponse, listener: () => void): void {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse;
  res.writeHead = (...args: unknown[]): ServerResponse => {
    res.writeHead = writeHead;
    listener();
    return writeHead(...args);
  };
}
