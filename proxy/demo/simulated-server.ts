/**
 * What the simulated servers share: HTTP or HTTPS on a loopback port, a log of every request, and faults that strike
 * chosen requests. A server only says what an honest answer would be.
 */
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse };

/**
 * Changes the honest answer, or takes the response over and returns undefined.
 *
 * `faults.ts` has one of these per kind of misbehaviour.
 */
export type Fault = (answer: Answer, exchange: Exchange) => Answer | undefined | Promise<Answer | undefined>;

/** Part of the request-target, an expression it must match, or a test of the whole request. */
export type RequestMatch = string | RegExp | ((request: IncomingMessage) => boolean);

export type LoggedRequest = {
  readonly method: string;
  /** The request-target as it came. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
};

export type ServerOptions = {
  /** HTTPS with this certificate and key (PEM) when present. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** `127.0.0.1` when absent. */
  readonly address?: string;
  /** Any free port when absent. */
  readonly port?: number;
};

type ArmedFault = { readonly match: RequestMatch; readonly fault: Fault; left: number };

/** Requests kept in the log; older ones are dropped, so that a demo may run for weeks. */
const LOG_LENGTH = 100_000;

export abstract class SimulatedServer {
  /** The newest requests, oldest first. */
  readonly requests: LoggedRequest[] = [];
  readonly #options: ServerOptions;
  readonly #faults: ArmedFault[] = [];
  #server: Server | undefined;

  constructor(options: ServerOptions = {}) {
    this.#options = options;
  }

  /** What an honest server answers. */
  protected abstract answer(request: IncomingMessage): Answer | Promise<Answer>;

  /** @returns the base URL, without a slash at the end */
  async start(): Promise<string> {
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve({ request, response }).catch((error: unknown) => sendFailure(error, { request, response }));
    };
    const { tls, port = 0, address = '127.0.0.1' } = this.#options;
    this.#server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
    this.#server.listen(port, address);
    await once(this.#server, 'listening');
    return this.url;
  }

  /** Closes every connection, however busy. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** `127.0.0.1:<port>`. */
  get host(): string {
    const { address, port } = this.#requireServer().address() as AddressInfo;
    return `${address}:${port}`;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${this.host}`;
  }

  /**
   * Arms a fault; of several that match, the one armed last strikes.
   *
   * @param times how many requests it strikes
   */
  fault(match: RequestMatch, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#faults.unshift({ match, fault, left: times });
  }

  clearFaults(): void {
    this.#faults.length = 0;
  }

  /** How many logged requests match. */
  count(match: RegExp, method?: string): number {
    return this.requests.filter(
      (logged) => match.test(logged.url) && (method ?? logged.method) === logged.method,
    ).length;
  }

  #requireServer(): Server {
    if (this.#server === undefined) throw new Error('The simulated server is not started.');
    return this.#server;
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { request } = exchange;
    this.#log(request);
    request.resume();
    const honest = await this.answer(request);
    const fault = this.#strike(request);
    const answer = fault === undefined ? honest : await fault(honest, exchange);
    if (answer !== undefined) send(answer, exchange);
  }

  #log({ method = '', url = '', headers }: IncomingMessage): void {
    this.requests.push({ method, url, headers });
    if (this.requests.length > LOG_LENGTH) this.requests.splice(0, LOG_LENGTH / 10);
  }

  #strike(request: IncomingMessage): Fault | undefined {
    const armed = this.#faults.find(({ match, left }) => left > 0 && matches(match, request));
    if (armed !== undefined) armed.left -= 1;
    return armed?.fault;
  }
}

function matches(match: RequestMatch, request: IncomingMessage): boolean {
  const url = request.url ?? '';
  if (typeof match === 'function') return match(request);
  return typeof match === 'string' ? url.includes(match) : match.test(url);
}

/** Sends an answer as it is: its own Content-Length stands, right or wrong. */
function send(answer: Answer, { request, response }: Exchange): void {
  response.writeHead(answer.status, { 'Content-Length': String(answer.body.length), ...answer.headers });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

/** A mistake of the simulator or of a fault shows in the answer instead of stopping the process. */
function sendFailure(error: unknown, exchange: Exchange): void {
  if (exchange.response.headersSent) exchange.response.destroy();
  else send(textAnswer(500, `simulator failed: ${String(error)}\n`), exchange);
}

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  const type = { 'Content-Type': 'application/json; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: Buffer.from(JSON.stringify(value)) };
}

/** The error envelope of registries and Notary servers alike. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Answer {
  return jsonAnswer(status, { errors: [{ code, message, detail: null }] }, headers);
}

export function textAnswer(status: number, text: string, headers: Record<string, string> = {}): Answer {
  const type = { 'Content-Type': 'text/plain; charset=utf-8' };
  return { status, headers: { ...type, ...headers }, body: Buffer.from(text) };
}
