/** Reading a body into memory, never more of it than was allowed. */
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toUpstreamError, UNNAMED_UPSTREAM, UpstreamError, type UpstreamErrorKind } from './errors.ts';

/**
 * @param maxBytes the most that is kept; one byte more ends the transfer.
 * @param makeRoom is waited for before so many bytes are kept; what it throws ends the transfer.
 * @throws UpstreamError `too_large` above the limit, `timeout`, `unreachable` or `bad_answer` otherwise.
 */
export async function readBody(
  body: Readable,
  maxBytes: number,
  signal?: AbortSignal,
  makeRoom?: (length: number) => Promise<void> | undefined,
): Promise<Uint8Array> {
  const abort = (): void => {
    body.destroy(toFault('timeout', 'reading the answer was given up', signal?.reason));
  };
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      length += bytes.length;
      // Leaving the loop by a throw destroys the stream and with it the connection.
      if (length > maxBytes) throw toFault('too_large', `the answer is longer than ${maxBytes} bytes`);
      await makeRoom?.(length);
      chunks.push(bytes);
    }
  } catch (error) {
    throw toUpstreamError(error, UNNAMED_UPSTREAM, signal);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  return length <= SLICE_BYTES ? Buffer.concat(chunks, length) : await joined(chunks, length);
}

function toFault(kind: UpstreamErrorKind, why: string, cause?: unknown): UpstreamError {
  return new UpstreamError(kind, why, { about: { server: UNNAMED_UPSTREAM, why }, cause });
}

/** Bytes copied without a pause: a millisecond. */
const SLICE_BYTES = 1024 * 1024;

/** 32 MiB put together in one go hold up everything else for 25 ms. */
async function joined(chunks: readonly Buffer[], length: number): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(length);
  let [at, sinceTurn] = [0, 0];
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
    sinceTurn += chunk.length;
    if (sinceTurn < SLICE_BYTES) continue;
    sinceTurn = 0;
    await nextTurn();
  }
  return whole;
}

/** How much of an answer nobody wants is read to keep its connection, in bytes. */
const MAX_DISCARDED_BYTES = 64 * 1024;

/** Reads a small rest so that the connection can be used again; a large one costs the connection. */
export async function discard(
  body: Readable & { dump?: (limits: { limit: number }) => Promise<void> },
): Promise<void> {
  if (body.dump === undefined) body.destroy();
  else await body.dump({ limit: MAX_DISCARDED_BYTES });
}
