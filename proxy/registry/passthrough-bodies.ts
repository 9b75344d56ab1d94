/** Bodies that do not only stream by: answers kept, refusals restated. */
import type { IncomingMessage } from 'node:http';
import type { Forward } from './passthrough.ts';
import { toRelayed } from './relay.ts';
import type { Response } from './types.ts';

/** Collects what streams by, while it is short enough; a transfer that is cut is forgotten. */
export function keep(answer: IncomingMessage, { maxBytes, onWhole }: NonNullable<Forward['keep']>): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const collect = (chunk: Buffer): void => {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.splice(0);
  };
  answer.on('data', collect);
  answer.once('end', () => {
    if (answer.complete && length <= maxBytes)
      onWhole({ bytes: Buffer.concat(chunks, length), contentType: answer.headers['content-type'] });
  });
}

/** An upstream's refusal as a whole. */
export function toRefusal(answer: IncomingMessage): Promise<Response> {
  const headers = new Map(
    Object.entries(answer.headersDistinct).map(([name, values]) => [name, values ?? []]),
  );
  return toRelayed({ status: answer.statusCode ?? 502, headers, body: answer });
}
