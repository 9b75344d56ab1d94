/**
 * What a tunnel's client sends after its first ClientHello, until the server has taken one. A server that asks again
 * (HelloRetryRequest) takes another name in the second, though it must be the same (RFC 8446 §4.1.2), so that one is
 * held until it is judged. The client may send it before it was asked, so every handshake record counts until then.
 */

import { MAX_HELLO_BYTES } from '../limits.ts';
import { readHello } from './client-hello.ts';
import { createPieces } from './pieces.ts';
import { readServerAnswer } from './server-hello.ts';

/** What may go on, which may be nothing yet; or what is wrong, and then nothing may. */
export type Judged = { readonly pass: Buffer } | { readonly fault: string };

export type LaterHellos = {
  fromClient(chunk: Buffer): Judged;
  /** Only looks: what a server sends is passed on as it is. */
  fromServer(chunk: Buffer): void;
};

const [CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA] = [20, 21, 22, 23];
/** Beside the second ClientHello: its change_cipher_spec, early data the server skips, warnings. */
const PASSING: readonly (number | undefined)[] = [CHANGE_CIPHER_SPEC, ALERT, APPLICATION_DATA];
const HEADER_BYTES = 5;

/** @param judge what is wrong with a name, if anything. */
export function createLaterHellos(judge: (name: string | undefined) => string | undefined): LaterHellos {
  const hellos = new Hellos(judge);
  return {
    fromClient: (chunk) => hellos.fromClient(chunk),
    fromServer: (chunk) => hellos.fromServer(chunk),
  };
}

class Hellos {
  readonly #judge: (name: string | undefined) => string | undefined;
  readonly #answer = gather(1);
  readonly #held = gather(HEADER_BYTES);
  #isTaken = false;
  #isAnswered = false;
  #hasSecond = false;
  /** Bytes of a record that passes. */
  #passing = 0;

  constructor(judge: (name: string | undefined) => string | undefined) {
    this.#judge = judge;
  }

  fromClient(chunk: Buffer): Judged {
    const bytes = this.#held.add(chunk, this.#isTaken);
    if (bytes === undefined || this.#isTaken) return { pass: bytes ?? NOTHING };
    let at = 0;
    while (at < bytes.length) {
      const length = this.#next(bytes.subarray(at));
      if (typeof length === 'string') return { fault: length };
      if (length === undefined) break;
      at += length;
    }
    // In the middle of a record that passes, nothing is held.
    if (at === bytes.length) this.#held.wait(this.#passing > 0 ? 1 : HEADER_BYTES);
    this.#held.keep(bytes.subarray(at));
    return { pass: bytes.subarray(0, at) };
  }

  fromServer(chunk: Buffer): void {
    if (this.#isAnswered) return;
    const bytes = this.#answer.add(chunk);
    if (bytes === undefined) return;
    const read = readServerAnswer(bytes);
    this.#isAnswered = read.kind !== 'more';
    this.#isTaken = read.kind === 'taken';
    this.#answer.keep(this.#isAnswered ? NOTHING : bytes);
    if (read.kind === 'more') this.#answer.wait(read.bytes);
  }

  /** The next piece of whole records. @returns how long it is; undefined: it is to be held; text: what is wrong. */
  #next(bytes: Buffer): number | string | undefined {
    if (this.#passing > 0) {
      const length = Math.min(this.#passing, bytes.length);
      this.#passing -= length;
      return length;
    }
    if (bytes.length < HEADER_BYTES) return this.#held.wait(HEADER_BYTES);
    if (bytes[1] !== 3) return 'what follows the first ClientHello is not TLS';
    if (PASSING.includes(bytes[0])) {
      this.#passing = bytes.readUInt16BE(3);
      return HEADER_BYTES;
    }
    if (bytes[0] !== HANDSHAKE) return 'what follows the first ClientHello is not TLS';
    return this.#nextHello(bytes);
  }

  #nextHello(bytes: Buffer): number | string | undefined {
    if (this.#hasSecond) return 'a third ClientHello came';
    const hello = readHello(bytes);
    if (hello.kind === 'more') return this.#held.wait(Math.min(hello.bytes, MAX_HELLO_BYTES));
    const fault = hello.kind === 'bad' ? hello.message : this.#judge(hello.name);
    if (hello.kind === 'bad' || fault !== undefined) return `second ClientHello: ${fault}`;
    this.#hasSecond = true;
    return hello.end;
  }
}

const NOTHING = Buffer.alloc(0);

/** Bytes that wait for more: looked at only when there are as many as are needed, so that a trickle costs little. */
function gather(needed: number) {
  const waiting = createPieces();
  return {
    /** @returns all of it, to be given back with `keep` as far as it is not used; undefined: not enough yet. */
    add(chunk: Buffer, isEnough = false): Buffer | undefined {
      waiting.add(chunk);
      if (waiting.size < needed && !isEnough) return undefined;
      const all = waiting.whole();
      waiting.clear();
      return all;
    },
    keep(rest: Buffer): void {
      if (rest.length > 0) waiting.add(Buffer.from(rest));
    },
    wait(bytes: number): undefined {
      needed = bytes;
    },
  };
}
