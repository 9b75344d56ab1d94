/** Answers that are the same for every client. */
import type { Response } from './types.ts';

const BODY = Buffer.from('{}');

/** "No credentials are wanted." */
export const OPEN_PING: Response = {
  status: 200,
  reasonPhrase: undefined,
  headers: new Map([
    ['Content-Type', 'application/json'],
    ['Content-Length', String(BODY.length)],
    ['Docker-Distribution-Api-Version', 'registry/2.0'],
  ]),
  body: BODY,
};
