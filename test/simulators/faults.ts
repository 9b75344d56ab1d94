/** Ways in which a server can misbehave, one by one; arm them with `SimulatedServer.fault`. */
import { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { Answer, Exchange, Fault } from '../../proxy/demo/simulated-server.ts';

const ENDLESS_CHUNK = Buffer.alloc(64 * 1024, 0x20);

/** Another status, with a body of no meaning. */
export function status(code: number, headers: Record<string, string> = {}): Fault {
  return () => ({
    status: code,
    headers: { 'Content-Type': 'text/plain', ...headers },
    body: Buffer.from(`fault ${code}\n`),
  });
}

/** 429 as registries send it. */
export function tooManyRequests(retryAfterSeconds: number): Fault {
  return status(429, { 'Retry-After': String(retryAfterSeconds) });
}

export function redirect(location: string, code = 307): Fault {
  return status(code, { Location: location });
}

/** The honest headers over another body; Content-Length fits it. */
export function otherBody(body: Uint8Array | ((honest: Uint8Array) => Uint8Array)): Fault {
  return (answer) => withBody(answer, typeof body === 'function' ? body(answer.body) : body);
}

/** One bit of the body's middle byte turned round: same length, other hash. */
export function flippedBit(): Fault {
  return otherBody((honest) => {
    const body = Buffer.from(honest);
    const middle = Math.floor(body.length / 2);
    body[middle] = (body[middle] ?? 0) ^ 1;
    return body;
  });
}

/** Sets headers over the honest ones. */
export function headers(changes: Readonly<Record<string, string>>): Fault {
  return (answer) => ({ ...answer, headers: { ...answer.headers, ...changes } });
}

export function otherMediaType(mediaType: string): Fault {
  return headers({ 'Content-Type': mediaType });
}

/** Leaves headers out; names in any case. */
export function withoutHeaders(...names: readonly string[]): Fault {
  const dropped = new Set(names.map((name) => name.toLowerCase()));
  return (answer) => {
    const kept = Object.entries(answer.headers).filter(([name]) => !dropped.has(name.toLowerCase()));
    return { ...answer, headers: Object.fromEntries(kept) };
  };
}

/** No Content-Length: the body comes in chunks. */
export function chunked(): Fault {
  return (answer, { response }) => {
    response.writeHead(answer.status, dropLength(answer.headers));
    response.write(answer.body);
    response.end();
    return undefined;
  };
}

/** A Content-Length that is wrong by so many bytes, after which the connection is closed. */
export function wrongLength(difference: number): Fault {
  return (answer, { request, response }) => {
    const length = String(answer.body.length + difference);
    response.writeHead(answer.status, { ...dropLength(answer.headers), 'Content-Length': length });
    response.end(answer.body, () => request.socket.end());
    return undefined;
  };
}

/** The body compressed, and labelled so. */
export function gzip(): Fault {
  return (answer) => {
    const compressed = withBody(answer, gzipSync(answer.body));
    return { ...compressed, headers: { ...compressed.headers, 'Content-Encoding': 'gzip' } };
  };
}

/** The honest body, filled up with white space to this many bytes. */
export function padded(bytes: number): Fault {
  return otherBody((honest) =>
    Buffer.concat([honest, Buffer.alloc(Math.max(0, bytes - honest.length), 0x20)]),
  );
}

/** The honest status and headers, then a body that never ends, as fast as the reader takes it. */
export function endlessBody(chunk: Uint8Array = ENDLESS_CHUNK): Fault {
  return (answer, { request, response }) => {
    response.writeHead(answer.status, dropLength(answer.headers));
    const pour = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', pour);
    // The body of an answer to HEAD goes nowhere, so nothing would ever hold the loop up.
    if (request.method === 'HEAD') response.end();
    else pour();
    return undefined;
  };
}

/** The honest answer, this many bytes at a time with a pause after each. */
export function drip(bytesPerStep: number, pauseMs: number): Fault {
  return (answer, { response }) => {
    response.writeHead(answer.status, { ...answer.headers, 'Content-Length': String(answer.body.length) });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(answer.body.subarray(sent, sent + bytesPerStep));
      sent += bytesPerStep;
      if (sent >= answer.body.length) response.end();
    }, pauseMs);
    response.on('close', () => clearInterval(timer));
    return undefined;
  };
}

/** The honest answer, later: after so many milliseconds, or when the promise settles. */
export function delay(until: number | Promise<unknown>): Fault {
  return async (answer, { response }) => {
    await (typeof until === 'number' ? pause(until) : until);
    return response.destroyed ? undefined : answer;
  };
}

/** Nothing ever comes; the connection stays open. */
export function stall(): Fault {
  return () => undefined;
}

/** Headers and this many bytes of the body, then nothing more. */
export function stallInBody(bytes: number): Fault {
  return (answer, exchange) => {
    beginBody(answer, exchange, bytes);
    return undefined;
  };
}

/** The connection is reset before any answer; under TLS it is only closed. */
export function reset(): Fault {
  return (_answer, { request: { socket } }) => {
    if (socket instanceof TLSSocket) socket.destroy();
    else socket.resetAndDestroy();
    return undefined;
  };
}

/** Headers and this many bytes of the body, then the connection is cut. */
export function cutInBody(bytes: number): Fault {
  return (answer, exchange) => {
    beginBody(answer, exchange, bytes);
    setTimeout(() => exchange.request.socket.destroy(), 10);
    return undefined;
  };
}

/** Several faults, one after the other, until one takes the response over. */
export function inOrder(...faults: readonly Fault[]): Fault {
  return async (honest, exchange) => {
    let answer: Answer | undefined = honest;
    for (const fault of faults) if (answer !== undefined) answer = await fault(answer, exchange);
    return answer;
  };
}

function beginBody(answer: Answer, { response }: Exchange, bytes: number): void {
  response.writeHead(answer.status, { ...answer.headers, 'Content-Length': String(answer.body.length) });
  response.write(answer.body.subarray(0, bytes));
}

function withBody(answer: Answer, body: Uint8Array): Answer {
  return { ...answer, headers: { ...answer.headers, 'Content-Length': String(body.length) }, body };
}

function dropLength(headers: Answer['headers']): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
  return Object.fromEntries(kept);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
