/** A body that streams from an upstream to a client, in a window of the room there is (room.ts). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Lease } from './room.ts';

/** Resolves when the exchange is over. Whichever side breaks takes the other with it: never a short whole answer. */
export function transfer(answer: IncomingMessage, res: ServerResponse, lease: Lease): Promise<void> {
  const { socket } = answer;
  // What is encrypted waits once more, beside what it was made from.
  const factor = res.socket instanceof TLSSocket ? 2 : 1;
  let isPaused = false;
  const pause = (): void => {
    isPaused = true;
    answer.pause();
    socket.pause();
  };
  const resume = (): void => {
    isPaused = false;
    answer.resume();
    socket.resume();
  };
  const weigh = (): void => {
    const waiting = res.writableLength * factor;
    lease.waits(waiting);
    const window = lease.window();
    // From its last byte on, the connection may be another transfer's.
    if (!isPaused && waiting >= window && !answer.complete) pause();
    else if (isPaused && waiting <= window / 2) resume();
  };
  return new Promise((resolve) => {
    const cut = (): void => {
      res.destroy();
      answer.destroy();
    };
    answer.on('data', (chunk: Buffer) => {
      res.write(chunk, weigh);
      weigh();
    });
    answer.once('end', () => res.end());
    answer.once('error', cut);
    answer.once('close', () => {
      if (!answer.readableEnded) cut();
    });
    res.once('error', cut);
    res.once('close', () => {
      if (!answer.readableEnded) answer.destroy();
      resolve();
    });
    if (res.destroyed) cut();
    if (res.closed) resolve();
  });
}
