/** Digests of bytes. Bulk hashing is Node's own (product.md, "Dependencies"). */
import { hash as hashOnce } from 'node:crypto';
import type { Digest } from './reference.ts';
import { isSchema1, signedPayload } from './schema1.ts';

/** True when the bytes have this digest. Public values are compared, so time does not matter. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  const algorithm = digest.startsWith('sha256:') ? 'sha256' : 'sha512';
  return `${algorithm}:${hashOnce(algorithm, bytes, 'hex')}` === digest;
}

/** The same for a manifest: schema1, whose signatures stand inside, is known by what they are over. */
export function hasManifestDigest(
  bytes: Uint8Array,
  digest: Digest,
  contentType: string | undefined,
): boolean {
  if (hasDigest(bytes, digest)) return true;
  const payload = isSchema1(contentType) ? signedPayload(bytes) : undefined;
  return payload !== undefined && hasDigest(payload, digest);
}
