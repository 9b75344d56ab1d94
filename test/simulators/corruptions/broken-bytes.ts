/** Files whose bytes are wrong outside `signed`: the signatures, if anybody gets that far, still verify. */
import type { Corruption } from './types.ts';

const HTML = Buffer.from('<!DOCTYPE html><html><body>Service temporarily unavailable</body></html>');

export const brokenBytes: readonly Corruption[] = [
  { name: 'missing', alters: 'itself', attackers: ['transit'], bytes: () => undefined },
  { name: 'empty', alters: 'itself', bytes: () => Buffer.alloc(0) },
  { name: 'cut in half', alters: 'itself', bytes: (bytes) => bytes.subarray(0, bytes.length >> 1) },
  { name: 'without its last byte', alters: 'itself', bytes: (bytes) => bytes.subarray(0, -1) },
  { name: 'an HTML page', alters: 'itself', bytes: () => HTML },
  {
    name: 'text after the end',
    alters: 'itself',
    bytes: (bytes) => Buffer.concat([bytes, Buffer.from('{}')]),
  },
  { name: 'a byte that is not UTF-8', alters: 'itself', bytes: withInvalidUtf8 },
  {
    name: 'a byte order mark',
    alters: 'itself',
    bytes: (bytes) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]),
  },
  { name: 'white space between members', alters: 'itself', bytes: replaced('{"signed":', '{ "signed" :\n') },
  { name: 'an unknown unsigned member', alters: 'itself', bytes: replaced('{"signed":', '{"x":1,"signed":') },
  {
    name: 'an unsigned member in another case',
    alters: 'itself',
    bytes: replaced('{"signed":', '{"Signed":{},"signed":'),
  },
  { name: 'signed twice', alters: 'itself', bytes: replaced('{"signed":', '{"signed":{},"signed":') },
  { name: 'signatures twice', alters: 'itself', bytes: replaced('{"signed":', '{"signatures":[],"signed":') },
  { name: 'signatures under another name', alters: 'itself', bytes: replaced('"signatures":', '"sigs":') },
  {
    name: 'an unknown member in a signature',
    alters: 'itself',
    bytes: replaced('[{"keyid":', '[{"x":1,"keyid":'),
  },
  {
    name: 'signed is null',
    alters: 'itself',
    bytes: () => Buffer.from('{"signed":null,"signatures":[]}'),
  },
  { name: 'a bare array', alters: 'itself', bytes: () => Buffer.from('[]') },
];

/** The start of the `_type` value becomes a byte that begins nothing in UTF-8. */
function withInvalidUtf8(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[copy.indexOf('"_type":"') + '"_type":"'.length] = 0xff;
  return copy;
}

function replaced(from: string, to: string): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => Buffer.from(Buffer.from(bytes).toString().replace(from, to));
}
