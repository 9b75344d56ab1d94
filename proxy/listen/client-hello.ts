/** The name a TLS client asks for, read from the records of a ClientHello (RFC 8446 §4.1.2, §5.1; RFC 6066 §3). Pure. */
import { MAX_HELLO_BYTES, MAX_HELLO_RECORDS } from '../limits.ts';

export type Hello =
  /** Not whole yet: nothing changes before there are this many bytes. */
  | { readonly kind: 'more'; readonly bytes: number }
  | { readonly kind: 'bad'; readonly message: string }
  /** `end`: of its last record. */
  | { readonly kind: 'hello'; readonly name: string | undefined; readonly end: number };

const [HANDSHAKE, CLIENT_HELLO, HOST_NAME] = [22, 1, 0];
const SERVER_NAME = 0;
/** encrypted_client_hello, and the draft before it: the name that counts is in there, and we cannot read it. */
const HIDDEN_NAMES: readonly number[] = [0xfe0d, 0xffce];

export function readHello(bytes: Buffer): Hello {
  const fragments: Buffer[] = [];
  for (let at = 0, records = 0; ; records += 1) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return bad('what came is not TLS');
    if (records === MAX_HELLO_RECORDS)
      return bad(`the ClientHello comes in more than ${MAX_HELLO_RECORDS} records`);
    if (bytes.length < at + 5) return more(at + 5);
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    if (bytes[at + 1] !== 3 || end === at + 5) return bad('what came is not TLS');
    if (bytes.length < end) return more(end);
    fragments.push(bytes.subarray(at + 5, end));
    const message = Buffer.concat(fragments);
    if (message[0] !== CLIENT_HELLO) return bad('the message is not a ClientHello');
    const length = message.length < 4 ? undefined : 4 + message.readUIntBE(1, 3);
    if (length !== undefined && length > MAX_HELLO_BYTES) return more(length);
    if (length !== undefined && message.length > length) return bad('more follows the ClientHello');
    if (message.length === length) return readMessage(message.subarray(4), end);
    at = end;
  }
}

function more(bytes: number): Hello {
  return bytes > MAX_HELLO_BYTES
    ? bad(`the ClientHello is longer than ${MAX_HELLO_BYTES} bytes`)
    : { kind: 'more', bytes };
}

function bad(message: string): Hello {
  return { kind: 'bad', message };
}

function readMessage(body: Buffer, recordsEnd: number): Hello {
  try {
    // Version and random, then session ID, cipher suites and compression methods.
    const [, afterSession] = vector(body, 34, 1);
    const [, afterSuites] = vector(body, afterSession, 2);
    const [, afterMethods] = vector(body, afterSuites, 1);
    if (afterMethods === body.length) return { kind: 'hello', name: undefined, end: recordsEnd };
    const [extensions, end] = vector(body, afterMethods, 2);
    if (end !== body.length) return bad('the ClientHello is malformed');
    return readExtensions(extensions, recordsEnd);
  } catch {
    return bad('the ClientHello is malformed');
  }
}

function readExtensions(extensions: Buffer, recordsEnd: number): Hello {
  let name: string | undefined;
  for (let at = 0; at < extensions.length; ) {
    const type = extensions.readUInt16BE(at);
    const [data, end] = vector(extensions, at + 2, 2);
    if (HIDDEN_NAMES.includes(type)) return bad('the ClientHello hides its name (ECH)');
    if (type === SERVER_NAME && name !== undefined) return bad('the ClientHello names its host twice');
    if (type === SERVER_NAME) name = readName(data);
    at = end;
  }
  return { kind: 'hello', name, end: recordsEnd };
}

/** Exactly one host name. @throws RangeError for anything else. */
function readName(data: Buffer): string {
  const [list, end] = vector(data, 0, 2);
  const [name, last] = vector(list, 1, 2);
  if (end !== data.length || last !== list.length || list[0] !== HOST_NAME || name.length === 0)
    throw new RangeError('not one host name');
  return name.toString('latin1').toLowerCase();
}

/** What has its length in front, and where it ends. @throws RangeError where there is less. */
function vector(bytes: Buffer, at: number, lengthBytes: 1 | 2): readonly [Buffer, number] {
  const start = at + lengthBytes;
  const end = start + bytes.readUIntBE(at, lengthBytes);
  if (end > bytes.length) throw new RangeError('too short');
  return [bytes.subarray(start, end), end];
}
