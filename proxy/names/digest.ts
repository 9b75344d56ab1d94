/** Digests of bytes, by Node's own hashing (CONTRIBUTING.md, "Dependencies"). */
import { hash as hashOnce } from 'node:crypto';
import type { Digest } from './reference.ts';

/** True when the bytes have this digest. Public values are compared, so time does not matter. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  const algorithm = digest.startsWith('sha256:') ? 'sha256' : 'sha512';
  return `${algorithm}:${hashOnce(algorithm, bytes, 'hex')}` === digest;
}
