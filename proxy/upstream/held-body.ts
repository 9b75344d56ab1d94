/** Reading a whole body in the room there is for all of them (body-room.ts). */
import type { Readable } from 'node:stream';
import { BODY_LIMITS } from '../limits.ts';
import { CAUSES } from '../words.ts';
import { readBody } from './body.ts';
import type { BodyLease, BodyRoom, Need } from './body-room.ts';
import { UpstreamError } from './errors.ts';
import { headerOf, type UpstreamHeaders } from './headers.ts';

/** Whose body it is, and the room it takes. */
export type BodyOwner = { readonly upstream: string; readonly bodies: BodyRoom };
/** What an upstream answered. */
export type WholeBody = { readonly headers: UpstreamHeaders; readonly body: Readable };

export type BodyOptions = {
  /** The most that is kept, in bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Absent: `first`. */
  readonly need?: Need;
};

/**
 * Waits for room, reads, and keeps the room for as long as the bytes are used.
 *
 * @throws UpstreamError `no_room` when none became free in time, else as `readBody`.
 */
export async function withBody<Result>(
  owner: BodyOwner,
  { headers, body }: WholeBody,
  { maxBytes, signal, need = 'first' }: BodyOptions,
  use: (bytes: Uint8Array) => Result | Promise<Result>,
): Promise<Result> {
  const lease = owner.bodies.open(owner.upstream, need);
  let given = Math.min(maxBytes, lengthOf(headers) ?? BODY_LIMITS.unknownBytes);
  // It did not say how long it is, and is long: then all that it may be, once, so that no two wait for each other.
  const makeRoom = (length: number): Promise<void> | undefined => {
    if (length <= given) return undefined;
    given = maxBytes;
    return lease.grow(given, signal);
  };
  body.on('error', ignore);
  try {
    await lease.grow(given, signal);
    const bytes = await readBody(body, maxBytes, signal, makeRoom);
    lease.shrink(bytes.length);
    return await use(bytes);
  } finally {
    // Whoever left without reading it all does not keep the connection busy either.
    body.destroy();
    lease.end();
  }
}

/** The same for a small body, without waiting. @throws UpstreamError `no_room` at once. */
export async function readSmallBody(
  owner: BodyOwner,
  { headers, body }: WholeBody,
  { maxBytes, signal }: BodyOptions,
): Promise<Uint8Array> {
  const lease: BodyLease = owner.bodies.open(owner.upstream, 'more');
  body.on('error', ignore);
  try {
    if (!lease.tryGrow(Math.min(maxBytes, lengthOf(headers) ?? maxBytes)))
      throw new UpstreamError('no_room', CAUSES.noRoomForBodies);
    return await readBody(body, maxBytes, signal);
  } finally {
    body.destroy();
    lease.end();
  }
}

/** A body that nobody reads must not end the process; a reader still gets the error. */
function ignore(): void {}

/** What HTTP holds an answer to: undefined where its end is not known from its head. */
export function lengthOf(headers: UpstreamHeaders): number | undefined {
  const text = headerOf(headers, 'content-length') ?? '';
  return /^[0-9]{1,15}$/.test(text) && !headers.has('transfer-encoding') ? Number(text) : undefined;
}
