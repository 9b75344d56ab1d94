/** Writing a complete answer where Koa is no longer in charge of the response. */
import type { ServerResponse } from 'node:http';
import type { Response } from './types.ts';

/** Sends a complete answer. HEAD leaves the body behind and keeps its headers. */
export function sendResponse(res: ServerResponse, { status, reasonPhrase, headers, body }: Response): void {
  if (res.headersSent || res.destroyed) {
    // Something is already on its way: only a cut connection can still say that it is not whole.
    res.destroy();
    return;
  }
  for (const [name, value] of headers) res.setHeader(name, typeof value === 'string' ? value : [...value]);
  if (reasonPhrase !== undefined) res.statusMessage = reasonPhrase;
  res.statusCode = status;
  res.end(res.req.method === 'HEAD' ? undefined : body);
}
