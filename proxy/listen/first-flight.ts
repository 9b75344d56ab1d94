/** Waits for a tunnel's ClientHello: bounded in bytes and in time, and nothing is passed on before it is judged. */
import type { Socket } from 'node:net';
import { MAX_HELLO_BYTES } from '../limits.ts';
import { type Hello, readHello } from './client-hello.ts';
import { createPieces } from './pieces.ts';

export type FirstFlight = { readonly hello: Hello; readonly bytes: Buffer };

/** The client is paused afterwards. */
export function readFirstFlight(client: Socket, timeoutMs: number): Promise<FirstFlight> {
  return new Promise((resolve) => {
    const came = createPieces();
    let needed = 1;
    const settle = (hello: Hello): void => {
      clearTimeout(timer);
      client.off('data', take).off('end', leave).off('close', leave).pause();
      resolve({ hello, bytes: came.whole() });
    };
    const leave = (): void => settle({ kind: 'bad', message: 'the client left before its ClientHello' });
    const take = (chunk: Buffer): void => {
      came.add(chunk);
      if (came.size < needed) return;
      const hello = readHello(came.whole());
      if (hello.kind === 'more') needed = Math.min(hello.bytes, MAX_HELLO_BYTES);
      else settle(hello);
    };
    const timer = setTimeout(
      () => settle({ kind: 'bad', message: 'no ClientHello came in time' }),
      timeoutMs,
    );
    client.on('data', take).once('end', leave).once('close', leave);
    if (client.destroyed) leave();
  });
}
