/** Whether a TLS server took the ClientHello it was sent, read from the first bytes it answers with (RFC 8446 §4.1.3). Pure. */
import { hash } from 'node:crypto';
import { MAX_HELLO_BYTES, MAX_HELLO_RECORDS } from '../limits.ts';

export type ServerAnswer =
  /** Not known yet: nothing changes before there are this many bytes. */
  | { readonly kind: 'more'; readonly bytes: number }
  /** A ServerHello: from here on no server takes another ClientHello in the clear. */
  | { readonly kind: 'taken' }
  /** Anything else. */
  | { readonly kind: 'unknown' };

const [CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE] = [20, 21, 22];
const SERVER_HELLO = 2;
/** A message's type and length, the version, and the random. */
const RANDOM_AT = 4 + 2;
const RANDOM_END = RANDOM_AT + 32;
/** The random by which a ServerHello is a HelloRetryRequest. */
const RETRY = hash('sha256', 'HelloRetryRequest', 'buffer');

export function readServerAnswer(bytes: Buffer): ServerAnswer {
  let message: Buffer = Buffer.alloc(0);
  for (let at = 0, records = 0; records < MAX_HELLO_RECORDS; records += 1) {
    if (bytes.length < at + 5) return more(at + 5);
    const type = bytes[at];
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    const isBetween = type === ALERT || type === CHANGE_CIPHER_SPEC;
    if (bytes[at + 1] !== 3 || !(type === HANDSHAKE || isBetween)) return UNKNOWN;
    if (bytes.length < end) return more(end);
    if (type === HANDSHAKE) message = withoutRetry(Buffer.concat([message, bytes.subarray(at + 5, end)]));
    if (message.length > 0 && message[0] !== SERVER_HELLO) return UNKNOWN;
    if (message.length >= RANDOM_END && !isRetry(message)) return { kind: 'taken' };
    at = end;
  }
  return UNKNOWN;
}

const UNKNOWN = { kind: 'unknown' } as const;

function more(bytes: number): ServerAnswer {
  return bytes > MAX_HELLO_BYTES ? UNKNOWN : { kind: 'more', bytes };
}

function isRetry(message: Buffer): boolean {
  return message.subarray(RANDOM_AT, RANDOM_END).equals(RETRY);
}

/** What follows a HelloRetryRequest, once that is whole. */
function withoutRetry(message: Buffer): Buffer {
  if (message.length < RANDOM_END || !isRetry(message)) return message;
  const end = 4 + message.readUIntBE(1, 3);
  return message.length < end ? message : message.subarray(end);
}
