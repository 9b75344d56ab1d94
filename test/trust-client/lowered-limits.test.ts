/** Bounds that only large files meet, each lowered to a few: exactly at the bound, and one above it. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { sharedKeyPair } from '../../proxy/demo/signing-key.ts';
import { goesWith } from '../../proxy/trust-client/behind-root.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';
import { isMetadataForm } from '../../proxy/trust-client/notary-answers.ts';
import type { RootFile } from '../../proxy/trust-client/root-trust.ts';
import { isValidSignature, verifyThreshold } from '../../proxy/trust-client/signatures.ts';
import { parseStrictJson } from '../../proxy/trust-client/strict-json.ts';
import { withLimits } from './lowered-limits.ts';
import { at, type Kind, parse, plainFile, plainKey } from './plain-files.ts';

const tooLarge = (kind: Kind) => expect.objectContaining({ fault: 'size', role: kind });

test('a bound is as it was after the call, also when it threw', () => {
  const { keys } = LIMITS;
  expect(() =>
    withLimits({ keys: 1 }, () => {
      throw new Error(String(LIMITS.keys));
    }),
  ).toThrow('1');
  expect(LIMITS.keys).toBe(keys);
});

describe('a file', () => {
  const second = plainKey(8);
  const delegation = (index: number) => ({
    keyids: [plainKey(7).id, second.id],
    name: `targets/d${index}`,
    paths: ['ab', 'cde'],
    threshold: 1,
  });
  const delegating = () => {
    const file = plainFile('targets');
    at(file, 'signed.delegations.keys')[second.id] = second.key;
    at(file, 'signed.delegations')['roles'] = [delegation(1), delegation(2)];
    return file;
  };
  const snapshot = () => plainFile('snapshot');
  const KEY_BYTES = 'ed25519'.length + 44;

  test.each<[what: keyof typeof LIMITS, kind: Kind, file: () => ReturnType<typeof plainFile>, most: number]>([
    ['snapshotNames', 'snapshot', snapshot, 3],
    ['keys', 'targets', delegating, 2],
    ['keyBytes', 'targets', delegating, 2 * KEY_BYTES],
    ['delegations', 'targets', delegating, 2],
    ['paths', 'targets', delegating, 2],
    ['pathCharacters', 'targets', delegating, 3],
    ['keyReferences', 'targets', delegating, 4],
    ['pathsOfFile', 'targets', delegating, 4],
  ])('of as much as %s (%s) is read, and refused above it', (limit, kind, file, most) => {
    const content = file();
    expect(withLimits({ [limit]: most }, () => parse(kind, content))).toBeDefined();
    expect(() => withLimits({ [limit]: most - 1 }, () => parse(kind, content))).toThrow(tooLarge(kind));
  });
});

describe('JSON', () => {
  const read = (text: string) => parseStrictJson(Buffer.from(text), 'root');
  const malformed = expect.objectContaining({ fault: 'format', role: 'root' });

  test.each([
    ['values', { jsonValues: 4 }, '[1,{"a":2}]', '[1,{"a":2},3]'],
    ['values in an object', { jsonValues: 3 }, '{"a":1,"b":""}', '{"a":1,"b":"","c":null}'],
    ['levels', { jsonDepth: 2 }, '[{"a":1},[2]]', '[{"a":[1]}]'],
    ['levels, one list after another', { jsonDepth: 2 }, '[[],[],[],{},{}]', '[[],[],[[]]]'],
    ['characters of a number', { numberCharacters: 3 }, '[123,1e9,-12]', '[1234]'],
    ['characters of a number with a sign', { numberCharacters: 3 }, '-12', '-123'],
  ])('of as many %s as the bound is read, and refused above it', (_what, limits, most, more) => {
    expect(withLimits(limits, () => read(most))).toBeDefined();
    expect(() => withLimits(limits, () => read(more))).toThrow(malformed);
    expect(read(more)).toBeDefined();
  });

  test('a string of many escapes is the same however its pieces are joined', () => {
    const text = 'é"\\\n'.repeat(6000);
    expect(read(JSON.stringify([text]))).toEqual([text]);
  });
});

describe('signatures', () => {
  const { id, key } = plainKey(7);
  const bytes = Buffer.from(String((key['keyval'] as Record<string, unknown>)['public']), 'base64');
  const role = { keys: [toPublicKey('ed25519', bytes)], threshold: 1 };
  const signed = (keyId: string) => ({ keyId, method: 'eddsa', bytes: new Uint8Array(64) });
  const check = (signedBytes: number, ...of: string[]) => {
    const message = Buffer.alloc(10);
    return () => withLimits({ signedBytes }, () => verifyThreshold(role, of.map(signed), message, 'root'));
  };

  test('of keys of the role count with every byte they are over', () => {
    expect(check(20, id, id)).toThrow(expect.objectContaining({ fault: 'threshold' }));
    expect(check(19, id, id)).toThrow(expect.objectContaining({ fault: 'size', role: 'root' }));
  });

  test('of strangers are not checked, and do not count', () => {
    expect(check(10, id, 'a', 'b', 'c')).toThrow(expect.objectContaining({ fault: 'threshold' }));
  });

  const signedBy = (privateKey: KeyObject, publicKey: KeyObject, rsaBits: number) => {
    const own = toPublicKey('rsa', publicKey.export({ type: 'spki', format: 'der' }));
    const message = Buffer.from('message');
    const signature = { keyId: own.id, method: 'rsapkcs1v15', bytes: sign('sha256', message, privateKey) };
    return withLimits({ rsaBits }, () => isValidSignature(own, signature, message));
  };

  test('of an RSA key of as many bits as the bound are checked, of a longer key they count for nothing', () => {
    const { privateKey, publicKey } = sharedKeyPair('rsa2048');
    expect(signedBy(privateKey, publicKey, 2048)).toBe(true);
    expect(signedBy(privateKey, publicKey, 2047)).toBe(false);
  });

  test('of an RSA key of 2047 bits count for nothing', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2047 });
    expect(signedBy(privateKey, publicKey, 4096)).toBe(false);
  });
});

describe('a snapshot nobody vouches for', () => {
  const bytes = Buffer.from(JSON.stringify(plainFile('snapshot')));
  const other = { sha256: '0'.repeat(64) } as RootFile;

  test('is read up to the bound, and says which root it goes with', () => {
    expect(withLimits({ unsignedSnapshotBytes: bytes.length }, () => goesWith(bytes, other))).toBe(false);
    const named = { sha256: Buffer.alloc(32, 1).toString('hex') } as RootFile;
    expect(goesWith(bytes, named)).toBe(true);
  });

  test('is not read above it, and then its refusal counts', () => {
    expect(withLimits({ unsignedSnapshotBytes: bytes.length - 1 }, () => goesWith(bytes, other))).toBe(true);
  });
});

test('an answer up to the size of a root is read as a whole, a larger one by its ends', () => {
  const bytes = Buffer.from('{"signed":{},"signatures":[}');
  expect(withLimits({ rootBytes: bytes.length }, () => isMetadataForm(bytes))).toBe(false);
  expect(withLimits({ rootBytes: bytes.length - 1 }, () => isMetadataForm(bytes))).toBe(true);
});
