/** One request that is handed on, and what tells how it went. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Digest } from '../names/reference.ts';
import type { HttpClient } from '../upstream/types.ts';
import type { Response } from '../wire/types.ts';

export type ForwardKind = 'blob' | 'referrers' | 'tags' | 'trust';
/** `deadline_exceeded`: there was no room for its answer in time. */
export type ForwardFailure = 'registry_unreachable' | 'digest_mismatch' | 'deadline_exceeded';
/** The bytes of an answer, and the Content-Type they came under. */
export type ConfirmedBody = { readonly bytes: Uint8Array; readonly contentType: string | undefined };

/** One request to hand on. */
export type Forward = {
  readonly kind: ForwardKind;
  readonly client: HttpClient;
  /** Built from the route's parts, with its query. */
  readonly path: string;
  readonly scope: string;
  /** Of a blob: what another announced digest is compared with. */
  readonly digest?: Digest;
  /** A whole answer 200 of at most this many bytes went on. */
  readonly keep?: { readonly maxBytes: number; readonly onWhole: (body: ConfirmedBody) => void };
  /** Turns the upstream's `Link` into one that leads back to us; undefined: no `Link` goes on. */
  readonly toLink?: (link: string) => string | undefined;
  /** The upstream answered and its answer goes on: called once, before the first byte. */
  readonly onServed: (status: number) => void;
  /** Nothing can go on: called once, gives the refusal to send instead. */
  readonly onFailed: (reason: ForwardFailure, what: string, retryAfter?: string) => Response;
  /** What goes on in place of an upstream's answer of 400 and above; absent: that answer itself. */
  readonly onRefused?: (refusal: Response) => Promise<Response>;
};

export type Forwarder = {
  /** Resolves when the exchange is over, however it ended; never rejects. */
  forward(req: IncomingMessage, res: ServerResponse, forward: Forward): Promise<void>;
  /** Sends a complete answer, or `busy` where too much waits for this client already. */
  respond(res: ServerResponse, response: Response, busy: () => Response): void;
  close(): void;
};
