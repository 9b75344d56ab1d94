/** Keys made once for all sequences: making them would be most of the time, and which key it is does not matter. */
import { createPublicKey } from 'node:crypto';
import {
  createNotaryCertificate,
  createSigningKey,
  recertify,
  type SigningKey,
} from '../../proxy/demo/notary/signing-key.ts';

export const GUN = 'docker.io/library/app';
export const START = new Date('2026-11-01T00:00:00Z');
const CERTIFICATES_START = new Date('2024-01-01T00:00:00Z');

export type KeyUse = 'root' | 'other';

const pools: Record<KeyUse, SigningKey[]> = { root: [], other: [] };
const wraps = new Map<string, SigningKey[]>();

/** The same key for the same number, in every sequence. ECDSA: OpenSSL verifies it ten times faster than Ed25519 in JS. */
export function pooledKey(use: KeyUse, index: number): SigningKey {
  const pool = pools[use];
  while (pool.length <= index) {
    pool.push(
      use === 'root'
        ? createSigningKey('ecdsa-x509', { commonName: GUN, now: CERTIFICATES_START })
        : createSigningKey('ecdsa'),
    );
  }
  return pool[index] as SigningKey;
}

/** The same key pair in another certificate: another ID, the same canonical ID. */
export function rewrapped(key: SigningKey, index: number): SigningKey {
  const known = wraps.get(key.canonicalId) ?? [];
  wraps.set(key.canonicalId, known);
  while (known.length <= index) {
    const pair = { privateKey: key.privateKey, publicKey: createPublicKey(key.privateKey) };
    const pem = createNotaryCertificate(GUN, pair, { commonName: GUN, now: CERTIFICATES_START });
    const wrap = recertify({ ...key, kind: 'ecdsa-x509' }, pem);
    known.push(wrap);
  }
  return known[index] as SigningKey;
}
