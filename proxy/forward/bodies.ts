/** Bodies that do not only stream by: answers kept, refusals restated. */
import type { IncomingMessage } from 'node:http';
import { COLLECTED_BYTES } from '../limits.ts';
import { BodyRoom } from '../upstream/body-room.ts';
import type { UpstreamHeaders } from '../upstream/headers.ts';
import { type BodyOwner, lengthOf } from '../upstream/held-body.ts';
import { toRelayed } from '../upstream/relay.ts';
import type { Response } from '../wire/types.ts';
import type { Forward } from './types.ts';

/** Of their own: what streams by goes at its client's pace, and must not keep room from what does not. */
const COLLECTED = new BodyRoom({ maxBytes: { first: COLLECTED_BYTES } });

/** Collects what streams by, while it is short enough and there is room for it; a transfer that is cut is forgotten. */
export function keep(
  answer: IncomingMessage,
  upstream: string,
  { maxBytes, onWhole }: NonNullable<Forward['keep']>,
): void {
  if ((lengthOf(headersOf(answer)) ?? 0) > maxBytes) return;
  const lease = COLLECTED.open(upstream, 'first');
  const chunks: Buffer[] = [];
  let length = 0;
  let isKept = true;
  const giveUp = (): void => {
    answer.off('data', collect);
    chunks.splice(0);
    isKept = false;
    lease.end();
  };
  const collect = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= maxBytes && lease.tryGrow(length)) chunks.push(chunk);
    else giveUp();
  };
  answer.on('data', collect);
  answer.once('end', () => {
    if (answer.complete && isKept)
      onWhole({ bytes: Buffer.concat(chunks, length), contentType: answer.headers['content-type'] });
  });
  answer.once('close', giveUp);
}

/** An upstream's refusal as a whole. */
export function toRefusal(answer: IncomingMessage, owner: BodyOwner): Promise<Response> {
  return toRelayed(owner, { status: answer.statusCode ?? 502, headers: headersOf(answer), body: answer });
}

function headersOf(answer: IncomingMessage): UpstreamHeaders {
  return new Map(Object.entries(answer.headersDistinct).map(([name, values]) => [name, values ?? []]));
}
