/** Complete answers and beginnings of transfers, in the room for bytes that wait for clients (room.ts). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { toClientKey } from '../names/client-key.ts';
import { sendResponse } from '../wire/send-response.ts';
import type { Response } from '../wire/types.ts';
import type { Lease, Room } from './room.ts';

/** A longer answer is sent only where it could wait, in bytes; a shorter one costs no more than a refusal. */
const LARGE_BYTES = 64 * 1024;

/** @returns undefined when no room became free in time. An answer without a body needs none. */
export async function admit(
  room: Room,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<Lease | undefined> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  res.once('close', leave);
  const client = toClientKey(req.socket.remoteAddress);
  const cut = (): void => void res.destroy();
  const lease =
    req.method === 'HEAD' ? room.hold(client, 0, cut) : await room.admit(client, cut, gone.signal);
  res.off('close', leave);
  if (res.destroyed) lease?.end();
  else if (lease !== undefined) res.once('close', () => lease.end());
  return lease;
}

/** Sends a complete answer, and counts what the client does not take of it at once. */
export function sendHeld(room: Room, res: ServerResponse, response: Response, busy: () => Response): void {
  const client = toClientKey(res.req.socket.remoteAddress);
  const length = res.req.method === 'HEAD' ? 0 : (response.body?.length ?? 0);
  sendResponse(res, length > LARGE_BYTES && !room.fits(client, length) ? busy() : response);
  if (res.writableLength === 0 || res.destroyed) return;
  const factor = res.req.socket instanceof TLSSocket ? 2 : 1;
  const lease = room.hold(client, res.writableLength * factor, () => void res.destroy());
  res.once('close', () => lease.end());
}
