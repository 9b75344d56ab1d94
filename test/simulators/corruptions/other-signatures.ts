/** The signatures of a file, altered; nothing that is signed changes. */
import { createHash } from 'node:crypto';
import * as der from '../../../proxy/demo/notary/der.ts';
import type { PlainSignature } from '../../../proxy/demo/notary/metadata-writer.ts';
import type { Corruption } from './types.ts';

export const otherSignatures: readonly Corruption[] = [
  { name: 'no signature', alters: 'itself', signatures: () => [] },
  each('signed by a key nobody knows', (signature) => ({ ...signature, keyid: '0'.repeat(64) })),
  each('key ID in upper case', (signature) => ({ ...signature, keyid: signature.keyid.toUpperCase() })),
  each('method of another algorithm', (signature) => ({ ...signature, method: 'rsapss' })),
  each('unknown method', (signature) => ({ ...signature, method: 'none' })),
  each('method named __proto__', (signature) => ({ ...signature, method: '__proto__' })),
  each('method in upper case', (signature) => ({ ...signature, method: signature.method.toUpperCase() })),
  each('one bit flipped', (signature) => ({ ...signature, sig: flipped(signature.sig) })),
  each('as ASN.1', (signature) => ({ ...signature, sig: toAsn1(signature.sig) })),
  each('one byte short', (signature) => ({
    ...signature,
    sig: recoded(signature.sig, (b) => b.subarray(1)),
  })),
  each('not base64', (signature) => ({ ...signature, sig: '*'.repeat(88) })),
  each('URL-safe base64', (signature) => ({
    ...signature,
    sig: `-${recoded(signature.sig, (bytes) => bytes).slice(1)}`,
  })),
  {
    name: 'the same signature twice',
    alters: 'itself',
    signatures: (list) => [...list, ...list],
  },
  {
    name: 'a bad signature before the good one',
    alters: 'itself',
    signatures: (list) => [...list.map((item) => ({ ...item, sig: flipped(item.sig) })), ...list],
  },
  {
    name: 'a signature by a retired key beside the good one',
    alters: 'itself',
    signatures: (list) => [...list.map((item) => ({ ...item, keyid: 'f'.repeat(64) })), ...list],
  },
  {
    name: '200 signatures',
    alters: 'itself',
    signatures: (list) => Array.from({ length: 200 }, () => list).flat(),
  },
  {
    name: 'a signature over something else',
    alters: 'itself',
    signatures: (list) => list.map((item) => ({ ...item, sig: unrelated(item.keyid) })),
  },
];

function each(name: string, change: (signature: PlainSignature) => PlainSignature): Corruption {
  return { name, alters: 'itself', signatures: (list) => list.map(change) };
}

function recoded(base64: string, change: (bytes: Buffer) => Buffer): string {
  return change(Buffer.from(base64, 'base64')).toString('base64');
}

function flipped(base64: string): string {
  return recoded(base64, (bytes) => {
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    return bytes;
  });
}

/** The same two numbers in the form most libraries write, which Notary never reads (notary-semantics.md §5.2). */
function toAsn1(base64: string): string {
  return recoded(base64, (raw) => {
    const half = raw.length / 2;
    const number = (bytes: Buffer) => der.integer(BigInt(`0x${bytes.toString('hex')}`));
    return der.sequence(number(raw.subarray(0, half)), number(raw.subarray(half)));
  });
}

function unrelated(seed: string): string {
  return createHash('sha512').update(seed).digest('base64');
}
