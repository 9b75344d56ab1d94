/** An answer to what is no request of the pipeline: written to the bare connection, which it ends. */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../wire/types.ts';
import { toErrorResponse } from '../wire/wire-errors.ts';

/** @param status in place of the one that belongs to the refusal's reason. */
export function endWith(socket: Duplex, refusal: Refusal, requestId: string, status?: number): void {
  const response = toErrorResponse(refusal, { requestId });
  const { headers, body, reasonPhrase } = response;
  const lines = [...headers].map(([name, value]) => `${name}: ${String(value)}\r\n`).join('');
  const first = `HTTP/1.1 ${status ?? response.status} ${reasonPhrase ?? 'Refused'}\r\n`;
  socket.end(
    `${first}${lines}X-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${Buffer.from(body ?? [])}`,
  );
  // What a client goes on sending after this is not read.
  if (socket instanceof Socket) socket.destroySoon();
}
