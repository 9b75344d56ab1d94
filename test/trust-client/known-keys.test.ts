/** Keys that are not read again: the same for the same text, few enough, and none that is large. */
import { describe, expect, test } from '@jest/globals';
import { sharedKeyPair } from '../../proxy/demo/notary/signing-key.ts';
import { toPublicKey } from '../../proxy/trust-client/keys.ts';
import { createKnownKeys } from '../../proxy/trust-client/known-keys.ts';
import { LIMITS } from '../../proxy/trust-client/limits.ts';

const SPKI = sharedKeyPair('p256').publicKey.export({ type: 'spki', format: 'der' });

function key(id: string, bytes = 1) {
  return { id, bytes: new Uint8Array(bytes) };
}

describe('keys of metadata', () => {
  test('the same bytes under the same type are read once', () => {
    expect(toPublicKey('ecdsa', Uint8Array.from(SPKI))).toBe(toPublicKey('ecdsa', Uint8Array.from(SPKI)));
  });

  test('the same bytes under another type are another key', () => {
    expect(toPublicKey('ecdsa', SPKI).algorithm).toBe('ecdsa');
    expect(toPublicKey('rsa', SPKI).algorithm).toBe('unknown');
  });
});

describe('what is remembered', () => {
  test('beyond the bound the one goes that was not used for longest', () => {
    const known = createKnownKeys();
    known.remember(key('first'), 1);
    known.remember(key('second'), 1);
    for (let count = 2; count < LIMITS.knownKeys; count += 1) known.remember(key(`${count}`), 1);
    known.get('first');
    known.remember(key('one more'), 1);
    expect(known.get('second')).toBeUndefined();
    expect(known.get('first')).toBeDefined();
    expect(known.get('one more')).toBeDefined();
  });

  test('a key above the bound in bytes is not', () => {
    const known = createKnownKeys();
    known.remember(key('large', LIMITS.knownKeyBytes + 1), 1);
    known.remember(key('largest', LIMITS.knownKeyBytes), 1);
    expect(known.get('large')).toBeUndefined();
    expect(known.get('largest')).toBeDefined();
  });

  test('what many certificates of one key weigh takes the place of others', () => {
    const known = createKnownKeys();
    const most = Math.floor(LIMITS.knownKeysBytes / (13 * 6 * 1024 + 9 * 4096));
    for (let count = 0; count <= most; count += 1) known.remember(key(`${count}`, 4096), 13);
    expect([known.get('0'), known.get('1')]).toEqual([undefined, key('1', 4096)]);
    for (let times = 0; times < 1000; times += 1) known.remember(key('again', 4096), 13);
    expect(known.get('4')).toBeDefined();
  });
});
