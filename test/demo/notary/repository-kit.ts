/** How the tests look at a simulated repository: with nothing but JSON.parse and node:crypto. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  type PlainSignature,
  type SignedOf,
  signedBytes,
} from '../../../proxy/demo/notary/metadata-writer.ts';
import type { SimulatedRepository } from '../../../proxy/demo/notary/notary-repository.ts';
import type { SigningKey } from '../../../proxy/demo/notary/signing-key.ts';

export const GUN = 'docker.io/library/alpine';
export const DIGEST = `sha256:${'ab'.repeat(32)}` as const;

type Envelope<Role extends string> = { signed: SignedOf<Role>; signatures: PlainSignature[] };

export function textOf(repository: SimulatedRepository, name: string): string {
  return Buffer.from(repository.files.get(name) ?? []).toString();
}

export function readFile<Role extends string>(
  repository: SimulatedRepository,
  role: Role,
  name: string = role,
): Envelope<Role> {
  return JSON.parse(textOf(repository, name)) as Envelope<Role>;
}

export function hex(bytes: Uint8Array | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}

/** Checks a P-256 signature. */
export function isSigned(repository: SimulatedRepository, name: string, key: SigningKey): boolean {
  const { signed, signatures } = readFile(repository, 'targets', name);
  const signature = signatures.find(({ keyid }) => keyid === key.id);
  if (signature === undefined) return false;
  const publicKey = { key: createPublicKey(key.privateKey), dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', signedBytes(signed), publicKey, Buffer.from(signature.sig, 'base64'));
}

export function firstKey(repository: SimulatedRepository, role: string): SigningKey {
  const [key] = repository.keys(role);
  if (key === undefined) throw new Error(`${role} has no key.`);
  return key;
}
