/** What a tunnel's client sends behind its first ClientHello, in every way it can be cut, until the server took one. */
import { hash } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { MAX_HELLO_BYTES } from '../../proxy/limits.ts';
import { createLaterHellos, type LaterHellos } from '../../proxy/listen/later-hellos.ts';
import { readServerAnswer } from '../../proxy/listen/server-hello.ts';
import { clientHello, tlsRecords } from './kit.ts';

let [right, wrong]: Buffer[] = [];
beforeAll(async () => {
  [right, wrong] = [await clientHello('store.example'), await clientHello('registry.example')];
});

const later = (): LaterHellos =>
  createLaterHellos((name) => (name === 'store.example' ? undefined : `asks for ${name}`));

function record(type: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 3, 3, payload.length >> 8, payload.length & 255]), payload]);
}

/** Type, length, version, random, and some more. */
function serverHello(random: Buffer): Buffer {
  return Buffer.concat([Buffer.from([2, 0, 0, 44, 3, 3]), random, Buffer.alloc(10)]);
}
const RETRY = serverHello(hash('sha256', 'HelloRetryRequest', 'buffer'));
const HELLO = serverHello(Buffer.alloc(32, 7));
const CHANGE_CIPHER_SPEC = record(20, Buffer.from([1]));
const UNRECOGNIZED_NAME = record(21, Buffer.from([1, 112]));

/** All that goes on of what is sent in pieces of so many bytes; or what is wrong. */
function send(hellos: LaterHellos, bytes: Buffer, size = bytes.length): Buffer | string {
  const passed: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const judged = hellos.fromClient(Buffer.from(bytes.subarray(at, at + size)));
    if ('fault' in judged) return judged.fault;
    passed.push(judged.pass);
  }
  return Buffer.concat(passed);
}

describe('before the server took one', () => {
  test.each([1, 2, 7, 100, 100_000])('all that may pass does, unchanged, in pieces of %d bytes', (size) => {
    const sent = Buffer.concat([CHANGE_CIPHER_SPEC, tlsRecords(Buffer.alloc(20_000, 1)), right ?? HELLO]);
    expect(send(later(), sent, size)).toEqual(sent);
  });

  test.each([1, 7, 100_000])('nothing of another name passes, in pieces of %d bytes', (size) => {
    const hellos = later();
    expect(send(hellos, CHANGE_CIPHER_SPEC, size)).toEqual(CHANGE_CIPHER_SPEC);
    expect(send(hellos, wrong ?? HELLO, size)).toMatch(/^second ClientHello: asks for registry\.example$/);
  });

  test('nothing of a ClientHello passes before it is whole', () => {
    expect(send(later(), (right ?? HELLO).subarray(0, -1), 9)).toEqual(Buffer.alloc(0));
  });

  test.each([
    ['another handshake message', record(22, Buffer.from([16, 0, 0, 1, 0])), /not a ClientHello/],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), /not TLS/],
    ['an unknown type of record', record(24, Buffer.from('x')), /not TLS/],
    ['SSL 2', Buffer.from('802e010002', 'hex'), /not TLS/],
    [
      'a fragment, and something between',
      Buffer.concat([record(22, Buffer.from([1])), UNRECOGNIZED_NAME]),
      /TLS/,
    ],
    [
      'one that is too long',
      record(22, Buffer.from([1, 0, (MAX_HELLO_BYTES >> 8) & 255, 0])),
      /longer than 32768 bytes/,
    ],
  ])('%s ends the tunnel', (_what, bytes, message) => {
    expect(send(later(), bytes)).toMatch(message);
  });

  test('a third one is never sent by an honest client', () => {
    const hellos = later();
    hellos.fromServer(record(22, RETRY));
    expect(send(hellos, Buffer.concat([right ?? HELLO, right ?? HELLO]))).toBe('a third ClientHello came');
  });
});

test('after its ServerHello everything passes, what was held first', () => {
  const hellos = later();
  const encrypted = record(22, Buffer.from([1, 0, 0, 40, 9, 9]));
  expect(send(hellos, Buffer.concat([CHANGE_CIPHER_SPEC, encrypted]))).toEqual(CHANGE_CIPHER_SPEC);
  hellos.fromServer(record(22, HELLO));
  expect(send(hellos, Buffer.from('whatever'))).toEqual(Buffer.concat([encrypted, Buffer.from('whatever')]));
});

describe('a server took the ClientHello', () => {
  test.each([
    ['with its ServerHello', record(22, HELLO), 'taken'],
    ['though it warns first', Buffer.concat([UNRECOGNIZED_NAME, record(22, HELLO)]), 'taken'],
    [
      'after it asked again',
      Buffer.concat([record(22, RETRY), CHANGE_CIPHER_SPEC, record(22, HELLO)]),
      'taken',
    ],
    ['in the record in which it asked again', record(22, Buffer.concat([RETRY, HELLO])), 'taken'],
    ['not when it asks again', Buffer.concat([record(22, RETRY), CHANGE_CIPHER_SPEC]), 'more'],
    ['not with another message', record(22, Buffer.from([6, 0, 0, 0])), 'unknown'],
    ['not when it does not speak TLS', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'unknown'],
    ['not with data', tlsRecords(Buffer.alloc(100)), 'unknown'],
    ['not when it warns without end', Buffer.concat(Array(17).fill(UNRECOGNIZED_NAME)), 'unknown'],
  ])('%s', (_how, bytes, kind) => {
    expect(readServerAnswer(bytes).kind).toBe(kind);
  });

  test('however its ServerHello is cut into records and pieces', () => {
    const records = Buffer.concat([...RETRY, ...HELLO].map((byte) => record(22, Buffer.from([byte]))));
    expect(readServerAnswer(records).kind).toBe('unknown');
    const hellos = later();
    const pieces = Buffer.concat([record(22, HELLO.subarray(0, 20)), record(22, HELLO.subarray(20))]);
    for (const byte of pieces) hellos.fromServer(Buffer.from([byte]));
    expect(send(hellos, Buffer.from('whatever'))).toEqual(Buffer.from('whatever'));
  });
});
